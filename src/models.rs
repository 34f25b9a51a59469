//! Opens any model that can encode; the files of a path tell its kind.

use std::path::{Path, PathBuf};

use candle_core::Device;
use limbeck_data::Monitor;
use limbeck_data::assets::{AssetStore, Uri, runtime_uri as member_of_wheel};
use limbeck_data::files;
use limbeck_encoder::{Encoder, Precision, Student, Tokenizer};
use limbeck_student::fold::write_folded;
use limbeck_student::folder::{StudentFolder, files_of, is_student};
use limbeck_student::static_folder::{self, StaticEncoder, StaticFolder};
use limbeck_teacher::{OnnxDevice, OnnxEncoder, OnnxOptions, Pooler, Runtime, TeacherFolder, onnx};

use crate::error::{Error, Result};

/// The ONNX Runtime that is fetched unless another is named.
pub const DEFAULT_RUNTIME: &str = "pypi:onnxruntime==1.32.0";

/// The URI of an ONNX Runtime library; `pypi:onnxruntime==VERSION` stands for the library in that wheel.
pub fn runtime_uri(library: &str) -> Result<Uri> {
    match library.strip_prefix("pypi:onnxruntime==") {
        Some(version) if !version.contains('/') => Ok(member_of_wheel(version)?),
        _ => Ok(library.parse()?),
    }
}

/// candle's device of that name.
///
/// # Errors
/// When the device can't be had. No other device takes its place.
pub fn candle_device(device: OnnxDevice) -> Result<Device> {
    match device {
        OnnxDevice::Cpu => Ok(Device::Cpu),
        OnnxDevice::Cuda(number) => {
            Device::new_cuda(number as usize).map_err(|source| Error::CandleDevice { number, source: Box::new(source) })
        }
    }
}

/// Opens models.
pub struct Opener<'a> {
    /// Fetches models and the ONNX Runtime library.
    pub store: &'a AssetStore,
    /// Shows downloads and exports, and stops them.
    pub monitor: Monitor<'a>,
    /// Threads of a model.
    pub threads: usize,
    /// The ONNX Runtime library for models that need it, as [`runtime_uri`] takes it.
    pub runtime: String,
    /// The device of a teacher.
    pub device: OnnxDevice,
}

/// How a model is to be run; `None` leaves a setting to the model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelOptions {
    /// The precision of a student's folded tables or of a teacher's export.
    pub precision: Option<Precision>,
    /// The precision of a student's folded tables where `precision` is `None`; f32 where both are.
    pub folded: Option<Precision>,
    /// The pooler of a teacher.
    pub pooler: Option<Pooler>,
    /// The text put before every text of a teacher.
    pub prefix: Option<String>,
    /// The longest input of a teacher in tokens.
    pub max_tokens: Option<usize>,
    /// What computes a student.
    pub engine: StudentEngine,
}

/// What computes a student.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum StudentEngine {
    /// Tables: the encoder that a student is made for
    #[default]
    Folded,
    /// The trained graph
    Candle,
}

/// A model, by the files that a path holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelFiles {
    /// A folder of a student.
    Student(PathBuf),
    /// A folded file.
    Folded(PathBuf),
    /// A folder of a static model: Model2Vec's, or `StaticEmbedding` of sentence-transformers.
    Static(PathBuf),
    /// A Hugging Face BERT folder.
    Bert(PathBuf),
    /// An ONNX file and its tokenizer.json.
    Onnx {
        /// The ONNX file.
        file: PathBuf,
        /// Its tokenizer.json.
        tokenizer: PathBuf,
    },
}

const STATIC: &str = "is a static model, where a teacher is needed; `limbeck encode --to vectors.parquet` makes a cache \
                      of its vectors, which cache.path names";

