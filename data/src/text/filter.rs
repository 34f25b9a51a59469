//! [`TextFilter`]: decides which texts are fit to train on.

use super::collection::CollectionUnit;
use super::exclude::Exclusion;
use super::plan::{TextPlan, TextSummary};
use super::{HashSet64, hash};

/// The texts that are never trained on nor held out.
#[derive(Clone, Copy)]
pub(super) struct LeftOutTexts<'a> {
    pub(super) exclusion: &'a Exclusion,
    /// The hashes of the collections' own queries.
    pub(super) own_queries: &'a HashSet64,
}

impl LeftOutTexts<'_> {
    /// Whether `text` is one of them.
    pub(super) fn contains(&self, text: &str) -> bool {
        self.exclusion.contains(text) || self.own_queries.contains(&hash(text))
    }
}

/// Accepts each fit text once, and counts the others by reason.
pub(super) struct TextFilter<'a> {
    left_out: LeftOutTexts<'a>,
    min_chars: usize,
    max_chars: usize,
    seen: HashSet64,
}

impl<'a> TextFilter<'a> {
    pub(super) fn new(plan: &TextPlan, left_out: LeftOutTexts<'a>) -> Self {
        Self { left_out, min_chars: plan.min_chars, max_chars: plan.max_chars, seen: HashSet64::default() }
    }

    /// Whether `document` is to be excluded.
    pub(super) fn excludes(&self, document: &str) -> bool {
        self.left_out.exclusion.contains(document)
    }

    /// Whether `document`, or a sentence of it, is to be excluded.
    pub(super) fn excludes_part_of(&self, document: &str) -> bool {
        self.left_out.exclusion.contains_part_of(document)
    }

    /// Counts a text that is too long to be read.
    pub(super) fn refuse_unread(&self, counts: &mut TextSummary) {
        counts.read += 1;
        counts.too_long += 1;
    }

    /// The hash of `text`, which is already trimmed, if the text is fit and new. A whole document of a collection is
    /// fit however long it is.
    pub(super) fn admit(&mut self, text: &str, unit: Option<CollectionUnit>, counts: &mut TextSummary) -> Option<u64> {
        counts.read += 1;
        let length = text.chars().count();
        let reason = if length == 0 {
            &mut counts.blank
        } else if length < self.min_chars {
            &mut counts.too_short
        } else if length > self.max_chars && unit != Some(CollectionUnit::Document) {
            &mut counts.too_long
        } else if self.left_out.exclusion.contains(text) {
            &mut counts.excluded
        } else {
            let hash = hash(text);
            // A whole document of one sentence is its own query, and is trained on all the same.
            let may_be_query = matches!(unit, None | Some(CollectionUnit::Title | CollectionUnit::Sentence));
            if may_be_query && self.left_out.own_queries.contains(&hash) {
                counts.own_query += 1;
                return None;
            }
            if self.seen.insert(hash) {
                return Some(hash);
            }
            &mut counts.duplicate
        };
        *reason += 1;
        None
    }
}
