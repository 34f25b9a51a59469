//! `embed`: fills the embedding caches with the teacher's vectors.

use std::path::{Path, PathBuf};

use candle_core::Device;
use limbeck_data::Monitor;
use limbeck_data::cache::{Cache, CacheSpec, Columns, Fingerprint, GoneTexts, SHARD_ROWS, change_text};
use limbeck_data::files::remove;
use limbeck_data::text::PreparedText;
use limbeck_encoder::Tokenizer;
use limbeck_student::distil::{self, DistilJob, DistilSettings, Targets};
use limbeck_student::folder::StudentFolder;
use limbeck_student::model::TextCnn;
use limbeck_teacher::api::ApiTeacher;
use limbeck_teacher::embed::{CutTexts, EmbedJob, EmbedSummary, TextSources, run as embed};
use serde_json::{Value, json};

use super::{export_teacher, fetch, text, train_teacher, vocabulary};
use crate::cache_teacher::CacheTeacher;
use crate::error::{Error, Result};
use crate::pipeline::fingerprint::{stamp, stamp_cache};
use crate::pipeline::given_student::{GivenStudent, given_student, static_start};
use crate::pipeline::text_sources::{described, sources_of};
use crate::pipeline::token_vectors::TokenVectors;
use crate::pipeline::{Context, Outputs, PlannedRun, Stage, StageId};
use crate::recipe::{CacheOrigin, Plan};
use crate::summary::format::thousands;

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
        if let Some(start) = static_start(plan) {
            inputs["static_start"] = start;
        }
        let roles: Vec<_> = plan.recipe.text.source.iter().map(|source| &source.role).collect();
        if roles.iter().any(|role| role.is_some()) {
            inputs["roles"] = json!(roles);
        }
        if let Some(api) = plan.api() {
            inputs["api"] = json!([api.identity(), api.token_vectors]);
        }
        inputs
    }

    fn outputs(&self, run: &PlannedRun) -> Outputs {
        let caches = [run.folder.train_cache(), run.folder.held_out_cache()];
        let files = match run.plan.cache {
            CacheOrigin::Teacher(_) | CacheOrigin::Api => caches.iter().map(|cache| cache.join("cache.json")).collect(),
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
        let teacher = open_teacher(context)?;
        let student = vocabulary::student_tokenizer(context)?.map(|path| Tokenizer::from_file(&path)).transpose()?;
        let tokens = TokenVectors::of(context, teacher.tokenizer(), student.as_ref())?;
        let sources = sources_of(context, |role| prompt_of(context, &teacher, role))?;
        let prompts = described(context, &sources);
        let own = context.folder();
        let prepared = context.folder_of(text::ID);
        let parts = [
            ("train", prepared.train_text(), own.train_cache(), tokens),
            ("held-out", prepared.held_out_text(), own.held_out_cache(), TokenVectors::default()),
        ];
        for (name, text, to, tokens) in parts {
            let text = PreparedText::open(&text)?;
            let sources = TextSources { sources: sources.clone(), of_text: text.sources()?.unwrap_or_default() };
            let mut spec = teacher.spec(text.sha256()?, context.plan().recipe.cache.storage)?;
            if let Some(prompts) = &prompts {
                spec.fingerprint.prefix.clone_from(prompts);
            }
            let is_grown = keep_or_remove(&to, &spec, &sources, &text, context.monitor)?;
            let texts = text.batches(SHARD_ROWS)?.map(|batch| batch.map(|batch| batch.texts));
            let job = EmbedJob {
                teacher: teacher.for_job(),
                texts: Box::new(texts),
                sources: sources.clone(),
                total: Some(text.rows() as u64),
                folder: &to,
                spec,
                tokens: tokens.of_teacher,
                student: tokens.of_student,
            };
            let summary = embed(job, context.monitor)?;
            note(name, &summary, &sources, context.monitor);
            if is_grown {
                note_new_texts(name, &summary, context.monitor);
            }
        }
        Ok(())
    }
}

/// The teacher that fills the caches. An API is asked for one vector here, before the embedding rather than in it.
fn open_teacher(context: &Context) -> Result<CacheTeacher> {
    if context.plan().api().is_none() {
        let teacher = export_teacher::open_teacher(context, context.plan().teacher_precision())?;
        if !export_teacher::is_foreign(context) {
            teacher.notes().iter().for_each(|note| context.monitor.note(&format!("{ID}: {note}")));
        }
        return Ok(CacheTeacher::Onnx(Box::new(teacher)));
    }
    let teacher = CacheTeacher::Api(Box::new(open_api(context)?));
    fetch::check_width(context, teacher.dimension())?;
    Ok(teacher)
}

