//! `config_sentence_transformers.json`: the prompts of a model.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::unsupported;
use crate::model_files::parse_if_there;
use crate::{Error, Result};

/// The texts that a model wants before every text, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompts {
    /// The file with the prompts.
    file: PathBuf,
    /// Name and text, in the file's order.
    named: Vec<(String, String)>,
    /// The name of the prompt that is used unless another is chosen.
    default: Option<String>,
    /// The configuration of a pooling that leaves a prompt's tokens out.
    left_out: Option<PathBuf>,
}

/// What a model wants before each side of a search.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchPrompts {
    /// The text before every query.
    pub query: String,
    /// The text before every document.
    pub document: String,
}

#[derive(Deserialize)]
struct PromptsFile {
    #[serde(default)]
    prompts: Option<Map<String, Value>>,
    default_prompt_name: Option<String>,
}

/// The names that sentence-transformers takes for the two sides of a search, in the order in which it looks for them.
const DOCUMENT: [&str; 3] = ["document", "passage", "corpus"];

impl Prompts {
    /// Reads the prompts in `folder`. `left_out` is the configuration of a pooling that leaves a prompt's tokens out.
    pub(crate) fn read(folder: &Path, left_out: Option<PathBuf>) -> Result<Self> {
        let file = folder.join("config_sentence_transformers.json");
        let Some(config) = parse_if_there::<PromptsFile>(&file)? else { return Ok(Self { file, ..Self::default() }) };
        let named = |(name, text): (String, Value)| match text {
            Value::String(text) => Ok((name, text)),
            other => Err(unsupported(&file, format!("the prompt `{name}` is {other}, where a text is expected"))),
        };
        let named = config.prompts.unwrap_or_default().into_iter().map(named).collect::<Result<Vec<_>>>()?;
        if let Some(name) = config.default_prompt_name.as_ref().filter(|name| named.iter().all(|(n, _)| n != *name)) {
            let what = format!("the default prompt `{name}` is not among the prompts");
            return Err(Error::Unsupported {
                path: file,
                what,
                hint: "add it, or take default_prompt_name away".into(),
            });
        }
        Ok(Self { file, named, default: config.default_prompt_name, left_out })
    }

    /// The text that stands before every text: of the prompt `name`, else of the default prompt, else nothing.
    ///
    /// # Errors
    /// There is no prompt `name`; the pooling leaves the prompt's tokens out.
    pub fn prefix(&self, name: Option<&str>) -> Result<String> {
        let Some(name) = name.or(self.default.as_deref()) else { return Ok(String::new()) };
        let text = self.text(name).ok_or_else(|| self.unknown(name))?;
        match &self.left_out {
            Some(path) if !text.is_empty() => {
                let what = "a pooling that leaves the prompt's tokens out (include_prompt = false) is not supported";
                Err(unsupported(path, what.to_owned()))
            }
            _ => Ok(text.to_owned()),
        }
    }

    /// The text for the documents of a search, or for anything else that `role` names: sentence-transformers knows a
    /// document's prompt by three names.
    ///
    /// # Errors
    /// There is no such prompt; the pooling leaves the prompt's tokens out.
    pub fn of_role(&self, role: &str) -> Result<String> {
        let other = || DOCUMENT.into_iter().find(|name| self.text(name).is_some());
        match role {
            "document" => self.prefix(Some(other().unwrap_or(role))),
            _ => self.prefix(Some(role)),
        }
    }

    /// The texts for both sides of a search; `None` where the model has a prompt for neither. A side without a prompt
    /// has an empty text.
    ///
    /// # Errors
    /// The pooling leaves the prompt's tokens out.
    pub fn of_search(&self) -> Result<Option<SearchPrompts>> {
        let document = DOCUMENT.into_iter().find(|name| self.text(name).is_some());
        let query = Some("query").filter(|name| self.text(name).is_some());
        if query.or(document).is_none() {
            return Ok(None);
        }
        let text = |name: Option<&str>| name.map_or(Ok(String::new()), |name| self.prefix(Some(name)));
        Ok(Some(SearchPrompts { query: text(query)?, document: text(document)? }))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.named.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }

