//! A student's folder: `config.json`, `model.safetensors`, `tokenizer.json`, and `lexical.safetensors` where the
//! student has a lexical half; or its export to modules of sentence-transformers.

mod modules;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use limbeck_encoder::{LexicalHalf, Tokenizer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{ARCHITECTURE, StudentConfig};
use crate::error::{Error, Result};
use crate::lexical::{self, LexicalConfig};
use crate::tensors::TensorFile;

pub use modules::{END_TOKEN, ModuleLayout};

/// The name of the embedding table in files.
pub const TABLE: &str = "embedding.weight";
/// The file of a student's shape and origin.
pub const CONFIG: &str = "config.json";
/// The file of a student's weights.
pub const WEIGHTS: &str = "model.safetensors";
/// The file of a student's tokenizer.
pub const TOKENIZER: &str = "tokenizer.json";
/// The `model_type` of an ONNX export's config.
pub const ONNX_MODEL_TYPE: &str = "limbeck-textcnn";

/// A student's weights in host memory.
#[derive(Debug, Clone)]
pub struct StudentWeights {
    /// The student's shape.
    pub config: StudentConfig,
    /// The embedding table: `[vocabulary, embedding]`, row after row. Row 0 is zero.
    pub table: Vec<f32>,
    /// All other parameters by name, row-major; names and shapes are those of [`StudentConfig::dense_shapes`].
    pub dense: BTreeMap<String, Vec<f32>>,
}

/// A student and its tokenizer, as its folder holds them.
pub struct StudentFiles {
    /// The student's weights.
    pub weights: StudentWeights,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// The lexical half beside its vectors, if it has one.
    pub lexical: Option<LexicalHalf>,
    /// Where the student comes from, such as its teacher and recipe: the `origin` of `config.json`.
    pub origin: Value,
}

/// The content of a student's `config.json`.
#[derive(Serialize, Deserialize)]
pub struct ConfigFile {
    /// The student's shape.
    #[serde(flatten)]
    pub config: StudentConfig,
    /// The shape of its lexical half, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lexical: Option<LexicalConfig>,
    /// Where the student comes from.
    #[serde(default)]
    pub origin: Value,
}

/// Reads a JSON file.
pub(crate) fn read_json(path: &Path) -> Result<Value> {
    let bytes = std::fs::read(path).map_err(Error::read(path))?;
    serde_json::from_slice(&bytes).map_err(|error| Error::folder(path, format!("is no JSON ({error})")))
}

fn is_students(config: &Value) -> bool {
    config["architecture"] == ARCHITECTURE || modules::is_modules(config)
}

/// Whether `folder` holds a student of limbeck's, in its own files or in modules of sentence-transformers.
pub fn is_student(folder: &Path) -> bool {
    read_json(&folder.join(CONFIG)).is_ok_and(|config| is_students(&config))
}

/// The kind of the cache or model in `folder` that a student's files would overwrite; `None` for a student or its
/// export.
pub fn other_kind(folder: &Path) -> Option<&'static str> {
    if folder.join("cache.json").is_file() {
        return Some("an embedding cache");
    }
    let is_own = read_json(&folder.join(CONFIG))
        // The key `limbeck` is an export's to Model2Vec.
        .is_ok_and(|config| {
            is_students(&config) || config["model_type"] == ONNX_MODEL_TYPE || config["limbeck"].is_object()
        });
    let is_model = [CONFIG, "modules.json"].into_iter().any(|name| folder.join(name).is_file());
    (is_model && !is_own).then_some("a model of another kind")
}

/// The files that a student is read from.
pub fn files_of(folder: &Path) -> Vec<PathBuf> {
    let own = [CONFIG, WEIGHTS, TOKENIZER].map(|name| folder.join(name));
    let half = Some(folder.join(lexical::FILE)).filter(|file| file.is_file());
    own.into_iter().chain(half).chain(modules::weight_files(folder)).collect()
}

