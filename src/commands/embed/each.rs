//! `embed --each`: a file of a teacher's vectors for each file or row group.

use std::path::Path;

use limbeck_data::Monitor;
use limbeck_encoder::Encoder as _;
use limbeck_teacher::OnnxEncoder;
use serde_json::json;

use super::Arguments;
use crate::commands::each_arguments::{check_folders, run_job, settings};
use crate::commands::overwrite_guard::refuse_cache;
use crate::each::{EachJob, RowsWanted};
use crate::error::{Error, Result};

/// Refuses options of a cache.
pub(super) fn check(arguments: &Arguments) -> Result<()> {
    let refused = match arguments {
        Arguments { teacher: None, .. } => "--each is for a teacher on this machine, and not for one behind an API",
        Arguments { student_tokenizer: Some(_), .. } => {
            "--student-tokenizer is for a cache; --each writes the vectors of texts alone"
        }
        _ => return Ok(()),
    };
    Err(Error::Usage(refused.into()))
}

pub(super) fn run(arguments: &Arguments, path: &Path, teacher: &OnnxEncoder, monitor: Monitor) -> Result<()> {
    refuse_cache(&arguments.to, path, &arguments.input)?;
    check_folders(&arguments.input, &arguments.to, &arguments.text, monitor)?;
    let columns = arguments.each.columns(&arguments.text, true);
    let model = json!({"teacher": teacher.cache_fingerprint(String::new())?, "storage": arguments.storage.to_string()});
    let encode = |texts: &[&str]| teacher.encode(texts).map_err(Error::encode(path.display().to_string(), texts.len()));
    let job = EachJob {
        settings: settings(model, &columns),
        input: &arguments.input,
        columns,
        to: &arguments.to,
        shard: arguments.shard,
        rows: RowsWanted::Distinct,
        encode: &encode,
        dimension: teacher.info().dimension,
        kind: arguments.storage,
    };
    run_job(&job, monitor)
}
