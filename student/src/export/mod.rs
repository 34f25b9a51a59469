//! A student in the formats of other libraries: ONNX, sentence-transformers and Model2Vec.

mod int8;
mod model2vec;
mod modules;
mod onnx;
mod sentence_transformers;
mod tokenizer;

pub use model2vec::write_model2vec;
pub use onnx::write_onnx;
pub use sentence_transformers::{REMOTE_CODE, has_own_modules, write_sentence_transformers};

use std::path::Path;

use limbeck_data::files;
use limbeck_encoder::Precision;
use limbeck_training::sentence_transformers::pooling;
use serde_json::json;

use crate::error::{Error, Result};
use crate::folder::StudentFolder;
use tokenizer::TokenizerFiles;

/// Positions that a student without a limit claims to have: as many tokens as text-embeddings-inference puts into a
/// batch unless it is told otherwise. With more, some of its versions refuse to start.
const POSITIONS: usize = 16_384;

/// Writes a folder with `model.onnx`, the files from which transformers and transformers.js load the tokenizer, and
/// what text-embeddings-inference reads beside them: sizes in `config.json`, and `1_Pooling/config.json`.
///
/// # Errors
/// As [`write_onnx`]; a folder that holds a student, whose own files would be overwritten.
pub fn write_onnx_folder(student: &StudentFolder, precision: Precision, to: &Path) -> Result<()> {
    refuse_lexical(student, onnx::FORMAT)?;
    refuse_student(to)?;
    let config = &student.model.config;
    write_onnx(student, precision, &to.join("model.onnx"))?;
    let files = TokenizerFiles::plain(&student.tokenizer, config.max_tokens)?;
    // What the mask marks as padding counts nowhere, so any id serves; row 0 is zero.
    let padding = files.config["pad_token"].as_str().and_then(|token| student.tokenizer.id(token)).unwrap_or(0);
    write_tokenizer(&files, to)?;
    let described = json!({
        "model_type": crate::folder::ONNX_MODEL_TYPE,
        "architectures": ["LimbeckTextCnn"],
        "vocab_size": config.vocabulary,
        "hidden_size": config.dimension,
        // Servers made for transformers ask for these before they open the ONNX file.
        "num_hidden_layers": 1,
        "max_position_embeddings": config.max_tokens.unwrap_or(POSITIONS),
        "pad_token_id": padding,
        "limbeck": {"student": config, "origin": student.origin},
    });
    files::write_json(&to.join("config.json"), &described)?;
    // The file pools by itself; what stands here only has to be a mode that servers know.
    let pooling = pooling(config.dimension, &["mean_tokens"]);
    Ok(files::write_json(&to.join("1_Pooling").join("config.json"), &pooling)?)
}

/// Refuses a student with a lexical half, for which `format` has no place.
fn refuse_lexical(student: &StudentFolder, format: &'static str) -> Result<()> {
    if student.lexical.is_some() { Err(Error::LexicalExport { format }) } else { Ok(()) }
}

/// Refuses to overwrite a student's own folder; an earlier export may be overwritten.
fn refuse_student(to: &Path) -> Result<()> {
    if crate::folder::is_student(to) && !to.join("modules.json").exists() {
        let reason = "holds a student, whose files the export would write over; choose another folder";
        return Err(Error::folder(to, reason));
    }
    refuse_other_kind(to)
}

/// Refuses to overwrite a cache, or a model that is no student.
pub fn refuse_other_kind(to: &Path) -> Result<()> {
    let Some(what) = crate::folder::other_kind(to) else { return Ok(()) };
    Err(Error::folder(to, format!("holds {what}, whose files would be written over; choose another folder")))
}

fn write_tokenizer(files: &TokenizerFiles, folder: &Path) -> Result<()> {
    files::write_bytes(&folder.join("tokenizer.json"), files.tokenizer.to_string().as_bytes())?;
    Ok(files::write_json(&folder.join("tokenizer_config.json"), &files.config)?)
}