/// Finds the model at `path` by its files.
///
/// # Errors
/// A path without a model, or with several.
pub fn find_model(path: &Path) -> Result<ModelFiles> {
    let no_model = |what: &str| Error::NoModel { path: path.to_path_buf(), what: what.into() };
    if path.is_file() {
        if path.extension().is_some_and(|extension| extension == "onnx") {
            return with_tokenizer(path.to_path_buf(), path.parent().unwrap_or(Path::new(".")));
        }
        return Ok(ModelFiles::Folded(path.to_path_buf()));
    }
    if !path.is_dir() {
        return Err(no_model("there is no such file or folder"));
    }
    if is_student(path) {
        return Ok(ModelFiles::Student(path.to_path_buf()));
    }
    if path.join("student").is_dir() && is_student(&path.join("student")) {
        return Ok(ModelFiles::Student(path.join("student")));
    }
    if static_folder::is_static(path) {
        return Ok(ModelFiles::Static(path.to_path_buf()));
    }
    for (folder, name) in [("", "model.onnx"), ("onnx", "model.onnx")] {
        let file = path.join(folder).join(name);
        if file.is_file() && !path.join("model.safetensors").is_file() {
            return with_tokenizer(file, path);
        }
    }
    if path.join("config.json").is_file() || path.join("modules.json").is_file() {
        return Ok(ModelFiles::Bert(path.to_path_buf()));
    }
    let only: Vec<PathBuf> = std::fs::read_dir(path)
        .map_err(|error| no_model(&format!("cannot be read ({error})")))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "onnx" || extension == "limbeck"))
        .collect();
    match only.as_slice() {
        [file] if file.extension().is_some_and(|extension| extension == "onnx") => with_tokenizer(file.clone(), path),
        [file] => Ok(ModelFiles::Folded(file.clone())),
        [] => Err(no_model("holds no config.json, no ONNX file and no folded file")),
        _ => Err(no_model("holds several models; name one of the files")),
    }
}

/// The tokenizer.json at `path`: the file itself, or the one in that folder.
pub fn tokenizer_file(path: PathBuf) -> PathBuf {
    if path.is_dir() { path.join("tokenizer.json") } else { path }
}

fn with_tokenizer(file: PathBuf, folder: &Path) -> Result<ModelFiles> {
    let places = [file.parent().unwrap_or(folder).join("tokenizer.json"), folder.join("tokenizer.json")];
    match places.into_iter().find(|path| path.is_file()) {
        Some(tokenizer) => Ok(ModelFiles::Onnx { file, tokenizer }),
        None => Err(Error::NoModel { path: file, what: "has no tokenizer.json beside it".into() }),
    }
}

