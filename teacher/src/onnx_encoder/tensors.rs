//! Token ids to padded tensors, outputs to numbers.

use half::f16;
use half::slice::HalfFloatSliceExt;
use limbeck_encoder::TokenBatch;
use ort::value::DynValue;

use super::signature::Role;

/// Rows to be padded.
pub(super) struct Pad<'a> {
    pub tokens: &'a TokenBatch,
    pub rows: &'a [usize],
    pub height: usize,
    pub longest: usize,
    pub padding: u32,
    /// How many positions of a row the mask shows at least.
    pub least: usize,
}

impl Pad<'_> {
    /// Fills `to` with `height × longest` integers. With a `least` of 1 a row without tokens counts as one of padding, so
    /// that no mean is over nothing.
    pub fn fill<T: Copy + From<bool> + TryFrom<u32>>(&self, role: Role, to: &mut Vec<T>) {
        // No vocabulary has ids past i32.
        let number = |id: u32| T::try_from(id).unwrap_or(T::from(false));
        let (zero, one) = (T::from(false), T::from(true));
        to.clear();
        match role {
            Role::Types => to.resize(self.height * self.longest, zero),
            Role::Positions => {
                to.extend((0..self.height).flat_map(|_| 0..self.longest as u32).map(number));
            }
            Role::Ids | Role::Mask => {
                let rows = self.rows.iter().map(|&row| self.tokens.row(row));
                let filling = std::iter::repeat_n(&[][..], self.height - self.rows.len());
                for (row, ids) in rows.chain(filling).enumerate() {
                    match role {
                        Role::Ids => to.extend(ids.iter().map(|&id| number(id))),
                        _ => to.resize(row * self.longest + ids.len().max(self.least), one),
                    }
                    to.resize((row + 1) * self.longest, if role == Role::Ids { number(self.padding) } else { zero });
                }
            }
        }
    }
}

/// The shape and the numbers of an output; `buffer` holds them where they must be converted.
pub(super) fn floats<'a>(value: &'a DynValue, buffer: &'a mut Vec<f32>) -> ort::Result<(Vec<usize>, &'a [f32])> {
    let sizes = |shape: &[i64]| shape.iter().map(|&size| usize::try_from(size).unwrap_or_default()).collect();
    if let Ok((shape, numbers)) = value.try_extract_tensor::<f32>() {
        return Ok((sizes(shape), numbers));
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
        let pad = Pad { tokens: &tokens, rows: &[2, 0, 1], height: 4, longest: 3, padding: 1, least: 1 };
        let filled = |role| {
            let mut to = vec![99i64];
            pad.fill(role, &mut to);
            to
        };
        assert_eq!(filled(Role::Ids), [5, 1, 1, 7, 8, 9, 1, 1, 1, 1, 1, 1]);
        assert_eq!(filled(Role::Mask), [1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 0, 0]);
        assert_eq!(filled(Role::Types), [0; 12]);
        assert_eq!(filled(Role::Positions), [0, 1, 2].repeat(4));
        let mut mask = vec![99i64];
        Pad { least: 0, ..pad }.fill(Role::Mask, &mut mask);
        assert_eq!(mask, [1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
    }
}
