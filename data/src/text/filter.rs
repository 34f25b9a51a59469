//! [`TextFilter`]: decides which texts are fit to train on.

use super::exclude::Exclusion;
use super::plan::{TextPlan, TextSummary};
use super::{HashSet64, hash};

/// Accepts each fit text once, and counts the others by reason.
pub(super) struct TextFilter<'a> {
    exclusion: &'a Exclusion,
    min_chars: usize,
    max_chars: usize,
    seen: HashSet64,
}

impl<'a> TextFilter<'a> {
    pub(super) fn new(plan: &TextPlan, exclusion: &'a Exclusion) -> Self {
        Self { exclusion, min_chars: plan.min_chars, max_chars: plan.max_chars, seen: HashSet64::default() }
    }

    /// The hash of `text`, which is already trimmed, if the text is fit and new.
    pub(super) fn admit(&mut self, text: &str, counts: &mut TextSummary) -> Option<u64> {
        counts.read += 1;
        if text.is_empty() {
            counts.blank += 1;
            return None;
        }
        let length = text.chars().count();
        if length < self.min_chars {
            counts.too_short += 1;
            return None;
        }
        if length > self.max_chars {
            counts.too_long += 1;
            return None;
        }
        if self.exclusion.contains(text) {
            counts.excluded += 1;
            return None;
        }
        let hash = hash(text);
        if !self.seen.insert(hash) {
            counts.duplicate += 1;
            return None;
        }
        Some(hash)
    }
}
