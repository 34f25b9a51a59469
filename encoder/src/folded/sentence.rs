//! From a sentence's token ids to its features.

use super::{
    attend::Scratch,
    gather::{Filters, Sentence, Tools},
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
    /// Writes one sentence's features, and the mean of its skip rows (zeros where there are none) to `out`. No token is outside the
    /// vocabulary.
    #[inline(always)]
    pub fn sentence(
        self,
        (layout, gathers): (&Layout, &Gathers),
        sentence: Sentence<'_>,
        scratch: &mut Scratch,
        features: &mut [f32],
        out: &mut [f32],
    ) {
        // Attention asks for the next sentence's rows itself, as many as this one has.
        let mut fetched = 0;
        if let (Some(scores), Some(embedding)) = (&gathers.attention, layout.embedding) {
            let attended = &mut features[layout.features - layout.attended * embedding.width..];
            self.attend(scores, embedding, sentence, scratch, attended);
            fetched = sentence.ids.len();
        }
        self.prefetch(sentence, fetched, usize::MAX);
        for (filters, block) in gathers.max_pooled.iter().zip(&layout.blocks) {
            self.max_pool(filters, sentence.ids, &mut features[block.at..block.at + block.width]);
        }
        match layout.skip {
            Some(place) => self.mean(place, sentence.ids, out),
            None => out.fill(0.0),
        }
    }
}
