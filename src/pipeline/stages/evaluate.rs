//! `evaluate`: the quality of the run's models, side by side.

use std::path::PathBuf;

use limbeck_data::files;
use limbeck_encoder::{Embeddings, Precision, Student};
use limbeck_teacher::OnnxEncoder;
use serde_json::{Value, json};

use super::{baselines, embed, export_student, export_teacher, lexical, text, train_teacher};
use crate::error::Result;
use crate::measure::evaluation::{Candidate, EvaluationData, TeacherFigures, measure_teacher};
use crate::measure::fidelity::Reference;
use crate::measure::linear_probe::TopicCorpus;
use crate::measure::retrieval::unjudged::{UnjudgedQueries, UnjudgedSet};
use crate::measure::sts::read_sets;
use crate::measure::tasks::{TaskPaths, TaskSets};
use crate::measure::{evaluation, word_order};
use crate::pipeline::fingerprint::{stamp_contents, stamp_path};
use crate::pipeline::{Context, Outputs, PlannedRun, Stage, StageId};
use crate::recipe::Plan;
use crate::summary::ModelRole;

/// The stage's name.
pub const ID: StageId = StageId::new("evaluate");

const NOT_MEASURED: &str = "evaluate: the teacher behind the API is left out, since measuring it costs tokens; \
                            teacher.api.measure = true measures it";

/// Measures the quality of every model. Figures of the teacher are stored beside it: recipes over one base, and a
/// student trained again, share a teacher, which is slow.
pub struct Evaluate;

impl Stage for Evaluate {
    fn id(&self) -> StageId {
        ID
    }

    fn is_shared(&self, _plan: &Plan) -> bool {
        false
    }

    fn reads(&self, _plan: &Plan) -> Vec<StageId> {
        vec![export_teacher::ID, embed::ID, export_student::ID]
    }

    fn inputs(&self, plan: &Plan) -> Value {
        let evaluate = &plan.recipe.evaluate;
        let mut inputs = json!({"evaluate": evaluate, "files": stamp_contents(&evaluate.sts)});
        if evaluate.task_folders().next().is_some() {
            inputs["folders"] = evaluate.task_folders().map(|folder| stamp_path(folder)).collect();
        }
        if let Some(queries) = &evaluate.queries {
            inputs["queries"] = stamp_contents(std::slice::from_ref(queries)).into();
        }
        if let Some(api) = plan.api() {
            inputs["measures_api"] = json!(api.measure);
        }
        inputs
    }

    fn outputs(&self, run: &PlannedRun) -> Outputs {
        Outputs::files([run.folder.evaluation(), run.folder.held_out_figures()])
    }

    fn resumes(&self) -> Option<&'static str> {
        Some("the figures of a teacher already measured")
    }

    fn run(&self, context: &Context) -> Result<()> {
        for set in &context.plan().missing_sets {
            context.monitor.note(&format!("evaluate: {} is not here, and not measured", set.display()));
        }
        let mut candidates = candidates(context)?;
        match context.plan().api().map(|api| api.measure) {
            Some(true) => {
                candidates.insert(0, Candidate::new("teacher", ModelRole::Teacher, embed::open_api(context)?))
            }
            Some(false) => context.monitor.note(NOT_MEASURED),
            None => {}
        }
        let data = evaluation_data(context, &candidates)?;
        let stored_or_measured = |teacher: &Candidate| {
            let measure = || measure_teacher(teacher, &data, context.monitor);
            TeacherFigures::read_or_measure(&teacher_figures(context, &teacher.name), measure)
        };
        let evaluation = evaluation::evaluate(&candidates, &data, stored_or_measured, context.monitor)?;
        let own = context.folder();
        files::write_json(&own.held_out_figures(), &json!(evaluation.held_out))?;
        Ok(files::write_json(&own.evaluation(), &json!(evaluation.rows))?)
    }

    fn clear(&self, context: &Context) -> Result<()> {
        Ok(files::remove(&context.folder_of(export_teacher::ID).measured())?)
    }
}

/// All models that run on this machine: the teacher (and its int8 export, where that fills the cache), the student in
/// both precisions, the static students, and the students with a lexical half.
pub fn candidates(context: &Context) -> Result<Vec<Candidate>> {
    let (plan, own) = (context.plan(), context.folder());
    let teacher = context.folder_of(export_teacher::ID);
    let open_teacher = |precision| for_search(context, export_teacher::open_teacher(context, precision)?);
    let mut all = Vec::new();
    if plan.teacher().is_some() {
        all.push(Candidate::new("teacher", ModelRole::Teacher, open_teacher(Precision::F32)?));
        if plan.recipe.train_teacher.is_some() {
            let file = teacher.untrained_teacher_onnx();
            let untrained = for_search(context, export_teacher::open_onnx(context, &file)?)?;
            all.push(Candidate::new("teacher, untrained", ModelRole::Baseline, untrained));
        }
        if has_both_precisions(context) {
            all.push(Candidate::new("teacher int8", ModelRole::Teacher, open_teacher(Precision::Int8)?));
        }
    }
    let open = |name, precision| -> Result<Student> {
        Ok(Student::load(own.folded(name, precision))?.with_threads(plan.threads)?)
    };
    all.push(Candidate::new("student", ModelRole::Student, open("student", Precision::F32)?));
    all.push(Candidate::new("student int8", ModelRole::Student, open("student", Precision::Int8)?));
    for baseline in baselines::of(plan) {
        all.push(Candidate::new(baseline.shown, ModelRole::Baseline, open(baseline.name, Precision::F32)?));
    }
    for student in lexical::of(plan) {
        all.push(Candidate::new(student.shown, student.role, open(student.name, Precision::F32)?));
    }
    Ok(all)
}

