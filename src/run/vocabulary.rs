//! The student's own vocabulary.

use std::path::PathBuf;

use limbeck_data::{Monitor, files};
use limbeck_encoder::Tokenizer;
use limbeck_student::vocabulary::build;

use super::context::Context;
use super::stage::Stage;
use crate::error::{Error, Result};
use crate::model::tokenizer_file;
use crate::recipe::CacheOrigin;

/// The tokenizer of the student's own vocabulary, in the run's folder.
const FILE: &str = "vocabulary/tokenizer.json";
/// How many texts are handed on at a time.
const BATCH: usize = 16_384;

impl Context<'_> {
    /// Makes the student's own vocabulary from the training text.
    pub(super) fn make_vocabulary(&self) -> Result<()> {
        let Some(vocabulary) = self.plan.vocabulary else { return Ok(()) };
        let base = Tokenizer::from_file(&self.base_tokenizer()?)?;
        let monitor = Monitor::new(self.progress, &self.interrupt);
        let json = match &self.plan.cache {
            CacheOrigin::Teacher(_) => {
                let text = self.prepared_text()?;
                build(vocabulary, &base, &mut text.batches(BATCH)?.map(|batch| batch.map(|batch| batch.texts)), monitor)?
            }
            CacheOrigin::Elsewhere { .. } => {
                let (cache, _) = self.caches()?;
                let mut texts = (0..cache.shards()).map(|shard| cache.read(shard).map(|shard| shard.texts));
                build(vocabulary, &base, &mut texts, monitor)?
            }
        };
        let to = self.folder.join(FILE);
        let tokens = Tokenizer::from_bytes(&json, &to)?.vocabulary();
        files::write_bytes(&to, &json)?;
        self.progress.note(&format!("vocabulary: {tokens} tokens, made from one of {}", base.vocabulary()));
        Ok(())
    }

    /// The student's tokenizer where it isn't the cache's: of its own vocabulary, or the one that the recipe names.
    pub(super) fn student_tokenizer(&self) -> Result<Option<PathBuf>> {
        match self.plan.vocabulary {
            Some(_) => Ok(Some(self.home_folder(Stage::Vocabulary).join(FILE))),
            None => self.named_tokenizer(),
        }
    }

    /// The tokenizer that the recipe names for the student.
    fn named_tokenizer(&self) -> Result<Option<PathBuf>> {
        let Some(uri) = &self.plan.tokenizer else { return Ok(None) };
        let path = self.asset(uri, None)?;
        Ok(Some(tokenizer_file(path)))
    }

    /// The tokenizer that a vocabulary is made from: the one named, else the teacher's.
    fn base_tokenizer(&self) -> Result<PathBuf> {
        if let Some(path) = self.named_tokenizer()? {
            return Ok(path);
        }
        let path = self.home_folder(Stage::ExportTeacher).join("teacher/tokenizer.json");
        let what = || "there is no tokenizer to make it from".to_string();
        let stage = || Stage::Vocabulary.name().to_string();
        if path.is_file() { Ok(path) } else { Err(Error::Stage { stage: stage(), what: what() }) }
    }
}
