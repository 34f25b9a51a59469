//! From a sentence's token ids to its features: gathers and sums of table rows.
//!
//! Long sentences go through in chunks of [`CHUNK`] positions, so the memory needed does not grow with them: a first pass finds each
//! head's greatest score, a second weighs the embeddings (and computes the scores again, unless there is just one chunk).

use super::{
    layout::{HEAD_LANES, LANES, Layout, Taps},
    math,
    table::{At, Table},
};

/// How many positions are attended to at a time.
const CHUNK: usize = 128;

/// The small numbers of a convolution.
pub struct Filters {
    pub taps: Taps,
    pub bias: Vec<[f32; LANES]>,
    /// What a sum of 1 is worth, int8 only (else empty).
    pub unit: Vec<[f32; LANES]>,
}

/// The small numbers of all gathers.
pub struct Gathers {
    pub max_pooled: Vec<Filters>,
    pub attention: Option<Scores>,
}

/// The attention's scores.
pub struct Scores {
    pub filters: Filters,
    /// `[lane groups][filters][16]`: a column a head, and a column of zeros for the plain mean (all its scores being 0, its softmax is
    /// uniform).
    pub weight: Vec<[f32; HEAD_LANES]>,
    pub bias: Vec<[f32; HEAD_LANES]>,
}

/// Memory for one sentence, used again for the next.
#[derive(Default)]
pub struct Scratch {
    /// `[4][filters]`.
    features: Vec<[f32; LANES]>,
    /// `[lane groups][CHUNK]`: scores, then weights.
    scores: Vec<[f32; HEAD_LANES]>,
    greatest: Vec<[f32; HEAD_LANES]>,
    sums: Vec<[f32; HEAD_LANES]>,
}

/// Writes one sentence's features, and the mean of its skip rows (zeros where there are none) to `out`. `ids` has one token at
/// least, and none outside the vocabulary.
#[inline(always)]
pub fn sentence<T: Table>(
    (layout, gathers, table): (&Layout, &Gathers, T),
    ids: &[u32],
    scratch: &mut Scratch,
    features: &mut [f32],
    out: &mut [f32],
) {
    for (filters, block) in gathers.max_pooled.iter().zip(&layout.blocks) {
        max_pool(table, filters, ids, &mut features[block.at..block.at + block.width]);
    }
    if let (Some(scores), Some((embedding, width))) = (&gathers.attention, layout.embedding) {
        let attended = &mut features[layout.features - layout.attended * width..];
        attend(table, scores, (embedding, width), ids, scratch, attended);
    }
    match layout.skip {
        Some(place) => mean(table, place, ids, out),
        None => out.fill(0.0),
    }
}

/// 32 filters of a convolution at one position: the sum of the taps that lie inside the sentence.
#[inline(always)]
fn convolve<T: Table>(table: T, taps: &Taps, ids: &[u32], position: usize, group: usize) -> T::Sums {
    let half = taps.width / 2;
    let first = half.saturating_sub(position);
    let end = taps.width.min(ids.len() + half - position);
    let tap = |tap: usize| {
        let row = ids[position + tap - half] as usize * table.stride();
        table.tap(taps, At { row, place: (taps.at + tap * taps.filters) / LANES + group })
    };
    let mut sums = tap(first);
    for t in first + 1..end {
        sums = T::add(sums, tap(t));
    }
    sums
}

/// relu(values + bias)
#[inline(always)]
fn activate<T: Table>(filters: &Filters, group: usize, sums: T::Sums) -> [f32; LANES] {
    let mut values = T::values(sums, filters.unit.get(group));
    for (value, bias) in values.iter_mut().zip(&filters.bias[group]) {
        *value = math::max(*value + bias, 0.0);
    }
    values
}

#[inline(always)]
fn max_pool<T: Table>(table: T, filters: &Filters, ids: &[u32], features: &mut [f32]) {
    for (group, features) in features.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let mut greatest = convolve(table, &filters.taps, ids, 0, group);
        for position in 1..ids.len() {
            greatest = T::max(greatest, convolve(table, &filters.taps, ids, position, group));
        }
        *features = activate::<T>(filters, group, greatest);
    }
}

