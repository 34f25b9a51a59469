use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use limbeck_data::assets::Uri;
use limbeck_encoder::Precision;
use limbeck_teacher::onnx;
use limbeck_teacher::{Pooler, TeacherFolder};

use super::common::{Session, precision};
use super::guard::refuse_inputs;

#[derive(Args)]
#[command(
    after_help = "Example:\n  limbeck export-teacher --model ./all-MiniLM-L6-v2 --quantize int8 --to teacher/model.onnx"
)]
pub struct Arguments {
    /// The model's folder or URI
    #[arg(long, value_name = "M")]
    model: Uri,

    /// How tokens are pooled: cls, cls-before-pooler, mean, first-last or last-two; the model's own by default
    #[arg(long, value_name = "POOLER")]
    pooler: Option<Pooler>,

    /// Quantise the weights: int8
    #[arg(long, value_name = "PRECISION", value_parser = onnx_precision)]
    quantize: Option<Precision>,

    /// The ONNX file to write; tokenizer.json is put beside it
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// Parses the precision of an ONNX file.
fn onnx_precision(name: &str) -> Result<Precision, String> {
    precision(name).ok().filter(|found| *found != Precision::F16).ok_or_else(|| "f32 or int8 is expected".into())
}

pub fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<()> {
    let path = session.store()?.locate(&arguments.model, session.monitor())?;
    let folder = TeacherFolder::open(&path)?;
    refuse_inputs(&arguments.to, [folder.weights.path(), &folder.tokenizer, &folder.path.join("config.json")])?;
    let pooler = arguments.pooler.unwrap_or(folder.pooler);
    onnx::export(&folder, pooler, arguments.quantize.unwrap_or_default(), &arguments.to)?;
    let tokenizer = std::fs::read(&folder.tokenizer).with_context(|| folder.tokenizer.display().to_string())?;
    let beside = arguments.to.parent().map(|folder| folder.join("tokenizer.json")).unwrap_or("tokenizer.json".into());
    limbeck_data::files::write_bytes(&beside, &tokenizer)?;
    say!("{}", arguments.to.display());
    Ok(())
}
