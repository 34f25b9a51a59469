//! `vocabulary`: makes the student's own vocabulary.

use std::path::{Path, PathBuf};

use limbeck_data::cache::Cache;
use limbeck_data::{Monitor, files};
use limbeck_encoder::Tokenizer;
use limbeck_student::vocabulary::{Vocabulary as Kind, build};
use serde_json::{Value, json};

use super::{export_teacher, text};
use crate::error::{Error, Result};
use crate::models::tokenizer_file;
use crate::pipeline::fingerprint::{stamp, stamp_cache};
use crate::pipeline::{Context, Outputs, PlannedRun, Stage, StageId};
use crate::recipe::{CacheOrigin, Plan};

/// The stage's name.
pub const ID: StageId = StageId::new("vocabulary");

/// Texts handed on at a time.
const BATCH: usize = 16_384;

/// Makes the student's own vocabulary from the training text.
pub struct Vocabulary;

impl Stage for Vocabulary {
    fn id(&self) -> StageId {
        ID
    }

    fn is_planned(&self, plan: &Plan) -> bool {
        plan.vocabulary.is_some()
    }

    fn reads(&self, _plan: &Plan) -> Vec<StageId> {
        vec![text::ID, export_teacher::ID]
    }

    fn inputs(&self, plan: &Plan) -> Value {
        let student = &plan.recipe.student;
        json!({"vocabulary": student.vocabulary, "min_count": student.vocabulary_min_count,
               "size": student.vocabulary_size, "kind": student.vocabulary_kind,
               "tokenizer": plan.tokenizer.as_ref().map(stamp), "files": stamp_cache(&plan.cache)})
    }

    fn outputs(&self, run: &PlannedRun) -> Outputs {
        let cleared = Some(run.folder.vocabulary());
        Outputs { files: vec![run.folder.vocabulary_tokenizer()], cleared, ..Outputs::default() }
    }

    fn run(&self, context: &Context) -> Result<()> {
        let Some(vocabulary) = context.plan().vocabulary else { return Ok(()) };
        let base = Tokenizer::from_file(&base_tokenizer(context)?)?;
        let to = context.folder().vocabulary_tokenizer();
        match &context.plan().cache {
            CacheOrigin::Teacher(_) | CacheOrigin::Api => {
                let text = text::prepared_text(context)?;
                let mut texts = text.batches(BATCH)?.map(|batch| batch.map(|batch| batch.texts));
                vocabulary_into(vocabulary, &base, &mut texts, &to, context.monitor)
            }
            CacheOrigin::Elsewhere { path, columns } => {
                let cache = Cache::open_columns(path, columns)?;
                let mut texts = (0..cache.shards()).map(|shard| cache.read(shard).map(|shard| shard.texts));
                vocabulary_into(vocabulary, &base, &mut texts, &to, context.monitor)
            }
        }
    }
}

/// Makes a vocabulary from `texts` and the tokenizer `base`, and writes its tokenizer.json to `to`.
pub fn vocabulary_into(
    vocabulary: Kind,
    base: &Tokenizer,
    texts: &mut dyn Iterator<Item = limbeck_data::Result<Vec<String>>>,
    to: &Path,
    monitor: Monitor,
) -> Result<()> {
    let json = build(vocabulary, base, texts, monitor)?;
    let tokens = Tokenizer::from_bytes(&json, to)?.vocabulary();
    files::write_bytes(to, &json)?;
    monitor.note(&format!("{ID}: {tokens} tokens, made from a tokenizer of {}", base.vocabulary()));
    Ok(())
}

/// The tokenizer that a vocabulary is made from: the one that the recipe names, else the teacher's.
fn base_tokenizer(context: &Context) -> Result<PathBuf> {
    if let Some(path) = named_tokenizer(context)? {
        return Ok(path);
    }
    let path = context.folder_of(export_teacher::ID).teacher_tokenizer();
    let missing = || Error::Stage { stage: ID.name(), problem: "there is no tokenizer to start from".into() };
    path.is_file().then_some(path).ok_or_else(missing)
}

/// The student's tokenizer where it isn't the cache's: of its own vocabulary, or the one that the recipe names.
pub fn student_tokenizer(context: &Context) -> Result<Option<PathBuf>> {
    match context.plan().vocabulary {
        Some(_) => Ok(Some(context.folder_of(ID).vocabulary_tokenizer())),
        None => named_tokenizer(context),
    }
}

/// The tokenizer that the recipe names for the student.
fn named_tokenizer(context: &Context) -> Result<Option<PathBuf>> {
    let Some(uri) = &context.plan().tokenizer else { return Ok(None) };
    Ok(Some(tokenizer_file(context.asset(uri, None)?)))
}