impl StudentFiles {
    /// Reads a student's folder, or a student that was exported to modules of sentence-transformers.
    ///
    /// # Errors
    /// A missing or truncated file, a config of another architecture, tensors that don't fit it or aren't finite; each
    /// error names the file.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(CONFIG);
        let bytes = std::fs::read(&path).map_err(Error::read(&path))?;
        let modules = serde_json::from_slice(&bytes).ok().filter(modules::is_modules);
        let read = match &modules {
            Some(config) => modules::config(config),
            None => serde_json::from_slice(&bytes),
        };
        let ConfigFile { config, lexical, origin } =
            read.map_err(|error| Error::folder(&path, format!("is no student's config ({error})")))?;
        config.check().map_err(|error| Error::folder(&path, error))?;
        let json = folder.join(TOKENIZER);
        let tokenizer = if modules.is_some() { modules::tokenizer(&json)? } else { Tokenizer::from_file(&json)? };
        let tokens = tokenizer.vocabulary() + 1;
        if tokens != config.vocabulary {
            let reason = format!("says {} tokens, the tokenizer makes {tokens}", config.vocabulary);
            return Err(Error::folder(&path, reason));
        }
        let mut weights = match modules {
            Some(_) => modules::read_weights(folder, config)?,
            None => read_weights(folder, config)?,
        };
        // As everywhere in a student, whatever the file holds there.
        weights.table[..weights.config.embedding].fill(0.0);
        let lexical = lexical.map(|config| lexical::read(&folder.join(lexical::FILE), config)).transpose()?;
        Ok(Self { weights, tokenizer, lexical, origin })
    }
}

fn read_weights(folder: &Path, config: StudentConfig) -> Result<StudentWeights> {
    let path = folder.join(WEIGHTS);
    let mut file = TensorFile::open(path.clone())?;
    let table = file.get(TABLE, &[config.vocabulary, config.embedding])?;
    let mut dense = BTreeMap::new();
    for (name, shape) in config.dense_shapes() {
        let values = file.take(&name, &shape).ok_or_else(|| {
            let value = format!("without a {name} of shape {shape:?}");
            Error::folder(&path, Error::setting("the student's weights", value, "what config.json describes"))
        })?;
        dense.insert(name, values);
    }
    Ok(StudentWeights { config, table, dense })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use safetensors::Dtype;
    use safetensors::tensor::TensorView;
    use serde_json::json;

    use super::*;

    /// Writes a student of skip alone: `gin`, `tonic` and the row of a text without tokens.
    fn save(folder: &Path, table: &[f32]) {
        let config = json!({
            "architecture": ARCHITECTURE, "vocabulary": 4, "embedding": 2, "dimension": 2, "convolutions": [],
            "attention": null, "skip": true, "max_tokens": null, "origin": {"teacher": "test"},
        });
        fs::write(folder.join(CONFIG), config.to_string()).unwrap();
        let tokenizer = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
            "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "gin": 1, "tonic": 2}, "unk_token": "[UNK]"},
        });
        fs::write(folder.join(TOKENIZER), tokenizer.to_string()).unwrap();
        let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let (table, skip) = (bytes(table), bytes(&[1.0, 2.0, 3.0, 4.0]));
        let view = |shape: [usize; 2], bytes| TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap();
        let tensors = [(TABLE, view([4, 2], &table)), ("skip.weight", view([2, 2], &skip))];
        fs::write(folder.join(WEIGHTS), safetensors::serialize(tensors, None).unwrap()).unwrap();
    }

    #[test]
    fn a_students_folder_is_read_and_folded_with_a_first_row_of_zeros() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), &[9.0, 9.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        assert!(is_student(folder.path()) && other_kind(folder.path()).is_none());
        let student = StudentFiles::open(folder.path()).unwrap();
        assert_eq!(student.origin["teacher"], "test");
        let parts = crate::fold::folded_parts(&student);
        assert_eq!(parts.skip_table.unwrap(), [0.0, 0.0, 1.0, 3.0, 2.0, 4.0, 3.0, 7.0]);
    }

    #[test]
    fn damage_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let message = || StudentFiles::open(folder.path()).err().unwrap().to_string();
        assert!(message().contains(CONFIG));
        save(folder.path(), &[0.0, 0.0, f32::NAN, 0.0, 0.0, 1.0, 1.0, 1.0]);
        assert!(message().contains(WEIGHTS) && message().contains("finite"), "{}", message());
        save(folder.path(), &[0.0; 8]);
        let whole = fs::read(folder.path().join(WEIGHTS)).unwrap();
        fs::write(folder.path().join(WEIGHTS), &whole[..whole.len() - 1]).unwrap();
        assert!(message().contains("whole safetensors"), "{}", message());
        fs::write(folder.path().join(CONFIG), json!({"architecture": "other"}).to_string()).unwrap();
        assert!(message().contains("no student's config"), "{}", message());
    }
}
