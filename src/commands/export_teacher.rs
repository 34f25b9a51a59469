//! `limbeck export-teacher`: the export-teacher stage on a model named on the command line.

use std::path::PathBuf;

use clap::Args;
use limbeck_data::Monitor;
use limbeck_data::assets::Uri;
use limbeck_encoder::Precision;
use limbeck_teacher::{Pooler, TeacherFolder};

use super::common::{locate, precision, print_path};
use super::overwrite_guard::refuse_inputs;
use crate::error::Result;
use crate::pipeline::stages::export_teacher::export_teacher_into;

#[derive(Args)]
#[command(after_help = "Example:\n  limbeck export-teacher --model ./all-MiniLM-L6-v2 --quantize int8 \
                        --to teacher/model.onnx")]
pub(super) struct Arguments {
    /// The model's folder or URI
    #[arg(long, value_name = "M")]
    model: Uri,

    /// How tokens are pooled: cls, cls-before-pooler, mean, first-last, last-two, max, mean-sqrt-len, weighted-mean or
    /// last-token; the model's own by default
    #[arg(long, value_name = "POOLER")]
    pooler: Option<Pooler>,

    /// Quantise the weights: int8
    #[arg(long, value_name = "PRECISION", value_parser = precision)]
    quantize: Option<Precision>,

    /// The ONNX file to write; tokenizer.json is put beside it
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    let mut folder = TeacherFolder::open(&locate(&arguments.model, monitor)?)?;
    refuse_inputs(&arguments.to, [folder.weights.path(), &folder.tokenizer, &folder.path.join("config.json")])?;
    if let Some(pooler) = arguments.pooler {
        folder.set_pooler(pooler);
    }
    let precision = arguments.quantize.unwrap_or(Precision::F32);
    export_teacher_into(&folder, precision, &arguments.to, monitor)?;
    print_path(&arguments.to)
}
