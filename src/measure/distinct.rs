//! Texts without their repetitions, so that each is encoded once.

use std::collections::HashMap;

/// Distinct texts, in the order in which they first came in.
#[derive(Default)]
pub(super) struct DistinctTexts<'a> {
    texts: Vec<&'a str>,
    places: HashMap<&'a str, usize>,
}

impl<'a> DistinctTexts<'a> {
    /// The place of `text`, which is added where it is new.
    pub(super) fn place(&mut self, text: &'a str) -> usize {
        *self.places.entry(text).or_insert_with(|| {
            self.texts.push(text);
            self.texts.len() - 1
        })
    }

    /// The texts by place.
    pub(super) fn texts(&self) -> &[&'a str] {
        &self.texts
    }
}

impl<'a> FromIterator<&'a str> for DistinctTexts<'a> {
    fn from_iter<I: IntoIterator<Item = &'a str>>(texts: I) -> Self {
        let mut distinct = Self::default();
        texts.into_iter().for_each(|text| {
            distinct.place(text);
        });
        distinct
    }
}