/// The teacher's prompt of the role that a source of text has.
fn prompt_of(context: &Context, teacher: &CacheTeacher, role: &str) -> Result<String> {
    match teacher {
        CacheTeacher::Onnx(teacher) if export_teacher::is_foreign(context) => Ok(teacher.prompts().of_role(role)?),
        _ => Ok(train_teacher::teacher_of(context)?.prompts.of_role(role)?),
    }
}

/// Opens the teacher behind an API; what it takes counts with all that the run has taken before.
pub fn open_api(context: &Context) -> Result<ApiTeacher> {
    let missing = || Error::Stage { stage: ID.name(), problem: "the recipe has no teacher behind an API".into() };
    let settings = context.plan().api().ok_or_else(missing)?.settings();
    Ok(ApiTeacher::open(settings, Some(&context.folder_of(ID).api_usage()), context.monitor)?)
}

/// Notes what `limbeck embed` or one part of the stage has written, and how many texts of each source the teacher cut.
pub fn note(name: &str, summary: &EmbedSummary, sources: &TextSources, monitor: Monitor) {
    let EmbedSummary { rows, written, kept, cut, .. } = summary;
    let unit = if *rows == 1 { "sentence" } else { "sentences" };
    monitor.note(&format!("{ID}: {name}, {rows} {unit}; {written} shards written, {kept} kept"));
    for (place, cut) in cut.iter().enumerate().filter(|(_, cut)| cut.cut > 0) {
        let source = sources.sources.get(place).filter(|_| sources.sources.len() > 1);
        let source = source.map(|source| format!("{}: ", source.name)).unwrap_or_default();
        monitor.note(&format!("{ID}: {name}, {source}{}", cut_line(cut)));
    }
}

/// What is said of texts that are longer than the teacher takes.
fn cut_line(cut: &CutTexts) -> String {
    let (tokens, all) = (thousands(cut.max_tokens as f64), thousands(cut.of as f64));
    match cut.cut == cut.of {
        true => format!(
            "all {all} texts are longer than the teacher's {tokens} tokens and were cut: split them into sentences \
             (split = true, or the unit `sentence` of a collection), or raise max_tokens where the model has more \
             positions"
        ),
        false => {
            let some = thousands(cut.cut as f64);
            format!("{some} of {all} texts are longer than the teacher's {tokens} tokens and were cut")
        }
    }
}

/// Makes ready what lies in a run's own cache folder; whether it is a cache of another text by the same teacher, whose
/// vectors are then kept. A cache of other settings is removed: the recipe decides what lies there.
fn keep_or_remove(
    folder: &Path,
    spec: &CacheSpec,
    sources: &TextSources,
    text: &PreparedText,
    monitor: Monitor,
) -> Result<bool> {
    if !folder.join("cache.json").is_file() {
        return Ok(false);
    }
    let Ok(cache) = Cache::open(folder) else {
        remove(folder)?;
        return Ok(false);
    };
    if cache.fingerprint() == Some(&spec.fingerprint) && cache.storage() == Some(spec.storage) {
        return Ok(false);
    }
    let with_new_text =
        |fingerprint: &Fingerprint| Fingerprint { text: spec.fingerprint.text.clone(), ..fingerprint.clone() };
    let is_of_other_text = cache.fingerprint().map(with_new_text).as_ref() == Some(&spec.fingerprint);
    // A cache doesn't say of which source a text is, and so not which of several prompts stood before it.
    let has_one_prompt = sources.sources.windows(2).all(|pair| pair[0].prefix == pair[1].prefix);
    if is_of_other_text && !has_one_prompt {
        monitor.note(&format!("{ID}: {} is made anew: its sources have several prompts", folder.display()));
    } else if is_of_other_text {
        let texts = text.batches(SHARD_ROWS)?.map(|batch| batch.map(|batch| batch.texts));
        if change_text(folder, spec, texts, GoneTexts::Drop, monitor)? {
            return Ok(true);
        }
    }
    remove(folder)?;
    Ok(false)
}

