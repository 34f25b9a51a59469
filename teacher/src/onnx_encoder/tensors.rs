//! Token ids to padded tensors, outputs to f32 values.

use half::f16;
use half::slice::HalfFloatSliceExt;
use limbeck_encoder::TokenBatch;
use ort::value::DynValue;

use super::signature::InputRole;

/// Rows of token ids to be padded.
pub(super) struct PaddedRows<'a> {
    pub tokens: &'a TokenBatch,
    pub rows: &'a [usize],
    pub height: usize,
    pub longest: usize,
    pub padding: u32,
    /// The mask shows at least this many positions of a row.
    pub least: usize,
}

impl PaddedRows<'_> {
    /// Fills `to` with `height × longest` integers. With a `least` of 1 a row without tokens counts as one token of
    /// padding, so that every mean is over a token.
    pub(super) fn fill<T: Copy + From<bool> + TryFrom<u32>>(&self, role: InputRole, to: &mut Vec<T>) {
        // No vocabulary has ids beyond i32.
        let integer = |id: u32| T::try_from(id).unwrap_or(T::from(false));
        let (zero, one) = (T::from(false), T::from(true));
        to.clear();
        match role {
            InputRole::Types => to.resize(self.height * self.longest, zero),
            InputRole::Positions => {
                to.extend((0..self.height).flat_map(|_| 0..self.longest as u32).map(integer));
            }
            InputRole::Ids | InputRole::Mask => {
                let rows = self.rows.iter().map(|&row| self.tokens.row(row));
                let filling = std::iter::repeat_n(&[][..], self.height - self.rows.len());
                for (row, ids) in rows.chain(filling).enumerate() {
                    match role {
                        InputRole::Ids => to.extend(ids.iter().map(|&id| integer(id))),
                        _ => to.resize(row * self.longest + ids.len().max(self.least), one),
                    }
                    to.resize(
                        (row + 1) * self.longest,
                        if role == InputRole::Ids { integer(self.padding) } else { zero },
                    );
                }
            }
        }
    }
}

/// The shape and the values of an output; `buffer` holds the values if they must be converted.
pub(super) fn floats<'a>(value: &'a DynValue, buffer: &'a mut Vec<f32>) -> ort::Result<(Vec<usize>, &'a [f32])> {
    let sizes = |shape: &[i64]| shape.iter().map(|&size| usize::try_from(size).unwrap_or_default()).collect();
    if let Ok((shape, values)) = value.try_extract_tensor::<f32>() {
        return Ok((sizes(shape), values));
    }
    let (shape, halves) = value.try_extract_tensor::<f16>()?;
    buffer.resize(halves.len(), 0.0);
    halves.convert_to_f32_slice(buffer);
    Ok((sizes(shape), buffer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_padded_at_their_end_and_an_empty_one_counts_a_token() {
        let tokens: TokenBatch = [&[7, 8, 9][..], &[], &[5]].into_iter().collect();
        let pad = PaddedRows { tokens: &tokens, rows: &[2, 0, 1], height: 4, longest: 3, padding: 1, least: 1 };
        let filled = |role| {
            let mut to = vec![99i64];
            pad.fill(role, &mut to);
            to
        };
        assert_eq!(filled(InputRole::Ids), [5, 1, 1, 7, 8, 9, 1, 1, 1, 1, 1, 1]);
        assert_eq!(filled(InputRole::Mask), [1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 0, 0]);
        assert_eq!(filled(InputRole::Types), [0; 12]);
        assert_eq!(filled(InputRole::Positions), [0, 1, 2].repeat(4));
        let mut mask = vec![99i64];
        PaddedRows { least: 0, ..pad }.fill(InputRole::Mask, &mut mask);
        assert_eq!(mask, [1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
    }
}