    fn unknown(&self, name: &str) -> Error {
        let hint = match self.named.is_empty() {
            true => "the model names no prompts; give the text itself as the prefix".to_owned(),
            false => format!("the model's prompts are {}", self.listed(|_| true)),
        };
        Error::Unsupported { path: self.file.clone(), what: format!("there is no prompt `{name}`"), hint }
    }

    /// A note for the user where the model has prompts and none is used, because none is the default.
    pub fn unused(&self) -> Option<String> {
        let is_there = |text: &str| !text.is_empty();
        if self.default.is_some() || !self.named.iter().any(|(_, text)| is_there(text)) {
            return None;
        }
        let listed = self.listed(is_there);
        Some(format!(
            "the model has the prompts {listed}, and none is chosen: nothing is put before the texts (--prompt NAME, \
             or teacher.prompt, chooses one)"
        ))
    }

    fn listed(&self, wanted: impl Fn(&str) -> bool) -> String {
        let wanted = self.named.iter().filter(|(_, text)| wanted(text));
        wanted.map(|(name, text)| format!("{name} ({text:?})")).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompts(json: &str) -> Result<Prompts> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config_sentence_transformers.json"), json).unwrap();
        Prompts::read(folder.path(), None)
    }

    #[test]
    fn a_prompt_is_chosen_by_name() {
        let found = prompts(r#"{"prompts": {"query": "query: ", "passage": "passage: "}}"#).unwrap();
        assert_eq!(found.prefix(Some("query")).unwrap(), "query: ");
        assert_eq!(found.prefix(None).unwrap(), "");
        assert_eq!(found.of_role("document").unwrap(), "passage: ");
        assert_eq!(found.of_role("query").unwrap(), "query: ");
        let error = found.prefix(Some("title")).unwrap_err();
        assert!(error.to_string().contains("`title`"), "{error}");
        assert!(error.hint().unwrap().contains("query (\"query: \"), passage"), "{:?}", error.hint());
    }

    #[test]
    fn a_search_has_the_prompts_of_both_sides_where_the_model_has_one() {
        let search = |json: &str| prompts(json).unwrap().of_search().unwrap();
        let both = SearchPrompts { query: "q: ".into(), document: "p: ".into() };
        assert_eq!(search(r#"{"prompts": {"query": "q: ", "passage": "p: "}}"#), Some(both));
        let one = SearchPrompts { query: "q: ".into(), document: String::new() };
        assert_eq!(search(r#"{"prompts": {"query": "q: ", "sts": "s"}}"#), Some(one));
        assert_eq!(search(r#"{"prompts": {"sts": "s"}}"#), None);
    }

    #[test]
    fn the_default_prompt_is_used_unless_another_is_chosen() {
        let found = prompts(r#"{"prompts": {"q": "Q ", "d": "D "}, "default_prompt_name": "d"}"#).unwrap();
        assert_eq!((found.prefix(None).unwrap(), found.prefix(Some("q")).unwrap()), ("D ".into(), "Q ".into()));
        assert_eq!(found.unused(), None);
    }

    #[test]
    fn prompts_that_nobody_chose_are_told_unless_they_are_empty() {
        let note = prompts(r#"{"prompts": {"query": "q: ", "document": ""}}"#).unwrap().unused().unwrap();
        assert!(note.contains("query (\"q: \")") && !note.contains("document"), "{note}");
        assert_eq!(prompts(r#"{"prompts": {"query": "", "document": ""}}"#).unwrap().unused(), None);
        assert_eq!(prompts(r#"{"prompts": null}"#).unwrap().unused(), None);
    }

    #[test]
    fn a_prompt_that_is_no_text_is_named() {
        let error = prompts(r#"{"prompts": {"query": 3}}"#).unwrap_err();
        assert!(error.to_string().contains("`query` is 3"), "{error}");
    }
}