/// Notes how many of the texts of a cache whose text has changed went through the teacher.
pub fn note_new_texts(name: &str, summary: &EmbedSummary, monitor: Monitor) {
    let [new, all, kept] =
        [summary.embedded, summary.rows, summary.rows - summary.embedded].map(|count| thousands(count as f64));
    monitor.note(&format!("{ID}: {name}, {new} of {all} texts are new; {kept} vectors kept"));
}

/// What a student learns from and is measured on.
pub struct TargetFiles {
    /// The cache to learn from.
    pub cache: Cache,
    /// The cache to measure on; a cache made elsewhere has none, and some of its own texts are held out.
    pub held_out: Option<Cache>,
    /// The student's tokenizer.
    pub tokenizer: Tokenizer,
    /// The whole documents, where the recipe has them come more than once in a pass.
    pub documents: Option<distil::Documents>,
    /// The student to go on from, where the recipe names one.
    pub given: Option<(GivenStudent, TextCnn)>,
}

impl TargetFiles {
    /// Opens what the run of `context` learns from.
    ///
    /// # Errors
    /// A cache or tokenizer that is missing or damaged.
    pub fn open(context: &Context) -> Result<Self> {
        let (cache, held_out) = open_caches(context)?;
        let documents = whole_documents(context)?;
        if let Some((given, student)) = given_student(context)? {
            let StudentFolder { model, tokenizer, .. } = student;
            return Ok(Self { cache, held_out, tokenizer, documents, given: Some((given, model)) });
        }
        let tokenizer = match vocabulary::student_tokenizer(context)?.or_else(|| cache.tokenizer()) {
            Some(path) => Tokenizer::from_file(&path)?,
            None => {
                let problem = format!("{} has no tokenizer.json", cache.path().display());
                return Err(Error::Stage { stage: ID.name(), problem });
            }
        };
        Ok(Self { cache, held_out, tokenizer, documents, given: None })
    }

    /// The distillation that the run's recipe describes, of a new student or of the one to go on from.
    pub fn job<'a>(
        &'a self,
        context: &Context<'a>,
        settings: &'a DistilSettings,
        folder: &'a Path,
        stage: &'a str,
    ) -> DistilJob<'a> {
        let section = &context.plan().recipe.student;
        let student = self.given.as_ref().map(|(_, student)| student);
        let targets = self.view(student.map_or(section.max_tokens, |student| student.config.max_tokens));
        let config = match student {
            Some(student) => student.config.clone(),
            None => section.config(targets.vocabulary(), targets.dimension()),
        };
        let metrics = context.folder().metrics();
        let documents = self.documents.as_ref();
        DistilJob { targets, documents, config, settings, student, folder, metrics, stage, device: Device::Cpu }
    }

    /// The targets of a student whose longest input is `max_tokens`.
    pub fn view(&self, max_tokens: Option<usize>) -> Targets<'_> {
        Targets { cache: &self.cache, held_out: self.held_out.as_ref(), tokenizer: &self.tokenizer, max_tokens }
    }
}

/// The documents of the run's collections, where they come more than once in a pass.
fn whole_documents(context: &Context) -> Result<Option<distil::Documents>> {
    if context.plan().recipe.distil.documents == 1 {
        return Ok(None);
    }
    let documents = text::whole_documents(&context.folder_of(text::ID).collection())?;
    Ok(Some(documents.collect::<limbeck_data::Result<_>>()?))
}

/// The cache to learn from and the one to measure on.
pub fn open_caches(context: &Context) -> Result<(Cache, Option<Cache>)> {
    match &context.plan().cache {
        CacheOrigin::Elsewhere { path, columns } => Ok((Cache::open_columns(path, columns)?, None)),
        CacheOrigin::Teacher(_) | CacheOrigin::Api => {
            let folder = context.folder_of(ID);
            let open = |path: PathBuf| Cache::open_columns(&path, &Columns::default());
            Ok((open(folder.train_cache())?, Some(open(folder.held_out_cache())?)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_the_teacher_cut_are_told_with_their_number() {
        let cut = CutTexts { cut: 1_204, of: 337_000, max_tokens: 128 };
        assert_eq!(cut_line(&cut), "1,204 of 337,000 texts are longer than the teacher's 128 tokens and were cut");
    }

    #[test]
    fn a_collection_of_which_every_text_was_cut_gets_advice() {
        let line = cut_line(&CutTexts { cut: 5_000, of: 5_000, max_tokens: 128 });
        assert!(line.starts_with("all 5,000 texts are longer than the teacher's 128 tokens and were cut: "), "{line}");
        assert!(line.contains("split = true"), "{line}");
    }
}
