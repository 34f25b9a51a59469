//! A tokenizer.json made of BERT's older files: `vocab.txt` and `tokenizer_config.json`.
//!
//! The tokenizer is the one that `BertTokenizerFast` of transformers makes of these files. What that class would take
//! from the files but is not known here is refused.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

use crate::{Error, Result};

/// The classes of transformers whose tokenizer is BERT's. The names may end in `Fast`.
const CLASSES: [&str; 5] =
    ["BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer", "ConvBertTokenizer"];

/// The types of models whose tokenizer is BERT's, where no class is named.
const MODEL_TYPES: [&str; 5] = ["bert", "distilbert", "electra", "mobilebert", "convbert"];

/// The special tokens: setting, default, and whether every text needs the token.
const SPECIAL: [(&str, &str, bool); 5] = [
    ("pad_token", "[PAD]", false),
    ("unk_token", "[UNK]", true),
    ("cls_token", "[CLS]", true),
    ("sep_token", "[SEP]", true),
    ("mask_token", "[MASK]", false),
];

/// The text of the tokenizer.json that stands for the vocabulary at `path` and the settings beside it.
///
/// # Errors
/// A file that can't be read or is damaged, and settings that aren't known here; each error names the file.
pub(super) fn tokenizer_json(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
    let wrong = |what| Error::VocabularyFile { path: path.into(), what };
    let tokens = tokens(&bytes).map_err(wrong)?;
    let settings = Settings::read(path)?;
    let ids: HashMap<&str, u32> = tokens.iter().map(String::as_str).zip(0..).collect();
    let mut added = settings.added_tokens(&ids)?;
    let mut names = Map::new();
    for (name, default, needed) in SPECIAL {
        let token = settings.special(name, default)?;
        let content = token["content"].as_str().unwrap_or_default().to_owned();
        match ids.get(content.as_str()) {
            Some(&id) => drop(added.entry(id).or_insert(token)),
            None if needed || settings.config.contains_key(name) => {
                return Err(wrong(format!("has no token {content:?}, which is the {name}")));
            }
            // Without an id, the token is text like any other.
            None => continue,
        }
        names.insert(name.into(), content.into());
    }
    let mut added: Vec<(u32, Value)> = added.into_iter().collect();
    added.sort_unstable_by_key(|&(id, _)| id);
    for (id, token) in &mut added {
        token["id"] = (*id).into();
    }
    let added: Vec<Value> = added.into_iter().map(|(_, token)| token).collect();
    let vocab: Map<String, Value> = tokens.iter().cloned().zip((0u32..).map(Value::from)).collect();
    let (cls, sep) = (&names["cls_token"], &names["sep_token"]);
    let entry =
        |token: &Value| json!({"id": token, "ids": [vocab[token.as_str().unwrap_or_default()]], "tokens": [token]});
    let special = |token: &Value, part: u32| json!({"SpecialToken": {"id": token, "type_id": part}});
    let text = |name: &str, part: u32| json!({"Sequence": {"id": name, "type_id": part}});
    let mut special_tokens = Map::new();
    for token in [cls, sep] {
        special_tokens.insert(token.as_str().unwrap_or_default().into(), entry(token));
    }
    let json = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": true,
            "handle_chinese_chars": settings.flag("tokenize_chinese_chars")?.unwrap_or(true),
            "strip_accents": settings.flag("strip_accents")?,
            "lowercase": settings.flag("do_lower_case")?.unwrap_or(true),
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [special(cls, 0), text("A", 0), special(sep, 0)],
            "pair": [special(cls, 0), text("A", 0), special(sep, 0), text("B", 1), special(sep, 1)],
            "special_tokens": special_tokens,
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {
            "type": "WordPiece",
            "unk_token": names["unk_token"],
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocab,
        },
    });
    Ok(json.to_string().into_bytes())
}

/// The tokens of a vocab.txt, one a line, or what is wrong with the file.
fn tokens(bytes: &[u8]) -> std::result::Result<Vec<String>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        format!("line {} is not UTF-8", before.iter().filter(|&&byte| byte == b'\n').count() + 1)
    })?;
    if text.starts_with('\u{feff}') {
        return Err("begins with a byte order mark, which would belong to the first token".into());
    }
    // As Python reads lines.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let mut lines = HashMap::new();
    for (token, line) in text.split('\n').zip(1..) {
        if token.is_empty() {
            return Err(format!("line {line} is empty"));
        }
        if let Some(first) = lines.insert(token, line) {
            return Err(format!("lines {first} and {line} are the same token, {token:?}"));
        }
    }
    Ok(text.split('\n').map(str::to_owned).collect())
}

/// The settings beside a vocabulary.
struct Settings {
    /// The path of tokenizer_config.json.
    path: PathBuf,
    /// The settings of tokenizer_config.json; none where there is no such file.
    config: Map<String, Value>,
}

impl Settings {
    /// Reads and checks the settings beside the vocabulary at `path`.
    fn read(path: &Path) -> Result<Self> {
        let settings = Self {
            path: path.with_file_name("tokenizer_config.json"),
            config: object(&path.with_file_name("tokenizer_config.json"))?,
        };
        settings.check_class(&path.with_file_name("config.json"))?;
        for name in ["never_split", "additional_special_tokens", "extra_special_tokens"] {
            let value = settings.config.get(name).unwrap_or(&Value::Null);
            let empty = value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
            if !value.is_null() && !empty {
                return Err(settings.wrong(format!("{name} is {value}, which is not known without a tokenizer.json")));
            }
        }
        if settings.flag("do_basic_tokenize")? == Some(false) {
            return Err(settings.wrong("do_basic_tokenize is false, which is not known here".into()));
        }
        settings.check_others(path)?;
        Ok(settings)
    }

