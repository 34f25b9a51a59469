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

    /// Counts a text that is too long to be read.
    pub(super) fn refuse_unread(&self, counts: &mut TextSummary) {
        counts.read += 1;
        counts.too_long += 1;
    }

    /// The hash of `text`, which is already trimmed, if the text is fit and new.
    pub(super) fn admit(&mut self, text: &str, counts: &mut TextSummary) -> Option<u64> {
        counts.read += 1;
        let length = text.chars().count();
        let reason = if length == 0 {
            &mut counts.blank
        } else if length < self.min_chars {
            &mut counts.too_short
        } else if length > self.max_chars {
            &mut counts.too_long
        } else if self.exclusion.contains(text) {
            &mut counts.excluded
        } else {
            let hash = hash(text);
            if self.seen.insert(hash) {
                return Some(hash);
            }
            &mut counts.duplicate
        };
        *reason += 1;
        None
    }
}
