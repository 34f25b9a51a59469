//! [`JsonStrings`]: the strings at any depth of the JSON in a file.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::lines::Lines;
use super::open::read_document;
use super::{Place, ReadOptions, TextError};
use crate::error::Result;

/// Which strings are meant: `**` all of them, `**.text` those called `text`, or in lists called so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AnyDepth {
    /// The name, if only strings of one name are meant.
    name: Option<String>,
}

impl AnyDepth {
    /// What the name of a column means, if it begins with `**`.
    pub(super) fn of_column(column: &str) -> Option<Self> {
        match column.strip_prefix("**")? {
            "" => Some(Self { name: None }),
            rest => rest.strip_prefix('.').map(|name| Self { name: Some(name.to_owned()) }),
        }
    }

    fn means(&self, name: &str) -> bool {
        self.name.as_deref().is_none_or(|own| own == name)
    }
}

/// Reads the strings of a file, value by value. Only one line, or the file without lines, lies in memory.
pub(super) struct JsonStrings {
    /// The file's name.
    pub(super) path: PathBuf,
    wanted: AnyDepth,
    values: Values,
    found: VecDeque<String>,
    /// How many strings were read.
    read: u64,
}

enum Values {
    /// A value a line.
    Lines(Lines),
    /// Values one after another, in the whole file; `None` once it is read.
    File(Option<ReadOptions>),
}

impl JsonStrings {
    /// The strings in a file of a value a line.
    pub(super) fn of_lines(path: &Path, wanted: AnyDepth, options: &ReadOptions) -> Result<Self> {
        Ok(Self::new(path, wanted, Values::Lines(Lines::open(path, options)?)))
    }

    /// The strings in a file of any values, which may stand on many lines.
    pub(super) fn of_file(path: &Path, wanted: AnyDepth, options: &ReadOptions) -> Self {
        Self::new(path, wanted, Values::File(Some(options.clone())))
    }

    fn new(path: &Path, wanted: AnyDepth, values: Values) -> Self {
        let (path, found) = (path.to_owned(), VecDeque::new());
        Self { path, wanted, values, found, read: 0 }
    }

    /// The place of the last string read: its line, or its number.
    pub(super) fn place(&self) -> Place {
        match &self.values {
            Values::Lines(lines) => lines.place(),
            Values::File(_) => Place { unit: "string", number: self.read },
        }
    }

    /// The next string, or `None` after the last.
    pub(super) fn next_string(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(text) = self.found.pop_front() {
                self.read += 1;
                return Ok(Some(text));
            }
            let (text, line) = match &mut self.values {
                Values::Lines(lines) => match lines.next_line()?.map(Cow::into_owned) {
                    Some(line) => (line, Some(lines.place())),
                    None => return Ok(None),
                },
                Values::File(options) => match options.take() {
                    Some(options) => (read_document(&self.path, &options.encodings)?, None),
                    None => return Ok(None),
                },
            };
            self.take(&text, line)?;
        }
    }

    /// Takes the strings of all values in `text`.
    fn take(&mut self, text: &str, line: Option<Place>) -> Result<()> {
        let mut json = serde_json::Deserializer::from_str(text);
        while json.end().is_err() {
            let seed = Strings { wanted: &self.wanted, is_wanted: self.wanted.name.is_none(), found: &mut self.found };
            seed.deserialize(&mut json).map_err(|source| {
                let place = line.unwrap_or(Place::line(source.line() as u64));
                TextError::Json { path: self.path.clone(), place, source }
            })?;
        }
        Ok(())
    }
}

/// Collects the wanted strings of a value, and keeps nothing else of it.
struct Strings<'a> {
    wanted: &'a AnyDepth,
    /// Whether a string that stands here is wanted.
    is_wanted: bool,
    found: &'a mut VecDeque<String>,
}

impl<'de> DeserializeSeed<'de> for Strings<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strings<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<(), E> {
        if self.is_wanted {
            self.found.push_back(text.to_owned());
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let is_wanted = self.wanted.means(&name);
            map.next_value_seed(Strings { wanted: self.wanted, is_wanted, found: &mut *self.found })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<(), A::Error> {
        let Self { wanted, is_wanted, found } = self;
        while list.next_element_seed(Strings { wanted, is_wanted, found: &mut *found })?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> std::result::Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(name: &str, text: &str, column: &str) -> Result<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let (wanted, options) = (AnyDepth::of_column(column).unwrap(), ReadOptions::default());
        let mut values = match name.ends_with(".jsonl") {
            true => JsonStrings::of_lines(&path, wanted, &options)?,
            false => JsonStrings::of_file(&path, wanted, &options),
        };
        std::iter::from_fn(|| values.next_string().transpose()).collect()
    }

    const NESTED: &str = r#"{"shapes": {"A": {"doc": "First.", "size": 3, "of": null},
        "B": {"inner": [{"doc": "Sec\u006fnd."}, {"doc": ["Third.", "Fourth."], "on": true}], "type": "x"}}}"#;

    #[test]
    fn strings_of_a_name_are_found_at_any_depth_in_order() {
        assert_eq!(strings("a.json", NESTED, "**.doc").unwrap(), ["First.", "Second.", "Third.", "Fourth."]);
        assert_eq!(strings("a.json", NESTED, "**.type").unwrap(), ["x"]);
        assert!(strings("a.json", NESTED, "**.shapes").unwrap().is_empty());
    }

    #[test]
    fn two_stars_alone_mean_every_string_but_no_name() {
        let found = strings("a.json", r#"{"word": "meaning", "n": 1.5, "list": ["one", ["two"]]} "three""#, "**");
        assert_eq!(found.unwrap(), ["meaning", "one", "two", "three"]);
    }

    #[test]
    fn lines_are_read_one_by_one_and_a_broken_one_is_named() {
        let lines = "{\"a\": {\"t\": \"x\"}}\n\n{\"t\": \"y\"}\n";
        assert_eq!(strings("a.jsonl", lines, "**.t").unwrap(), ["x", "y"]);
        let error = strings("a.jsonl", &format!("{lines}{{\n"), "**.t").unwrap_err().to_string();
        assert!(error.ends_with("a.jsonl, line 4: no JSON"), "{error}");
        let error = strings("a.json", "{\"t\": \"x\",\n}", "**.t").unwrap_err().to_string();
        assert!(error.ends_with("a.json, line 2: no JSON"), "{error}");
    }

    #[test]
    fn a_column_without_two_stars_and_a_dot_is_a_name() {
        assert_eq!(AnyDepth::of_column("text"), None);
        assert_eq!(AnyDepth::of_column("**text"), None);
        assert_eq!(AnyDepth::of_column("meta.**"), None);
    }
}
