//! A student as a folder that `SentenceTransformer(path)` loads, from sentence-transformers 5.0 on.
//!
//! A student of max-pooling and skip is written as that library's own modules and needs no code of limbeck's (see
//! [`modules`](super::modules)). A student with attention heads is written as its own files and a short Python module,
//! which `trust_remote_code=True` lets run. `modules.json` and the card say what it does.

use std::path::Path;

use limbeck_data::files::{self, write_json};
use serde_json::json;

use super::{modules, refuse_lexical, refuse_student, write_tokenizer};
use crate::error::Result;
use crate::export::tokenizer::TokenizerFiles;
use crate::folder::StudentFolder;

/// The Python module of a student with attention heads.
const MODULE: &str = include_str!("limbeck_student.py");

/// Its class, as `modules.json` names it.
const CLASS: &str = "limbeck_student.LimbeckStudent";

/// What `trust_remote_code=True` runs, in `modules.json` and on the card.
pub const REMOTE_CODE: &str = "trust_remote_code=True runs limbeck_student.py, a file of the exported folder: it \
    encodes by the package limbeck where that is installed, and by PyTorch where it is not. It reads config.json, \
    model.safetensors and tokenizer.json beside it, starts no program and opens no connection. Read it first.";

/// The card of an export; a student's own card takes its place.
const CARD: &str = "---\nlibrary_name: sentence-transformers\npipeline_tag: sentence-similarity\n---\n\n\
                    A sentence encoder distilled by limbeck.\n";

/// Whether the student can be written as sentence-transformers' own modules.
pub fn has_own_modules(student: &StudentFolder) -> bool {
    student.model.config.attention.is_none()
}

/// Writes the student to the folder `to`; its vectors there are within 1e-5 of the student's own.
///
/// # Errors
/// A folder that holds a student, whose own files would be overwritten; a file that can't be written; a student with a
/// lexical half.
pub fn write_sentence_transformers(student: &StudentFolder, to: &Path) -> Result<()> {
    refuse_lexical(student, "sentence-transformers")?;
    refuse_student(to)?;
    let modules = match has_own_modules(student) {
        true => modules::write(student, to)?,
        false => {
            student.save(to)?;
            // The same tokenizer without special tokens and padding, which the module would have to remove again.
            write_tokenizer(&TokenizerFiles::plain(&student.tokenizer, student.model.config.max_tokens)?, to)?;
            files::write_bytes(&to.join("limbeck_student.py"), MODULE.as_bytes())?;
            vec![CLASS, "sentence_transformers.models.Normalize"]
        }
    };
    // The library needs Normalize's folder, which is empty.
    let names = || modules.iter().enumerate().map(|(index, class)| modules::folder_name(index, class));
    for folder in names().map(|name| to.join(name)) {
        std::fs::create_dir_all(&folder).map_err(limbeck_data::Error::io("create the folder", &folder))?;
    }
    // The teacher may have seen a prefix before each text; the student learned from the texts without it. So queries
    // and documents get no prompt.
    let settings = json!({
        "model_type": "SentenceTransformer",
        "prompts": {"query": "", "document": ""},
        "default_prompt_name": null,
        "similarity_fn_name": "cosine",
    });
    write_json(&to.join("config_sentence_transformers.json"), &settings)?;
    // Without a card the library asks the hub for one.
    let card = to.join("README.md");
    if !card.exists() {
        let code = if has_own_modules(student) { String::new() } else { format!("\n{REMOTE_CODE}\n") };
        files::write_bytes(&card, format!("{CARD}{code}").as_bytes())?;
    }
    let list = modules.iter().zip(names()).enumerate().map(|(index, (class, path))| {
        let mut module = json!({"idx": index, "name": index.to_string(), "path": path, "type": class});
        if *class == CLASS {
            // The library passes over keys that it doesn't know.
            module["about"] = REMOTE_CODE.into();
        }
        module
    });
    Ok(write_json(&to.join("modules.json"), &list.collect())?)
}