impl Opener<'_> {
    /// Opens the model that `name` (a path or URI) stands for.
    pub fn open(&self, name: &str, options: &ModelOptions) -> Result<Box<dyn Encoder>> {
        let uri: Uri = name.parse()?;
        self.open_path(&self.store.locate(&uri, self.monitor)?, options)
    }

    /// Opens the model at `path`.
    pub fn open_path(&self, path: &Path, options: &ModelOptions) -> Result<Box<dyn Encoder>> {
        let is_candle = options.engine == StudentEngine::Candle;
        match find_model(path)? {
            ModelFiles::Student(folder) if is_candle => {
                if options.precision.is_some_and(|precision| precision != Precision::F32) {
                    return Err(Error::NoModel { path: folder, what: "is computed by candle in f32 only".into() });
                }
                let student = StudentFolder::open(&folder, &Device::Cpu)?;
                Ok(Box::new(limbeck_student::encoder::CandleStudent::new(student)))
            }
            ModelFiles::Student(folder) => {
                let file = self.folded(&folder, options.precision.or(options.folded).unwrap_or(Precision::F32))?;
                Ok(Box::new(Student::load(&file)?.with_threads(self.threads)?))
            }
            ModelFiles::Folded(file) => {
                let student = Student::load(&file)?;
                check_precision(&file, options.precision, student.info().precision)?;
                if is_candle {
                    let what = "is folded already; candle computes a student's folder".into();
                    return Err(Error::NoModel { path: file, what });
                }
                Ok(Box::new(student.with_threads(self.threads)?))
            }
            ModelFiles::Bert(path) | ModelFiles::Onnx { file: path, .. } if is_candle => {
                Err(Error::NoModel { path, what: "is a teacher; candle computes a student's folder".into() })
            }
            ModelFiles::Static(path) if is_candle => {
                Err(Error::NoModel { path, what: "is a static model; candle computes a student's folder".into() })
            }
            ModelFiles::Static(folder) => {
                let file = self.folded_static(&folder, options.precision.unwrap_or(Precision::F32))?;
                Ok(Box::new(StaticEncoder::new(Student::load(&file)?.with_threads(self.threads)?)))
            }
            ModelFiles::Bert(_) | ModelFiles::Onnx { .. } => Ok(Box::new(self.open_teacher(path, options)?)),
        }
    }

    /// Opens a teacher: a BERT folder, which is exported to ONNX first, or an ONNX file.
    pub fn open_teacher(&self, path: &Path, options: &ModelOptions) -> Result<OnnxEncoder> {
        let precision = options.precision;
        let found = find_model(path)?;
        let is_onnx = matches!(found, ModelFiles::Onnx { .. });
        let (file, tokenizer) = match found {
            ModelFiles::Onnx { file, tokenizer } => (file, tokenizer),
            ModelFiles::Bert(folder) => {
                if precision == Some(Precision::F16) {
                    let what = "is a teacher, which runs in f32 or int8; f16 is for a student's tables".into();
                    return Err(Error::NoModel { path: folder, what });
                }
                self.exported(&folder, options, precision.unwrap_or(Precision::F32))?
            }
            ModelFiles::Static(path) => {
                return Err(Error::NoModel { path, what: STATIC.into() });
            }
            ModelFiles::Student(path) | ModelFiles::Folded(path) => {
                return Err(Error::NoModel { path, what: "is a student, where a teacher is needed".into() });
            }
        };
        let options = OnnxOptions {
            device: self.device,
            threads: self.threads,
            pooler: options.pooler,
            max_tokens: options.max_tokens,
            prefix: options.prefix.clone(),
            ..OnnxOptions::default()
        };
        let tokenizer = Tokenizer::from_file(&tokenizer)?;
        let encoder = OnnxEncoder::load(&self.runtime()?, &file, tokenizer, &options)?;
        if is_onnx {
            check_precision(&file, precision, encoder.info().precision)?;
        }
        Ok(encoder)
    }

    /// ONNX Runtime: `ORT_DYLIB_PATH` goes before the asset.
    pub fn runtime(&self) -> Result<Runtime> {
        let uri = runtime_uri(&self.runtime)?;
        let fetch = || self.store.locate(&uri, self.monitor).map(Some);
        Ok(Runtime::find(None, fetch)?)
    }

    /// The ONNX export of a BERT folder and its tokenizer, stored in the user's cache by the hash of all that it
    /// depends on.
    fn exported(&self, folder: &Path, options: &ModelOptions, precision: Precision) -> Result<(PathBuf, PathBuf)> {
        let teacher = TeacherFolder::open(folder)?;
        if let Some(most) = options.max_tokens {
            teacher.check_tokens(most)?;
        }
        let pooler = options.pooler.unwrap_or(teacher.pooler);
        let weights = teacher.weights.sha256()?;
        // The config holds what the weights' shapes don't tell, such as the number of heads.
        let config = serde_json::Value::from(teacher.config_json.clone());
        let (most, prefix) = (teacher.max_tokens, &teacher.prefix);
        let all = format!("{weights} {config} {pooler} {} {most} {prefix} {EXPORT}", precision.name());
        let name = blake3::hash(all.as_bytes());
        let to = self.store.root().join("exports").join(name.to_hex().as_str()).join("model.onnx");
        if !to.is_file() {
            let _bar = self.monitor.stage("exporting the model to ONNX", None, "");
            onnx::export(&teacher, pooler, precision, &to)?;
        }
        Ok((to, teacher.tokenizer))
    }

    /// The folded file of a student's folder.
    fn folded(&self, folder: &Path, precision: Precision) -> Result<PathBuf> {
        self.cached_export(&files_of(folder), precision, |to| {
            let student = StudentFolder::open(folder, &Device::Cpu)?;
            Ok(write_folded(&student, precision, to)?)
        })
    }

    /// The folded file of a static model's folder.
    fn folded_static(&self, folder: &Path, precision: Precision) -> Result<PathBuf> {
        self.cached_export(&static_folder::files_of(folder)?, precision, |to| {
            Ok(static_folder::write_folded(StaticFolder::open(folder)?, precision, to)?)
        })
    }

    /// The folded file that `write` makes from `files`, stored in the user's cache by their hash.
    fn cached_export(
        &self,
        files: &[PathBuf],
        precision: Precision,
        write: impl FnOnce(&Path) -> Result<u64>,
    ) -> Result<PathBuf> {
        let mut parts = String::new();
        for file in files {
            parts += &files::sha256_file(file)?;
        }
        let name = blake3::hash(format!("{parts} {} {EXPORT}", precision.name()).as_bytes());
        let to = self.store.root().join("exports").join(name.to_hex().as_str()).join("student.limbeck");
        if !to.is_file() {
            let beside = to.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(beside).map_err(limbeck_data::Error::io("create the folder", beside))?;
            write(&to)?;
        }
        Ok(to)
    }
}

/// Refuses another precision than that of a file, which is fixed.
fn check_precision(file: &Path, asked: Option<Precision>, found: &str) -> Result<()> {
    match asked {
        Some(asked) if asked.name() != found => {
            let what = format!("is in {found}, and can't be run in {}", asked.name());
            Err(Error::NoModel { path: file.to_path_buf(), what })
        }
        _ => Ok(()),
    }
}

/// Exports of another version of the program are made again.
const EXPORT: &str = concat!("limbeck ", env!("CARGO_PKG_VERSION"));
