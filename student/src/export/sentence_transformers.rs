//! A student as a folder that `SentenceTransformer(path)` loads, from sentence-transformers 5.0 on.
//!
//! A student of max-pooling and skip is written in that library's own modules and needs no code of ours (see
//! [`modules`](super::modules)). One with attention heads comes as it is, with a module file of a hundred lines that
//! `trust_remote_code=True` allows.

use std::path::Path;

use limbeck_data::files;
use serde_json::json;

use super::{refuse_student, write_json, write_tokenizer};
use crate::error::Result;
use crate::export::modules;
use crate::export::tokenizer::TokenizerFiles;
use crate::folder::StudentFolder;

/// The module file of a student with attention heads.
const MODULE: &str = include_str!("limbeck_student.py");

/// What stands in place of a student's own card.
const CARD: &str = "---\nlibrary_name: sentence-transformers\npipeline_tag: sentence-similarity\n---\n\nA sentence encoder \
                    distilled by limbeck.\n";

/// Whether the student can be written in sentence-transformers' own modules.
pub fn has_own_modules(student: &StudentFolder) -> bool {
    student.model.config.attention.is_none()
}

/// Writes the student to the folder `to`; its vectors there are within 1e-5 of the student's own.
///
/// # Errors
/// A folder that holds a student, whose own files would be written over; a file that can't be written.
pub fn write_sentence_transformers(student: &StudentFolder, to: &Path) -> Result<()> {
    refuse_student(to)?;
    let modules: Vec<(String, &str)> = match has_own_modules(student) {
        true => modules::write(student, to)?,
        false => {
            student.save(to)?;
            // The same tokenizer without what the module would have to take off again.
            write_tokenizer(&TokenizerFiles::plain(&student.tokenizer, student.model.config.max_tokens)?, to)?;
            files::write_bytes(&to.join("limbeck_student.py"), MODULE.as_bytes())?;
            vec![
                (String::new(), "limbeck_student.LimbeckStudent"),
                ("1_Normalize".to_owned(), "sentence_transformers.models.Normalize"),
            ]
        }
    };
    // Normalize's folder has to be there, though nothing need lie in it.
    for (folder, _) in &modules {
        let folder = to.join(folder);
        std::fs::create_dir_all(&folder).map_err(limbeck_data::Error::io("create the folder", &folder))?;
    }
    // A student learns its teacher's vectors from the texts themselves, whatever was put before them for the teacher;
    // so nothing is put before a query or a document.
    let settings = json!({
        "model_type": "SentenceTransformer",
        "prompts": {"query": "", "document": ""},
        "default_prompt_name": null,
        "similarity_fn_name": "cosine",
    });
    write_json(&settings, &to.join("config_sentence_transformers.json"))?;
    // Without a card the library asks the hub for one.
    let card = to.join("README.md");
    if !card.exists() {
        files::write_bytes(&card, CARD.as_bytes())?;
    }
    let list: Vec<_> = (modules.iter().enumerate())
        .map(|(index, (path, kind))| json!({"idx": index, "name": index.to_string(), "path": path, "type": kind}))
        .collect();
    write_json(&list.into(), &to.join("modules.json"))
}