/// Writes what each head attends to, head after head.
#[inline(always)]
fn attend<T: Table>(
    table: T,
    scores: &Scores,
    (embedding, width): (usize, usize),
    ids: &[u32],
    scratch: &mut Scratch,
    attended: &mut [f32],
) {
    let groups = scores.bias.len();
    scratch.features.resize(4 * scores.filters.bias.len(), [0.0; LANES]);
    scratch.scores.resize(groups * CHUNK, [0.0; HEAD_LANES]);
    scratch.greatest.clear();
    scratch.greatest.resize(groups, [f32::NEG_INFINITY; HEAD_LANES]);
    scratch.sums.clear();
    scratch.sums.resize(groups, [0.0; HEAD_LANES]);
    attended.fill(0.0);

    for start in (0..ids.len()).step_by(CHUNK) {
        let end = ids.len().min(start + CHUNK);
        score(table, scores, ids, (start, end), scratch);
        for (greatest, scores) in scratch.greatest.iter_mut().zip(scratch.scores.chunks_exact(CHUNK)) {
            for scores in &scores[..end - start] {
                greatest.iter_mut().zip(scores).for_each(|(greatest, &score)| *greatest = math::max(*greatest, score));
            }
        }
    }
    for start in (0..ids.len()).step_by(CHUNK) {
        let chunk = &ids[start..ids.len().min(start + CHUNK)];
        if ids.len() > CHUNK {
            score(table, scores, ids, (start, start + chunk.len()), scratch);
        }
        let groups = scratch.scores.chunks_exact_mut(CHUNK).zip(&scratch.greatest).zip(&mut scratch.sums);
        for ((scores, greatest), sums) in groups {
            for (scores, &id) in scores.iter_mut().zip(chunk) {
                let scale = table.embedding_scale(id as usize * table.stride());
                for ((score, greatest), sum) in scores.iter_mut().zip(greatest).zip(sums.iter_mut()) {
                    let power = math::exp(*score - greatest);
                    *sum += power;
                    *score = power * scale;
                }
            }
        }
        let mut head = 0;
        for (group, weights) in scratch.scores.chunks_exact(CHUNK).enumerate() {
            while head < attended.len() / width && head < (group + 1) * HEAD_LANES {
                let to = &mut attended[head * width..];
                let (lane, left) = (head % HEAD_LANES, HEAD_LANES.min(to.len() / width));
                let left = left.min(HEAD_LANES - lane);
                head += match left {
                    8.. => weigh::<T, 8>(table, embedding, width, chunk, weights, lane, to),
                    4.. => weigh::<T, 4>(table, embedding, width, chunk, weights, lane, to),
                    2.. => weigh::<T, 2>(table, embedding, width, chunk, weights, lane, to),
                    _ => weigh::<T, 1>(table, embedding, width, chunk, weights, lane, to),
                };
            }
        }
    }
    for (head, attended) in attended.chunks_exact_mut(width).enumerate() {
        let inverse = 1.0 / scratch.sums[head / HEAD_LANES][head % HEAD_LANES];
        attended.iter_mut().for_each(|value| *value *= inverse);
    }
}

/// The scores of positions `start..end`, to the front of each lane group.
#[inline(always)]
fn score<T: Table>(table: T, scores: &Scores, ids: &[u32], (start, end): (usize, usize), scratch: &mut Scratch) {
    let mut position = start;
    while position < end {
        let at = position - start;
        position += match end - position {
            4.. => score_some::<T, 4>(table, scores, ids, (position, at), scratch),
            2.. => score_some::<T, 2>(table, scores, ids, (position, at), scratch),
            _ => score_some::<T, 1>(table, scores, ids, (position, at), scratch),
        };
    }
}

#[inline(always)]
fn score_some<T: Table, const P: usize>(
    table: T,
    scores: &Scores,
    ids: &[u32],
    (position, at): (usize, usize),
    scratch: &mut Scratch,
) -> usize {
    let width = scores.filters.bias.len();
    for group in 0..width {
        for p in 0..P {
            let sums = convolve(table, &scores.filters.taps, ids, position + p, group);
            scratch.features[p * width + group] = activate::<T>(&scores.filters, group, sums);
        }
    }
    let features: [&[f32]; P] = std::array::from_fn(|p| scratch.features[p * width..(p + 1) * width].as_flattened());
    let weights = scores.weight.chunks_exact(width * LANES);
    for ((weights, bias), to) in weights.zip(&scores.bias).zip(scratch.scores.chunks_exact_mut(CHUNK)) {
        let mut sums = [*bias; P];
        for (filter, weights) in weights.iter().enumerate() {
            for (sums, features) in sums.iter_mut().zip(&features) {
                let feature = features[filter];
                sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += feature * weight);
            }
        }
        to[at..at + P].copy_from_slice(&sums);
    }
    P
}

/// Adds the embeddings of `chunk`, weighted by `G` neighbouring heads, to those heads' places in `to`.
#[inline(always)]
fn weigh<T: Table, const G: usize>(
    table: T,
    embedding: usize,
    width: usize,
    chunk: &[u32],
    weights: &[[f32; HEAD_LANES]],
    lane: usize,
    to: &mut [f32],
) -> usize {
    for group in 0..width / LANES {
        let mut sums = [[0.0f32; LANES]; G];
        for (&id, weights) in chunk.iter().zip(weights) {
            let row = id as usize * table.stride();
            let numbers = table.numbers(At { row, place: embedding / LANES + group });
            for (sums, weight) in sums.iter_mut().zip(&weights[lane..lane + G]) {
                sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number * weight);
            }
        }
        for (head, sums) in sums.iter().enumerate() {
            let to = &mut to[head * width + group * LANES..][..LANES];
            to.iter_mut().zip(sums).for_each(|(to, sum)| *to += sum);
        }
    }
    G
}

/// The mean of the skip rows.
#[inline(always)]
fn mean<T: Table>(table: T, place: usize, ids: &[u32], out: &mut [f32]) {
    let inverse = 1.0 / ids.len() as f32;
    for (group, out) in out.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        *out = [0.0; LANES];
        for chunk in ids.chunks(CHUNK) {
            let mut sums = [0.0f32; LANES];
            for &id in chunk {
                let row = id as usize * table.stride();
                let (numbers, scale) = (table.numbers(At { row, place: place / LANES + group }), table.skip_scale(row));
                sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number * scale);
            }
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
        }
        out.iter_mut().for_each(|out| *out *= inverse);
    }
}
