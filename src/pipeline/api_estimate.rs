//! What a teacher behind an API would be asked for: an estimate that sends nothing.

use std::path::Path;

use limbeck_data::assets::Uri;
use limbeck_data::text::PreparedText;
use limbeck_encoder::Tokenizer;
use limbeck_teacher::api::{API_SHARD_ROWS, ApiEstimate, Spending};
use limbeck_teacher::embed::vocabulary_texts;

use super::context::Context;
use super::stages::{embed, text, vocabulary};
use crate::error::Result;
use crate::models::tokenizer_file;

/// The estimate in lines; none where the plan has no such teacher.
///
/// Text that is prepared already is counted. Other text is prepared in a temporary folder, unless it has to be fetched.
///
/// # Errors
/// Text or a tokenizer that can't be read.
pub(super) fn lines(context: &Context, is_text_ready: bool) -> Result<Vec<String>> {
    let Some(api) = context.plan().api() else { return Ok(Vec::new()) };
    let settings = api.settings();
    let mut estimate = ApiEstimate::default();
    let folder = context.folder_of(text::ID);
    if is_text_ready {
        add_text(&mut estimate, context, [&folder.train_text(), &folder.held_out_text()])?;
    } else if context.plan().text.iter().chain(&context.plan().exclude).all(|uri| matches!(uri, Uri::Path(_))) {
        let room = tempfile::tempdir().map_err(limbeck_data::Error::io("make", Path::new("a temporary folder")))?;
        let [train, held_out] = text::prepare_into(context, room.path())?;
        add_text(&mut estimate, context, [&train, &held_out])?;
    } else {
        let line = "the text has to be fetched before tokens can be estimated: run with --to text first";
        return Ok(vec![line.into()]);
    }
    let mut lines = Vec::new();
    if api.token_vectors && context.plan().from.is_none() {
        match vocabulary_file(context)? {
            Some(path) => estimate.add(&vocabulary_texts(&Tokenizer::from_file(&path)?), &settings),
            None => lines.push("the vectors of the vocabulary's tokens are not counted: it isn't there yet".into()),
        }
    }
    if api.measure {
        lines.push("the teacher's own measurements are not counted".into());
    }
    let spent = Spending::read(&context.folder_of(embed::ID).api_usage(), &settings)?;
    lines.insert(0, estimate.line(&settings, &spent));
    Ok(lines)
}

fn add_text(estimate: &mut ApiEstimate, context: &Context, files: [&Path; 2]) -> Result<()> {
    let settings = context.plan().api().map(|api| api.settings()).unwrap_or_default();
    for file in files {
        for batch in PreparedText::open(file)?.batches(API_SHARD_ROWS)? {
            context.monitor.check()?;
            estimate.add(&batch?.texts, &settings);
        }
    }
    Ok(())
}

/// The tokenizer whose tokens are embedded, where it is on this machine.
fn vocabulary_file(context: &Context) -> Result<Option<std::path::PathBuf>> {
    let path = match (&context.plan().vocabulary, &context.plan().tokenizer) {
        (Some(_), _) => Some(context.folder_of(vocabulary::ID).vocabulary_tokenizer()),
        (None, Some(Uri::Path(path))) => Some(tokenizer_file(path.clone())),
        (None, _) => None,
    };
    Ok(path.filter(|path| path.is_file()))
}
