//! The poolers over the last states of one text's tokens.

use crate::Pooler;

/// Appends the vector of a text, pooled by `pooler` from the last states of its tokens (`width` values a token, at
/// least one token), to `to`. `None` for a pooler that needs more than the last states.
pub(crate) fn pool(pooler: Pooler, states: &[f32], width: usize, to: &mut Vec<f32>) -> Option<()> {
    let tokens = || states.chunks_exact(width);
    let count = tokens().len().max(1) as f32;
    match pooler {
        Pooler::ClsBeforePooler => to.extend_from_slice(tokens().next()?),
        Pooler::LastToken => to.extend_from_slice(tokens().next_back()?),
        Pooler::Mean => sum(tokens().map(|token| (token, 1.0)), count, width, to),
        Pooler::MeanSqrtLen => sum(tokens().map(|token| (token, 1.0)), count.sqrt(), width, to),
        Pooler::WeightedMean => {
            let weighted = tokens().zip(1..).map(|(token, place)| (token, place as f32));
            sum(weighted, count * (count + 1.0) / 2.0, width, to);
        }
        Pooler::Max => {
            let start = to.len();
            to.extend_from_slice(tokens().next()?);
            for token in tokens().skip(1) {
                to[start..].iter_mut().zip(token).for_each(|(largest, &value)| *largest = largest.max(value));
            }
        }
        Pooler::Cls | Pooler::FirstLast | Pooler::LastTwo => return None,
    }
    Some(())
}

/// Appends the weighted sum of `tokens`, divided by `divisor`.
fn sum<'a>(tokens: impl Iterator<Item = (&'a [f32], f32)>, divisor: f32, width: usize, to: &mut Vec<f32>) {
    let start = to.len();
    to.resize(start + width, 0.0);
    for (token, weight) in tokens {
        to[start..].iter_mut().zip(token).for_each(|(sum, value)| *sum += weight * value);
    }
    to[start..].iter_mut().for_each(|sum| *sum /= divisor);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pooler_gives_its_vector() {
        let states = [1.0, -2.0, 3.0, 0.0, 5.0, -4.0, 7.0, 2.0];
        let pooled = |pooler| {
            let mut vector = Vec::new();
            pool(pooler, &states, 2, &mut vector).map(|()| vector)
        };
        assert_eq!(pooled(Pooler::Mean), Some(vec![4.0, -1.0]));
        assert_eq!(pooled(Pooler::MeanSqrtLen), Some(vec![8.0, -2.0]));
        assert_eq!(pooled(Pooler::WeightedMean), Some(vec![5.0, -0.6]));
        assert_eq!(pooled(Pooler::Max), Some(vec![7.0, 2.0]));
        assert_eq!(pooled(Pooler::ClsBeforePooler), Some(vec![1.0, -2.0]));
        assert_eq!(pooled(Pooler::LastToken), Some(vec![7.0, 2.0]));
        assert_eq!(pooled(Pooler::FirstLast), None);
    }
}
