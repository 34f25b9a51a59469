//! The sources of a collection's recipe: the documents, and general sentences beside them.

use std::path::Path;

use limbeck_data::Monitor;
use limbeck_data::text::{Document, DocumentColumns, DocumentReader, read_collection};
use toml::{Table, Value};

use super::{Arguments, RECIPE};
use crate::error::Result;
use crate::recipe;

/// In place of a URI: no general sentences.
const NONE: &str = "none";
/// So many documents, and of each so many characters, tell the language.
const LOOKED_AT: usize = 200;
const CHARACTERS: usize = 2_000;

/// `text.source` of the recipe: the documents at `corpus`, and after them the general sentences.
///
/// # Errors
/// Documents that can't be read.
pub(super) fn sources(arguments: &Arguments, corpus: &Path, monitor: Monitor) -> Result<Value> {
    let mut all = vec![documents(arguments)];
    match arguments.general.as_deref() {
        Some(NONE) => {}
        Some(uri) => all.push(Table::from_iter([("uri".to_owned(), uri.into())]).into()),
        None if is_english(read(arguments, corpus)?)? => {
            all.extend(recipe::carried_sources(RECIPE).into_iter().skip(1))
        }
        None => {
            monitor.note("general sentences: none, as the documents are not in English; --general URI names others")
        }
    }
    Ok(all.into())
}

/// The source that is the collection.
fn documents(arguments: &Arguments) -> Value {
    let mut source = Table::new();
    let mut set = |key: &str, value: Value| source.insert(key.into(), value);
    set("uri", arguments.corpus.as_str().into());
    let units = ["document", "passage", "sentence", "title", "span"];
    set("units", units.into_iter().collect::<Vec<_>>().into());
    let named = [
        ("column", &arguments.column),
        ("title", &arguments.title),
        ("encoding", &arguments.encoding),
        ("role", &arguments.role),
    ];
    for (key, value) in named {
        if let Some(value) = value {
            set(key, value.as_str().into());
        }
    }
    source.into()
}

fn read(arguments: &Arguments, corpus: &Path) -> Result<DocumentReader> {
    let columns = DocumentColumns { text: arguments.column.clone(), title: arguments.title.clone(), id: None };
    Ok(read_collection(corpus, &columns, arguments.encoding.as_deref())?)
}

/// Whether most of the first documents are in English, as far as their letters tell.
fn is_english(documents: impl Iterator<Item = limbeck_data::Result<Document>>) -> Result<bool> {
    let (mut english, mut known) = (0, 0);
    for document in documents.take(LOOKED_AT) {
        let beginning: String = document?.whole().chars().take(CHARACTERS).collect();
        if let Some(language) = whatlang::detect_lang(&beginning) {
            known += 1;
            english += usize::from(language == whatlang::Lang::Eng);
        }
    }
    Ok(2 * english > known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn english(texts: &[&str]) -> bool {
        is_english(texts.iter().map(|text| Ok(Document { text: (*text).into(), ..Document::default() }))).unwrap()
    }

    const ENGLISH: &str = "The students of the school read a book about the history of their town.";
    const GERMAN: &str = "Die Schüler der Schule lesen ein Buch über die Geschichte ihrer Stadt.";

    #[test]
    fn most_documents_tell_the_language() {
        assert!(english(&[ENGLISH]) && english(&[ENGLISH, GERMAN, ENGLISH]));
        assert!(!english(&[GERMAN]) && !english(&[GERMAN, ENGLISH]));
        assert!(!english(&["這座城市的學校有一百名學生。"]));
    }

    #[test]
    fn documents_without_letters_are_not_english() {
        assert!(!english(&[]) && !english(&["", "12 + 30 = 42"]));
    }

    #[test]
    fn the_recipe_has_general_sentences_beside_its_collection() {
        let sources = recipe::carried_sources(RECIPE);
        assert!(sources.len() > 1 && sources[0].get("units").is_some());
        assert!(sources[1..].iter().all(|source| source.get("units").is_none()));
    }
}
