//! Token ids to padded tensors, outputs to f32 values.

use std::borrow::Cow;

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
    /// The `height × longest` integers of the input `role`. With a `least` of 1 a row without tokens counts as one
    /// token of padding, so that every mean is over a token.
    pub(super) fn input<T: Copy + From<bool> + TryFrom<u32>>(&self, role: InputRole) -> Vec<T> {
        // No vocabulary has ids beyond i32.
        let integer = |id: u32| T::try_from(id).unwrap_or(T::from(false));
        let (zero, one) = (T::from(false), T::from(true));
        let padding = if role == InputRole::Ids { integer(self.padding) } else { zero };
        let mut to = vec![padding; self.height * self.longest];
        for (place, to) in to.chunks_exact_mut(self.longest).enumerate() {
            let ids = self.rows.get(place).map_or(&[][..], |&row| self.tokens.row(row));
            match role {
                InputRole::Ids => to.iter_mut().zip(ids).for_each(|(to, &id)| *to = integer(id)),
                InputRole::Mask => to[..ids.len().max(self.least)].fill(one),
                InputRole::Types => {}
                InputRole::Positions => to.iter_mut().zip(0..).for_each(|(to, position)| *to = integer(position)),
            }
        }
        to
    }
}

/// The shape and the values of an output.
pub(super) fn floats(value: &DynValue) -> ort::Result<(Vec<usize>, Cow<'_, [f32]>)> {
    let sizes = |shape: &[i64]| shape.iter().map(|&size| usize::try_from(size).unwrap_or_default()).collect();
    if let Ok((shape, values)) = value.try_extract_tensor::<f32>() {
        return Ok((sizes(shape), Cow::Borrowed(values)));
    }
    let (shape, halves) = value.try_extract_tensor::<f16>()?;
    Ok((sizes(shape), Cow::Owned(halves.to_f32_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_padded_at_their_end_and_an_empty_one_counts_a_token() {
        let tokens: TokenBatch = [&[7, 8, 9][..], &[], &[5]].into_iter().collect();
        let pad = PaddedRows { tokens: &tokens, rows: &[2, 0, 1], height: 4, longest: 3, padding: 1, least: 1 };
        let filled = |role| pad.input::<i64>(role);
        assert_eq!(filled(InputRole::Ids), [5, 1, 1, 7, 8, 9, 1, 1, 1, 1, 1, 1]);
        assert_eq!(filled(InputRole::Mask), [1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 0, 0]);
        assert_eq!(filled(InputRole::Types), [0; 12]);
        assert_eq!(filled(InputRole::Positions), [0, 1, 2].repeat(4));
        let mask = PaddedRows { least: 0, ..pad }.input::<i64>(InputRole::Mask);
        assert_eq!(mask, [1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
    }
}
