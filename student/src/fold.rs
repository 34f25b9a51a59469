//! From a trained student to the tables of a folded file.

use std::path::Path;

use limbeck_encoder::folded::Parts;
use limbeck_encoder::{Precision, Tokenizer, folded};
use limbeck_fold::folder::StudentWeights;

use crate::error::Result;
use crate::folder::StudentFolder;
use crate::model::TextCnn;

/// The student as tables, as [`limbeck_fold::fold::parts`] makes them of weights in host memory.
pub fn parts(model: &TextCnn, tokenizer: &Tokenizer, metadata: String) -> Result<Parts> {
    let names = model.dense.iter().map(|(name, _)| name);
    let dense = names.map(|name| Ok((name.to_owned(), model.dense.values(name)?))).collect::<Result<_>>()?;
    let weights = StudentWeights { config: model.config.clone(), table: model.table.values().to_vec(), dense };
    Ok(limbeck_fold::fold::parts(&weights, tokenizer, metadata))
}

/// Writes the student, with its lexical half where it has one, as a folded file and returns its size in bytes.
pub fn write_folded(student: &StudentFolder, precision: Precision, to: &Path) -> Result<u64> {
    let mut parts = parts(&student.model, &student.tokenizer, student.origin.to_string())?;
    if let Some(half) = &student.lexical {
        parts.parameters += (half.words() * half.dimension()) as u64;
        parts.lexical = Some(half.table());
    }
    Ok(folded::write(to, &parts, precision)?)
}