/// The teacher with its prompts for queries and documents, which its export does not hold, before the texts of a
/// search. A prefix that the recipe gives stays before both.
fn for_search(context: &Context, teacher: OnnxEncoder) -> Result<OnnxEncoder> {
    if context.plan().recipe.teacher.as_ref().is_some_and(|section| section.prefix.is_some()) {
        return Ok(teacher);
    }
    let prompts = match export_teacher::is_foreign(context) {
        true => teacher.prompts().clone(),
        false => train_teacher::teacher_of(context)?.prompts,
    };
    Ok(teacher.with_search_prompts(&prompts)?)
}

fn evaluation_data(context: &Context, candidates: &[Candidate]) -> Result<EvaluationData> {
    let recipe = &context.plan().recipe;
    let files = embed::TargetFiles::open(context)?;
    let held_out = files.view(None).held_out()?;
    let documents = context.folder_of(text::ID).documents();
    let is_labelled = recipe.text.source.iter().any(|source| source.label) && documents.is_file();
    Ok(EvaluationData {
        sets: read_sets(&context.sets(&recipe.evaluate.sts)?, &recipe.evaluate.columns)?,
        tasks: TaskSets::open(&task_paths(context)?, context.monitor)?,
        pairs: reordered_pairs(context, &held_out.texts)?,
        teacher: Reference::new(Embeddings::new(held_out.vectors, held_out.dimension))?,
        held_out: held_out.texts,
        unjudged: unjudged_set(context, candidates)?,
        target_precision: target_precision(context),
        topics: is_labelled.then(|| TopicCorpus::read(&documents, recipe.evaluate.topic_documents)).transpose()?,
    })
}

/// Whether the run measures the teacher in both precisions: the one that fills the cache beside the f32 one.
fn has_both_precisions(context: &Context) -> bool {
    context.plan().teacher_precision() == Precision::Int8 && !export_teacher::is_foreign(context)
}

/// The precision of the teacher that made the targets, where the run has the teacher in both.
fn target_precision(context: &Context) -> Option<Precision> {
    has_both_precisions(context).then_some(Precision::Int8)
}

fn task_paths(context: &Context) -> Result<TaskPaths> {
    let section = &context.plan().recipe.evaluate;
    Ok(TaskPaths {
        retrieval: context.sets(&section.retrieval)?,
        classification: context.sets(&section.classification)?,
        clustering: context.sets(&section.clustering)?,
    })
}

/// The text's own collection, with the queries that the recipe names or its documents gave; `None` where the text is no
/// collection, has no queries, or no teacher is measured.
fn unjudged_set(context: &Context, candidates: &[Candidate]) -> Result<Option<UnjudgedSet>> {
    let (plan, text) = (context.plan(), context.folder_of(text::ID));
    let queries = match &plan.recipe.evaluate.queries {
        _ if !plan.recipe.text.has_collection() => return Ok(None),
        Some(file) => UnjudgedQueries::read(file)?,
        None if plan.recipe.text.own_queries > 0 => UnjudgedQueries::read_own(&text.own_queries())?,
        None => return Ok(None),
    };
    let precision = target_precision(context);
    let Some(teacher) = candidates.iter().find(|candidate| candidate.made_targets(precision)) else { return Ok(None) };
    if queries.texts.is_empty() {
        context.monitor.note("evaluate: search in the collection is left out, since no document gave a query");
        return Ok(None);
    }
    let (cache, held_out) = embed::open_caches(context)?;
    let caches: Vec<_> = [cache].into_iter().chain(held_out).collect();
    let set = UnjudgedSet::new(text.collection(), queries, &teacher.model(), &caches, context.monitor)?;
    Ok(Some(set))
}

/// The pairs that word order is measured on, which `limbeck evaluate --word-order` reads too.
fn reordered_pairs(context: &Context, held_out: &[String]) -> Result<Vec<word_order::ReorderedPair>> {
    let settings = &context.plan().recipe.evaluate;
    let has_teacher = context.plan().teacher().is_some() || context.plan().api().is_some_and(|api| api.measure);
    if !settings.word_order || !has_teacher {
        return Ok(Vec::new());
    }
    let sentences: Vec<&str> = held_out.iter().take(settings.word_order_sentences).map(String::as_str).collect();
    let pairs = word_order::pairs(&sentences, 1);
    if !word_order::has_enough_pairs(&pairs) {
        let note = "evaluate: word order is left out, since too few held-out sentences have five words or more";
        context.monitor.note(note);
        return Ok(Vec::new());
    }
    word_order::write(&context.folder().word_order(), &pairs)?;
    Ok(pairs)
}

/// Where the figures of the teacher `name` are stored: under a name made from all that they depend on.
fn teacher_figures(context: &Context, name: &str) -> PathBuf {
    let identity = context.plan().api().map(|api| api.identity().to_string());
    let key = json!([
        env!("CARGO_PKG_VERSION"),
        name,
        identity.as_deref().unwrap_or(context.fingerprint_of(export_teacher::ID)),
        // The held-out vectors, which don't depend on a student's vocabulary.
        context.fingerprint_of(text::ID),
        context.plan().recipe.cache,
        Evaluate.inputs(context.plan()),
    ]);
    let key = blake3::hash(key.to_string().as_bytes()).to_hex();
    context.folder_of(export_teacher::ID).measured().join(format!("{}.json", &key[..16]))
}
