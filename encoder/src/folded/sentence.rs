//! From a sentence's token ids to its features.

use super::{
    attend::Scratch,
    gather::{Filters, Tools},
    layout::Layout,
    score::{Scored, Scores},
    simd::Simd,
};

/// The small numbers of all gathers.
pub struct Gathers {
    pub max_pooled: Vec<Filters>,
    pub attention: Option<Scores>,
}

impl<S: Simd, T: Scored> Tools<S, T> {
    /// Writes one sentence's features, and the mean of its skip rows (zeros where there are none) to `out`. `ids` has one token at
    /// least, and none outside the vocabulary.
    #[inline(always)]
    pub fn sentence(
        self,
        (layout, gathers): (&Layout, &Gathers),
        (ids, next): (&[u32], &[u32]),
        scratch: &mut Scratch,
        features: &mut [f32],
        out: &mut [f32],
    ) {
        for (filters, block) in gathers.max_pooled.iter().zip(&layout.blocks) {
            self.max_pool(filters, ids, &mut features[block.at..block.at + block.width]);
        }
        if let (Some(scores), Some(embedding)) = (&gathers.attention, layout.embedding) {
            let attended = &mut features[layout.features - layout.attended * embedding.width..];
            self.attend(scores, embedding, (ids, next), scratch, attended);
            self.prefetch(next, ids.len(), usize::MAX);
        } else {
            self.prefetch(next, 0, usize::MAX);
        }
        match layout.skip {
            Some(place) => self.mean(place, ids, out),
            None => out.fill(0.0),
        }
    }
}