    fn wrong(&self, what: String) -> Error {
        Error::VocabularyFile { path: self.path.clone(), what }
    }

    /// Refuses a tokenizer that reads a vocab.txt in another way than BERT's. `model_config` is the path of the model's
    /// config.json.
    fn check_class(&self, model_config: &Path) -> Result<()> {
        let model = object(model_config)?;
        let found = [(&self.path, &self.config), (&model_config.to_path_buf(), &model)];
        for (path, config) in found {
            let Some(class) = config.get("tokenizer_class").filter(|class| !class.is_null()) else { continue };
            let name = class.as_str().map(|name| name.strip_suffix("Fast").unwrap_or(name));
            if name.is_some_and(|name| CLASSES.contains(&name)) {
                return Ok(());
            }
            let what = format!("tokenizer_class is {class}, and only BERT's vocab.txt is known");
            return Err(Error::VocabularyFile { path: path.clone(), what });
        }
        match model.get("model_type").and_then(Value::as_str) {
            Some(kind) if !MODEL_TYPES.contains(&kind) => {
                let what = format!("model_type is {kind:?}, and only BERT's vocab.txt is known");
                Err(Error::VocabularyFile { path: model_config.into(), what })
            }
            _ => Ok(()),
        }
    }

    /// Refuses other files that would change the tokenizer.
    fn check_others(&self, vocabulary: &Path) -> Result<()> {
        let path = vocabulary.with_file_name("added_tokens.json");
        if let Some((token, _)) = object(&path)?.iter().find(|_| !self.config.contains_key("added_tokens_decoder")) {
            let what = format!("adds the token {token:?}, which is not known without a tokenizer.json");
            return Err(Error::VocabularyFile { path, what });
        }
        let path = vocabulary.with_file_name("special_tokens_map.json");
        for (name, value) in object(&path)? {
            let content = value.get("content").unwrap_or(&value);
            let known = SPECIAL.iter().find(|(special, ..)| *special == name);
            let same = match known {
                Some((_, default, _)) => self.special(&name, default)?["content"] == *content,
                None => value.as_array().is_some_and(Vec::is_empty),
            };
            if !same {
                let what = format!("{name} is {value}, tokenizer_config.json does not say so");
                return Err(Error::VocabularyFile { path, what });
            }
        }
        Ok(())
    }

    /// A setting that is true, false, or not set.
    fn flag(&self, name: &str) -> Result<Option<bool>> {
        match self.config.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(self.wrong(format!("{name} is {other}, neither true nor false"))),
        }
    }

    /// The special token of this setting, as tokenizer.json has it but for the id.
    fn special(&self, name: &str, default: &str) -> Result<Value> {
        let mut token = match self.config.get(name) {
            None | Some(Value::Null) => added_token(&default.into()),
            Some(token) => added_token(token),
        }
        .map_err(|what| self.wrong(format!("{name} {what}")))?;
        token["special"] = true.into();
        Ok(token)
    }

    /// The tokens of `added_tokens_decoder` by id.
    fn added_tokens(&self, ids: &HashMap<&str, u32>) -> Result<HashMap<u32, Value>> {
        let name = "added_tokens_decoder";
        let entries = match self.config.get(name) {
            None | Some(Value::Null) => return Ok(HashMap::new()),
            Some(Value::Object(entries)) => entries,
            Some(other) => return Err(self.wrong(format!("{name} is {other}, not an object"))),
        };
        let entry = |(id, token): (&String, &Value)| {
            let number = id.parse().map_err(|_| self.wrong(format!("{name} has the id {id:?}, which is no number")))?;
            let token = added_token(token).map_err(|what| self.wrong(format!("{name}.{id} {what}")))?;
            let content = token["content"].as_str().unwrap_or_default();
            match ids.get(content) {
                Some(&own) if own != number => {
                    let what = format!("{name} gives {content:?} the id {number}, vocab.txt the id {own}");
                    Err(self.wrong(what))
                }
                None if (number as usize) < ids.len() => {
                    Err(self.wrong(format!("{name} gives {content:?} the id {number} of another token")))
                }
                _ => Ok((number, token)),
            }
        };
        let tokens: HashMap<u32, Value> = entries.iter().map(entry).collect::<Result<_>>()?;
        // The library numbers the tokens that the vocabulary lacks from its end on.
        let further = tokens.keys().filter(|&&id| id as usize >= ids.len()).count();
        match tokens.keys().find(|&&id| id as usize >= ids.len() + further) {
            Some(id) => Err(self.wrong(format!("{name} has the id {id}, and leaves ids before it without a token"))),
            None => Ok(tokens),
        }
    }
}

/// The object in the JSON file at `path`; empty where there is no file.
fn object(path: &Path) -> Result<Map<String, Value>> {
    let wrong = |what| Error::VocabularyFile { path: path.into(), what };
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| wrong(format!("is no JSON object ({error})"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Map::new()),
        Err(source) => Err(Error::Read { path: path.into(), source }),
    }
}

/// A token of tokenizer.json, but for the id, from its text or its object; or what is wrong with it.
fn added_token(token: &Value) -> std::result::Result<Value, String> {
    let content = token.get("content").unwrap_or(token);
    let Some(content) = content.as_str().filter(|content| !content.is_empty()) else {
        return Err(format!("is {token}, no token"));
    };
    let mut whole = json!({"id": 0, "content": content});
    for name in ["single_word", "lstrip", "rstrip", "normalized", "special"] {
        whole[name] = match token.get(name) {
            None | Some(Value::Null) => false.into(),
            Some(Value::Bool(flag)) => (*flag).into(),
            Some(other) => return Err(format!("has {name} {other}, neither true nor false")),
        };
    }
    Ok(whole)
}
