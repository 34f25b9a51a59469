//! The linear map of a join, and how it is found.

use limbeck_data::Interrupt;
use limbeck_data::cache::{Cache, SHARD_ROWS};
use limbeck_data::progress::Progress;
use nalgebra::{DMatrix, DVector, SVD};

use super::Settings;
use super::rows::Rows;
use crate::error::Result;
use crate::start::{principal_directions, scatter};
use crate::unit::to_unit;

/// Of about so many rows the moments are taken: from half as many where the text has just more, to all of a shorter one.
const SAMPLE: u64 = 1 << 17;

/// A joined vector shorter than this, of at most 1, is what rounding left of a zero.
const NOTHING: f64 = 1e-6;

/// From the unit vectors of several teachers, side by side, to one vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    /// `dimension × total`
    pub(super) matrix: Vec<f32>,
    /// `dimension` numbers, taken away after the matrix.
    pub(super) offset: Vec<f32>,
}

impl Map {
    /// Finds the map for these caches.
    ///
    /// With `z` a text's unit vectors side by side, `c` the share of their means, and `W` the square roots of the weights, which sum to 1,
    /// the dot product of two `W(z - c)` is the weighted mean of the teachers' (partly centred) cosines. Of these the first `dimension`
    /// principal directions about the origin keep most (Eckart and Young 1936). Where they are as many as the first teacher has numbers,
    /// they are turned so that the vectors come as near to that teacher's as a rotation can bring them (orthogonal Procrustes, Schönemann
    /// 1966): no dot product changes by it.
    pub(super) fn find(
        caches: &[Cache],
        settings: &Settings,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        settings.check(caches)?;
        let widths: Vec<usize> = caches.iter().map(Cache::dimension).collect();
        let (total, first) = (widths.iter().sum(), widths[0]);
        let Moments { count, sums, products } = Moments::of(caches, total, progress, interrupt)?;

        let centre = &sums * (settings.centre / count);
        let sum: f64 = settings.weights.iter().sum();
        let scales =
            widths.iter().zip(&settings.weights).flat_map(|(&width, weight)| vec![(weight / sum).sqrt(); width]);
        let scales = DMatrix::from_diagonal(&DVector::from_iterator(total, scales));
        // Of z - c with itself, and with the first teacher's own vectors.
        let with_itself =
            &products - &sums * centre.transpose() - &centre * sums.transpose() + &centre * centre.transpose() * count;
        let with_first = products.columns(0, first) - &centre * sums.rows(0, first).transpose();

        let weighted = &scales * with_itself * &scales;
        // Symmetric: its columns are its rows.
        let directions = principal_directions(weighted.as_slice(), total, settings.dimension)?;
        let mut directions = DMatrix::from_row_slice(settings.dimension, total, &directions).cast::<f64>();
        if settings.dimension == first {
            let svd = SVD::new(&directions * &scales * with_first, true, true);
            if let (Some(u), Some(v)) = (svd.u, svd.v_t) {
                directions = (u * v).transpose() * directions;
            }
        }
        let matrix = directions * scales;
        let offset = &matrix * &centre;
        Ok(Self {
            matrix: matrix.transpose().iter().map(|&x| x as f32).collect(),
            offset: offset.iter().map(|&x| x as f32).collect(),
        })
    }

    /// The width of the joined vectors.
    pub fn dimension(&self) -> usize {
        self.offset.len()
    }

    /// The joined unit vectors, `n × dimension`, of vectors side by side, `n × total`; zeros where nothing but the mean was there.
    pub fn apply(&self, rows: &[f32]) -> Vec<f32> {
        let dimension = self.dimension();
        let total = self.matrix.len() / dimension.max(1);
        let rows = ndarray::ArrayView2::from_shape((rows.len() / total.max(1), total), rows);
        let matrix = ndarray::ArrayView2::from_shape((dimension, total), &self.matrix);
        let (Ok(rows), Ok(matrix)) = (rows, matrix) else { return Vec::new() };
        let mut joined: Vec<f32> = rows.dot(&matrix.t()).iter().copied().collect();
        for row in joined.chunks_exact_mut(dimension) {
            row.iter_mut().zip(&self.offset).for_each(|(x, offset)| *x -= offset);
            if row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt() < NOTHING {
                row.fill(0.0);
            }
            to_unit(row);
        }
        joined
    }
}

/// Sums over a sample of the rows `z`.
struct Moments {
    count: f64,
    /// `Σ z`
    sums: DVector<f64>,
    /// `Σ z zᵀ`
    products: DMatrix<f64>,
}

impl Moments {
    fn of(caches: &[Cache], total: usize, progress: &dyn Progress, interrupt: &Interrupt) -> Result<Self> {
        let mut rows = Rows::new(caches)?;
        let stride = rows.most.div_ceil(SAMPLE).max(1);
        let (mut count, mut sums, mut products) = (0u64, vec![0f64; total], vec![0f64; total * total]);
        let bar = progress.stage("the teachers' moments", Some(rows.most), "sentences");
        let mut at = 0;
        while let Some(chunk) = rows.next(SHARD_ROWS)? {
            interrupt.check()?;
            let mut sample = Vec::new();
            for row in chunk.vectors.chunks_exact(total) {
                if is_sampled(at, stride) {
                    sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
                    sample.extend_from_slice(row);
                    count += 1;
                }
                at += 1;
            }
            products.iter_mut().zip(scatter(&sample, total)).for_each(|(product, x)| *product += x);
            bar.add(chunk.texts.len() as u64);
        }
        let products = DMatrix::from_row_slice(total, total, &products);
        Ok(Self { count: count as f64, sums: DVector::from_vec(sums), products })
    }
}

/// Whether a row is one of the `stride`th part that is taken: by a number that follows no pattern of the text's.
fn is_sampled(row: u64, stride: u64) -> bool {
    (row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).is_multiple_of(stride)
}
