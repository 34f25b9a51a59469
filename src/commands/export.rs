//! `limbeck export`: a student in other formats.

use std::path::PathBuf;

use candle_core::Device;
use clap::{Args, ValueEnum};
use limbeck_data::Error as DataError;
use limbeck_data::Monitor;
use limbeck_data::assets::Uri;
use limbeck_data::files::{folder_of, remove_leftovers};
use limbeck_encoder::Precision;
use limbeck_student::export::{
    has_own_modules, refuse_other_kind, write_model2vec, write_onnx, write_onnx_folder, write_sentence_transformers,
};
use limbeck_student::fold::write_folded;
use limbeck_student::folder::StudentFolder;

use super::common::{locate_student, precision, print_path};
use super::overwrite_guard::{refuse_folded_over, refuse_inputs};
use crate::error::{Error, Result};

#[derive(Args)]
#[command(after_help = "Examples:\n  limbeck export --model runs/quickstart/student --format folded --precision int8 \
                  --to student.limbeck\n  \
                  limbeck export --model runs/quickstart/student --format onnx --to student-onnx\n  \
                  limbeck export --model runs/quickstart/student --format sentence-transformers --to student-st")]
pub(super) struct Arguments {
    /// The student's folder or URI
    #[arg(long, value_name = "M")]
    model: Uri,

    /// What to write
    #[arg(long, value_enum)]
    format: Format,

    /// Precision of what is written: f32 (default), f16 (folded, model2vec) or int8 (folded, model2vec, onnx)
    #[arg(long, value_name = "PRECISION", value_parser = precision)]
    precision: Option<Precision>,

    /// The file (folded) or folder to write; for onnx a name that ends in .onnx is the model alone, without its
    /// tokenizer
    #[arg(long, value_name = "PATH")]
    to: PathBuf,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Format {
    /// One memory-mapped file with tokenizer and tables, for the folded encoder
    Folded,
    /// A folder with model.onnx and the tokenizer, for ONNX Runtime, transformers.js and others
    Onnx,
    /// A folder that SentenceTransformer(path) loads; a student with attention heads wants trust_remote_code=True
    SentenceTransformers,
    /// A folder that Model2Vec and sentence-transformers load; only for a static student, of skip alone
    Model2vec,
    /// A folder with config.json, model.safetensors and tokenizer.json
    Safetensors,
}

pub(super) fn run(arguments: &Arguments, monitor: Monitor) -> Result<()> {
    let &Arguments { format, ref to, .. } = arguments;
    let precision = arguments.precision.unwrap_or(Precision::F32);
    let possible: &[Precision] = match format {
        Format::Folded | Format::Model2vec => &Precision::ALL,
        Format::Onnx => &[Precision::F32, Precision::Int8],
        Format::SentenceTransformers | Format::Safetensors => &[Precision::F32],
    };
    if !possible.contains(&precision) {
        let names: Vec<&str> = possible.iter().map(|precision| precision.name()).collect();
        let name = format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let what = format!("--precision {}: --format {name} has {}", precision.name(), names.join(" and "));
        return Err(Error::Usage(what));
    }
    if matches!(format, Format::Folded) {
        refuse_folded_over(to)?;
    }
    let folder = locate_student(&arguments.model, monitor)?;
    let student = StudentFolder::open(&folder, &Device::Cpu)?;
    // An export that was killed may have left hundreds of megabytes there.
    let beside = folder_of(to);
    remove_leftovers(if to.is_dir() { to } else { &beside })?;
    match format {
        Format::Folded => {
            std::fs::create_dir_all(&beside).map_err(DataError::io("create the folder", &beside))?;
            let bytes = write_folded(&student, precision, to)?;
            monitor.note(&format!("{bytes} bytes"));
        }
        Format::Onnx if to.extension().is_some_and(|extension| extension == "onnx") => {
            write_onnx(&student, precision, to)?;
        }
        Format::Onnx => write_onnx_folder(&student, precision, to)?,
        Format::SentenceTransformers => {
            write_sentence_transformers(&student, to)?;
            let card = folder.join("README.md");
            if card.is_file() {
                let text = std::fs::read(&card).map_err(DataError::io("read", &card))?;
                limbeck_data::files::write_bytes(&to.join("README.md"), &text)?;
            }
            if !has_own_modules(&student) {
                let note = "attention heads are no module of sentence-transformers: load this folder with \
                            trust_remote_code=True, which runs its limbeck_student.py";
                monitor.note(note);
            }
        }
        Format::Model2vec => write_model2vec(&student, precision, to)?,
        Format::Safetensors => {
            refuse_inputs(to, [&folder])?;
            refuse_other_kind(to)?;
            student.save(to)?;
        }
    }
    print_path(to)
}
