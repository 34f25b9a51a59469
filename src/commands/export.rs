use std::path::{Path, PathBuf};

use anyhow::Context as _;
use candle_core::Device;
use clap::{Args, ValueEnum};
use limbeck::model::{Kind, kind};
use limbeck_encoder::Precision;
use limbeck_student::fold::write_folded;
use limbeck_student::folder::StudentFolder;

use super::Usage;
use super::common::{Session, precision};

/// Export a student: the folded file, or its weights
#[derive(Args)]
#[command(
    after_help = "Example:\n  limbeck export --model runs/quickstart/student --format folded --precision int8 --to student.limbeck"
)]
pub struct Arguments {
    /// The student's folder or URI
    #[arg(long, value_name = "M")]
    model: String,

    /// What to write
    #[arg(long, value_enum)]
    format: Format,

    /// Precision of the folded tables: f32 or int8
    #[arg(long, value_name = "PRECISION", value_parser = precision)]
    precision: Option<Precision>,

    /// The file (folded) or folder (safetensors) to write
    #[arg(long, value_name = "PATH")]
    to: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// One memory-mapped file with tokenizer and tables, for the folded encoder
    Folded,
    /// A folder with config.json, model.safetensors and tokenizer.json
    Safetensors,
}

pub fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<()> {
    let asset = session.store()?.fetch(&arguments.model.parse()?, None, session.progress)?;
    let student = open_student(&asset.path)?;
    match arguments.format {
        Format::Folded => {
            if let Some(folder) = arguments.to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
            }
            let bytes = write_folded(&student, arguments.precision.unwrap_or(Precision::F32), &arguments.to)?;
            session.progress.note(&format!("{bytes} bytes"));
        }
        Format::Safetensors if arguments.precision.is_some_and(|precision| precision != Precision::F32) => {
            return Err(
                Usage("safetensors are written in f32; --precision int8 goes with --format folded".into()).into()
            );
        }
        Format::Safetensors => student.save(&arguments.to)?,
    }
    say!("{}", arguments.to.display());
    Ok(())
}

fn open_student(path: &Path) -> anyhow::Result<StudentFolder> {
    match kind(path)? {
        Kind::Student(folder) => Ok(StudentFolder::open(&folder, &Device::Cpu)?),
        _ => Err(limbeck::Error::NoModel { path: path.to_path_buf(), what: "is no student's folder".into() }.into()),
    }
}
