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
use serde_json::json;

use crate::error::{Error, Result};
use crate::folder::StudentFolder;
use tokenizer::TokenizerFiles;

/// Writes a folder with `model.onnx` and the files from which transformers and transformers.js load the tokenizer.
///
/// # Errors
/// As [`write_onnx`]; a folder that holds a student, whose own files would be overwritten.
pub fn write_onnx_folder(student: &StudentFolder, precision: Precision, to: &Path) -> Result<()> {
    refuse_lexical(student, onnx::FORMAT)?;
    refuse_student(to)?;
    let config = &student.model.config;
    write_onnx(student, precision, &to.join("model.onnx"))?;
    write_tokenizer(&TokenizerFiles::plain(&student.tokenizer, config.max_tokens)?, to)?;
    let described = json!({
        "model_type": crate::folder::ONNX_MODEL_TYPE,
        "architectures": ["LimbeckTextCnn"],
        "vocab_size": config.vocabulary,
        "hidden_size": config.dimension,
        "limbeck": {"student": config, "origin": student.origin},
    });
    Ok(files::write_json(&to.join("config.json"), &described)?)
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
