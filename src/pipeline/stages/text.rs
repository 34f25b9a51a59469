//! `text`: reads, sifts and splits the recipe's text.

use std::path::{Path, PathBuf};

use limbeck_data::text::{self, DocumentColumns, PreparedText, TextPlan, TextSource, read_collection};
use serde_json::{Value, json};

use super::fetch;
use crate::error::{Error, Result};
use crate::measure::fidelity;
use crate::measure::word_order::another_order;
use crate::pipeline::fingerprint::stamp;
use crate::pipeline::{Context, Outputs, PlannedRun, Stage, StageId};
use crate::recipe::Plan;

/// The stage's name.
pub const ID: StageId = StageId::new("text");

/// Reads, sifts and splits the text. Other stages know it by the content of its files: a source that was touched, or
/// edited in a place from which nothing is taken, gives the same sentences, and then no later stage runs again.
pub struct Text;

impl Stage for Text {
    fn id(&self) -> StageId {
        ID
    }

    fn is_planned(&self, plan: &Plan) -> bool {
        plan.embeds_text()
    }

    fn reads(&self, _plan: &Plan) -> Vec<StageId> {
        vec![fetch::ID]
    }

    fn inputs(&self, plan: &Plan) -> Value {
        let files: Vec<_> = plan.text.iter().chain(&plan.exclude).map(stamp).collect();
        json!({"text": plan.recipe.text, "files": files})
    }

    fn outputs(&self, run: &PlannedRun) -> Outputs {
        let section = &run.plan.recipe.text;
        let mut files = vec![run.folder.train_text(), run.folder.held_out_text()];
        files.extend(section.has_collection().then(|| run.folder.collection()));
        files.extend((section.own_queries > 0).then(|| run.folder.own_queries()));
        // Only labelled text leaves documents.
        let documents = Some(run.folder.documents()).filter(|path| path.exists());
        let hashed_files = files.iter().cloned().chain(documents).collect();
        Outputs { files, hashed_files, ..Outputs::default() }
    }

    fn run(&self, context: &Context) -> Result<()> {
        prepare_into(context, &context.folder().text())?;
        check_held_out(context)
    }
}

/// Prepares the text in `folder`; returns the files to train on and to measure on.
pub fn prepare_into(context: &Context, folder: &Path) -> Result<[PathBuf; 2]> {
    let section = &context.plan().recipe.text;
    let augment = |text: &str| another_order(text, section.reordered, section.seed);
    let mut summary = text::prepare_augmented(&text_plan(context)?, folder, &augment, context.monitor)?;
    context.monitor.note(&format!("text: {summary}"));
    for (counts, source) in summary.sources.iter_mut().zip(&section.source) {
        // As the recipe names it, not where it lies.
        counts.path = source.uri.clone().into();
    }
    summary.source_notes().for_each(|note| context.monitor.note(&format!("{ID}: {note}")));
    Ok([folder.join(text::TRAIN_FILE), folder.join(text::HELD_OUT_FILE)])
}

fn text_plan(context: &Context) -> Result<TextPlan> {
    let plan = context.plan();
    let section = &plan.recipe.text;
    let mut sources = Vec::with_capacity(section.source.len());
    for (source, uri) in section.source.iter().zip(&plan.text) {
        sources.push(TextSource {
            path: context.asset(uri, source.sha256.as_deref())?,
            column: source.column.clone(),
            encoding: source.encoding.clone(),
            unit: source.unit,
            split: source.split,
            collection: source.collection(),
            label: source.label,
            limit: source.limit,
        });
    }
    Ok(TextPlan {
        sources,
        exclude: plan.exclude.iter().map(|uri| context.asset(uri, None)).collect::<Result<_>>()?,
        limit: section.limit,
        seed: section.seed,
        min_chars: section.min_chars,
        max_chars: section.max_chars,
        hold_out: section.hold_out,
        own_queries: section.own_queries,
    })
}

/// Refuses too few held-out texts to measure on, before the embedding rather than after it.
fn check_held_out(context: &Context) -> Result<()> {
    let held_out = PreparedText::open(&context.folder().held_out_text())?.rows();
    let section = &context.plan().recipe.text;
    if held_out < fidelity::FEWEST && section.has_collection() {
        let (share, least) = (section.hold_out, fidelity::FEWEST);
        return Err(Error::Recipe {
            path: context.plan().recipe.name.clone().into(),
            what: format!("text.hold_out = {share} holds out {held_out} texts of so few documents, {least} are needed"),
            hint: Some("raise it: text.hold_out = 0.2 measures on a fifth of the documents".into()),
        });
    }
    if held_out < fidelity::FEWEST {
        let what = "sentences that text.hold_out holds out to measure by".into();
        return Err(Error::TooFew { what, found: held_out, needed: fidelity::FEWEST });
    }
    fidelity::note_few("text", held_out, context.monitor);
    Ok(())
}

/// The documents of a run's collection, which lies at `path`, with their titles before them.
pub fn whole_documents(
    path: &Path,
) -> limbeck_data::Result<impl Iterator<Item = limbeck_data::Result<String>> + use<>> {
    let documents = read_collection(path, &DocumentColumns::default(), None)?;
    Ok(documents.map(|document| Ok(document?.whole().into_owned())))
}

/// The prepared text to train on.
pub fn prepared_text(context: &Context) -> Result<PreparedText> {
    Ok(PreparedText::open(&context.folder_of(ID).train_text())?)
}

/// At most `limit` of those texts, the first.
pub fn prepared_texts(context: &Context, limit: usize) -> Result<Vec<String>> {
    let text = prepared_text(context)?;
    Ok(text.read(0, limit.min(text.rows()))?.texts)
}
