//! `encode --each`: a file of vectors for each file or row group.

use limbeck_data::Monitor;
use limbeck_data::assets::AssetStore;
use serde_json::json;

use super::{Arguments, ModelVectors};
use crate::commands::common::{ModelArguments, Opened};
use crate::commands::each_arguments::{check_folders, run_job, settings};
use crate::each::{EachJob, RowsWanted};
use crate::error::{Error, Result};
use crate::output::Format;

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    let Some(to) = &arguments.to else {
        return Err(Error::Usage("--each writes a file for each input file: name a folder with --to".into()));
    };
    if arguments.format.is_some_and(|format| format != Format::Parquet) {
        return Err(Error::Usage("--each writes Parquet, whose metadata tell what is done; leave --format out".into()));
    }
    if arguments.input.as_os_str() == "-" {
        return Err(Error::Usage("--each reads a folder or a file: name it with --input".into()));
    }
    check_folders(&arguments.input, to, &arguments.text, monitor)?;
    let store = AssetStore::of_user();
    let run = ModelArguments { run: arguments.run.clone(), precision: arguments.compute };
    let opener = run.opener(&store, monitor);
    let (encoder, hash) = opener.open_hashed(&arguments.model, &arguments.options(&run))?;
    let model = Opened { name: arguments.model.clone(), encoder };
    let vectors = ModelVectors::new(arguments, &run, &model)?;
    let columns = arguments.each.columns(&arguments.text, false);
    let model = json!({
        "model": hash, "dimension": vectors.dimension(), "precision": arguments.precision.to_string(),
        "prefix": arguments.prefix,
    });
    let job = EachJob {
        settings: settings(model, &columns),
        input: &arguments.input,
        columns,
        to,
        shard: arguments.shard,
        rows: RowsWanted::All,
        encode: &|texts| vectors.of(texts),
        dimension: vectors.dimension(),
        kind: arguments.precision,
    };
    run_job(&job, monitor)
}
