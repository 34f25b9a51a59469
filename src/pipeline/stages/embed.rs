//! `embed`: fills the embedding caches with the teacher's vectors.

use std::path::{Path, PathBuf};

use candle_core::Device;
use limbeck_data::Monitor;
use limbeck_data::cache::{Cache, CacheSpec, Columns, SHARD_ROWS};
use limbeck_data::files::remove;
use limbeck_data::text::PreparedText;
use limbeck_encoder::Tokenizer;
use limbeck_student::distil::{DistilJob, DistilSettings, Targets};
use limbeck_teacher::embed::{EmbedJob, EmbedSummary, Teacher, run as embed};
use serde_json::{Value, json};

use super::{export_teacher, fetch, text, vocabulary};
use crate::error::{Error, Result};
use crate::pipeline::fingerprint::{stamp, stamp_cache};
use crate::pipeline::{Context, Outputs, PlannedRun, Stage, StageId};
use crate::recipe::{CacheOrigin, Plan};

/// The stage's name.
pub const ID: StageId = StageId::new("embed");

/// Fills two caches: text to learn from, with the vectors of the vocabulary's tokens beside it, and held-out text.
pub struct Embed;

impl Stage for Embed {
    fn id(&self) -> StageId {
        ID
    }

    fn reads(&self, _plan: &Plan) -> Vec<StageId> {
        vec![text::ID, export_teacher::ID, vocabulary::ID]
    }

    fn inputs(&self, plan: &Plan) -> Value {
        let device = plan.recipe.teacher.as_ref().map(|teacher| teacher.device.clone());
        let mut inputs = json!({"cache": plan.recipe.cache, "device": device, "files": stamp_cache(&plan.cache)});
        // The vectors of its tokens lie in the cache, and students read a cache made elsewhere by it.
        if let Some(tokenizer) = &plan.tokenizer {
            inputs["tokenizer"] = stamp(tokenizer);
        }
        inputs
    }

    fn outputs(&self, run: &PlannedRun) -> Outputs {
        let caches = [run.folder.train_cache(), run.folder.held_out_cache()];
        let files = match run.plan.cache {
            CacheOrigin::Teacher(_) => caches.iter().map(|cache| cache.join("cache.json")).collect(),
            CacheOrigin::Elsewhere { .. } => Vec::new(),
        };
        Outputs { files, tracked_folders: caches.into(), cleared: Some(run.folder.cache()), ..Outputs::default() }
    }

    fn resumes(&self) -> Option<&'static str> {
        Some("the finished shards")
    }

    fn run(&self, context: &Context) -> Result<()> {
        if let CacheOrigin::Elsewhere { .. } = context.plan().cache {
            let (cache, _) = open_caches(context)?;
            let (rows, dimension) = (cache.rows(), cache.dimension());
            // Before the tokens are counted rather than after it.
            fetch::check_width(context, dimension)?;
            let note = format!("{ID}: the cache made elsewhere has {rows} vectors of {dimension} dimensions");
            context.monitor.note(&note);
            return Ok(());
        }
        let teacher = export_teacher::open_teacher(context, context.plan().teacher_precision())?;
        let student = vocabulary::student_tokenizer(context)?.map(|path| Tokenizer::from_file(&path)).transpose()?;
        let student = student.as_ref().filter(|student| student.json() != teacher.tokenizer().json());
        let own = context.folder();
        let prepared = context.folder_of(text::ID);
        let parts = [
            ("train", prepared.train_text(), own.train_cache(), true),
            ("held-out", prepared.held_out_text(), own.held_out_cache(), false),
        ];
        for (name, text, to, tokens) in parts {
            let text = PreparedText::open(&text)?;
            let fingerprint = teacher.cache_fingerprint(text.sha256()?)?;
            let spec = CacheSpec::new(teacher.dimension(), context.plan().recipe.cache.storage, fingerprint);
            remove_other_cache(&to, &spec)?;
            let texts = text.batches(SHARD_ROWS)?.map(|batch| batch.map(|batch| batch.texts));
            let job = EmbedJob {
                teacher: &teacher,
                texts: Box::new(texts),
                total: Some(text.rows() as u64),
                folder: &to,
                spec,
                tokens: tokens && student.is_none(),
                student: student.filter(|_| tokens),
            };
            let summary = embed(job, context.monitor)?;
            note(name, &summary, context.monitor);
        }
        Ok(())
    }
}

/// Notes what `limbeck embed` or one part of the stage has written.
pub fn note(name: &str, summary: &EmbedSummary, monitor: Monitor) {
    let EmbedSummary { rows, written, kept, .. } = summary;
    monitor.note(&format!("{ID}: {name}, {rows} sentences; {written} shards written, {kept} kept"));
}

/// Removes a cache of other settings from a run's own folder: the recipe decides what lies there.
fn remove_other_cache(folder: &Path, spec: &CacheSpec) -> Result<()> {
    if !folder.join("cache.json").is_file() {
        return Ok(());
    }
    let is_same = Cache::open(folder)
        .is_ok_and(|cache| cache.fingerprint() == Some(&spec.fingerprint) && cache.storage() == Some(spec.storage));
    if is_same { Ok(()) } else { Ok(remove(folder)?) }
}

/// What a student learns from and is measured on.
pub struct TargetFiles {
    /// The cache to learn from.
    pub cache: Cache,
    /// The cache to measure on; a cache made elsewhere has none, and some of its own texts are held out.
    pub held_out: Option<Cache>,
    /// The student's tokenizer.
    pub tokenizer: Tokenizer,
}

impl TargetFiles {
    /// Opens what the run of `context` learns from.
    ///
    /// # Errors
    /// A cache or tokenizer that is missing or damaged.
    pub fn open(context: &Context) -> Result<Self> {
        let (cache, held_out) = open_caches(context)?;
        let tokenizer = match vocabulary::student_tokenizer(context)?.or_else(|| cache.tokenizer()) {
            Some(path) => Tokenizer::from_file(&path)?,
            None => {
                let problem = format!("{} has no tokenizer.json", cache.path().display());
                return Err(Error::Stage { stage: ID.name(), problem });
            }
        };
        Ok(Self { cache, held_out, tokenizer })
    }

    /// The distillation of a new student that the run's recipe describes.
    pub fn job<'a>(
        &'a self,
        context: &Context<'a>,
        settings: &'a DistilSettings,
        folder: &'a Path,
        stage: &'a str,
    ) -> DistilJob<'a> {
        let section = &context.plan().recipe.student;
        let targets = self.view(section.max_tokens);
        let config = section.config(targets.vocabulary(), targets.dimension());
        let metrics = context.folder().metrics();
        DistilJob { targets, config, settings, student: None, folder, metrics, stage, device: Device::Cpu }
    }

    /// The targets of a student whose longest input is `max_tokens`.
    pub fn view(&self, max_tokens: Option<usize>) -> Targets<'_> {
        Targets { cache: &self.cache, held_out: self.held_out.as_ref(), tokenizer: &self.tokenizer, max_tokens }
    }
}

/// The cache to learn from and the one to measure on.
pub fn open_caches(context: &Context) -> Result<(Cache, Option<Cache>)> {
    match &context.plan().cache {
        CacheOrigin::Elsewhere { path, columns } => Ok((Cache::open_columns(path, columns)?, None)),
        CacheOrigin::Teacher(_) => {
            let folder = context.folder_of(ID);
            let open = |path: PathBuf| Cache::open_columns(&path, &Columns::default());
            Ok((open(folder.train_cache())?, Some(open(folder.held_out_cache())?)))
        }
    }
}
