//! Opens any model that can encode; the files of a path tell its kind.

use std::path::{Path, PathBuf};

use candle_core::Device;
use limbeck_data::Monitor;
use limbeck_data::assets::{AssetStore, Uri, runtime_uri as member_of_wheel};
use limbeck_data::files;
use limbeck_encoder::{Encoder, Precision, Student, Tokenizer};
use limbeck_student::encoder::CandleStudent;
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
    /// The name of the teacher's prompt that is put before every text, where there is no `prefix`.
    pub prompt: Option<String>,
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
    /// A Hugging Face model folder.
    Bert(PathBuf),
    /// An ONNX file and its tokenizer.
    Onnx {
        /// The ONNX file.
        file: PathBuf,
        /// Its tokenizer.json or vocab.txt.
        tokenizer: PathBuf,
    },
}

const STATIC: &str = "is a static model, where a teacher is needed; `limbeck encode --to vectors.parquet` makes a \
                      cache of its vectors, which cache.path names";

/// Finds the model at `path` by its files.
///
/// # Errors
/// A path without a model, or with several.
pub fn find_model(path: &Path) -> Result<ModelFiles> {
    let is_onnx = |path: &Path| path.extension().is_some_and(|extension| extension == "onnx");
    if path.is_file() {
        return match is_onnx(path) {
            true => with_tokenizer(path.to_path_buf(), path.parent().unwrap_or(Path::new("."))),
            false => Ok(ModelFiles::Folded(path.to_path_buf())),
        };
    }
    if !path.is_dir() {
        return Err(no_model(path, "there is no such file or folder"));
    }
    if let Some(folder) = [path.to_path_buf(), path.join("student")].into_iter().find(|folder| is_student(folder)) {
        return Ok(ModelFiles::Student(folder));
    }
    if static_folder::is_static(path) {
        return Ok(ModelFiles::Static(path.to_path_buf()));
    }
    let has_weights =
        ["model.safetensors", "model.safetensors.index.json"].iter().any(|name| path.join(name).is_file());
    let mut exports = ["model.onnx", "onnx/model.onnx"].map(|name| path.join(name)).into_iter();
    if let Some(file) = exports.find(|file| file.is_file() && !has_weights) {
        return with_tokenizer(file, path);
    }
    let is_folded = |path: &Path| path.extension().is_some_and(|extension| extension == "limbeck");
    let files = files_that(path, |path| is_onnx(path) || is_folded(path))?;
    let is_model_folder = || ["config.json", "modules.json"].iter().any(|name| path.join(name).is_file());
    if has_weights || (files.is_empty() && is_model_folder()) {
        return Ok(ModelFiles::Bert(path.to_path_buf()));
    }
    match &files[..] {
        [file] if is_onnx(file) => with_tokenizer(file.clone(), path),
        [file] => Ok(ModelFiles::Folded(file.clone())),
        [] => Err(no_model(path, "holds no config.json, no ONNX file and no folded file")),
        _ => {
            let names: Vec<_> =
                files.iter().filter_map(|file| Some(file.strip_prefix(path).ok()?.to_string_lossy())).collect();
            Err(no_model(path, format!("holds several models; name one of the files {}", names.join(", "))))
        }
    }
}

/// The files right in `folder` and in its folder `onnx` that `wanted` takes, by name.
fn files_that(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for place in [folder.to_path_buf(), folder.join("onnx")].into_iter().filter(|place| place.is_dir()) {
        let entries =
            std::fs::read_dir(&place).map_err(|error| no_model(&place, format!("cannot be read ({error})")))?;
        files.extend(entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| wanted(path)));
    }
    files.sort();
    Ok(files)
}

fn no_model(path: impl Into<PathBuf>, what: impl Into<String>) -> Error {
    Error::NoModel { path: path.into(), what: what.into() }
}

/// The tokenizer's file at `path`: the file itself, or the tokenizer.json or vocab.txt in that folder.
pub fn tokenizer_file(path: PathBuf) -> PathBuf {
    if path.is_dir() { Tokenizer::find(&path).unwrap_or_else(|| path.join("tokenizer.json")) } else { path }
}

fn with_tokenizer(file: PathBuf, folder: &Path) -> Result<ModelFiles> {
    let own = file.parent().unwrap_or(folder);
    // Exporters put ONNX files into a folder of that name, below the tokenizer's.
    let above = own.parent().filter(|_| own.ends_with("onnx")).unwrap_or(own);
    let found = [own, folder, above].into_iter().find_map(Tokenizer::find);
    match found {
        Some(tokenizer) => Ok(ModelFiles::Onnx { file, tokenizer }),
        None => Err(no_model(file, "has no tokenizer.json and no vocab.txt beside it")),
    }
}

impl Opener<'_> {
    /// Opens the model that `name` (a path or URI) stands for.
    pub fn open(&self, name: &str, options: &ModelOptions) -> Result<Box<dyn Encoder>> {
        let path = self.store.locate(&name.parse()?, self.monitor)?;
        self.open_found(&path, find_model(&path)?, options)
    }

    /// Opens what was `found` at `path`.
    fn open_found(&self, path: &Path, found: ModelFiles, options: &ModelOptions) -> Result<Box<dyn Encoder>> {
        if options.engine == StudentEngine::Candle {
            return Ok(Box::new(candle_student(found, options.precision)?));
        }
        let load = |file: &Path| -> Result<Student> { Ok(Student::load(file)?.with_threads(self.threads)?) };
        Ok(match found {
            ModelFiles::Student(folder) => {
                Box::new(load(&self.folded(&folder, options.precision.or(options.folded).unwrap_or(Precision::F32))?)?)
            }
            ModelFiles::Folded(file) => {
                let student = load(&file)?;
                check_precision(&file, options.precision, student.info().precision)?;
                Box::new(student)
            }
            ModelFiles::Static(folder) => {
                let file = self.folded_static(&folder, options.precision.unwrap_or(Precision::F32))?;
                Box::new(StaticEncoder::new(load(&file)?))
            }
            ModelFiles::Bert(_) | ModelFiles::Onnx { .. } => Box::new(self.open_teacher(path, options)?),
        })
    }

    /// As [`Opener::open`], with a hash of all of the model that its vectors depend on.
    ///
    /// # Errors
    /// As [`Opener::open`], and a file that can't be read.
    pub fn open_hashed(&self, name: &str, options: &ModelOptions) -> Result<(Box<dyn Encoder>, String)> {
        let path = self.store.locate(&name.parse()?, self.monitor)?;
        let found = find_model(&path)?;
        let files = match &found {
            ModelFiles::Student(folder) => files_of(folder),
            ModelFiles::Folded(file) => vec![file.clone()],
            ModelFiles::Static(folder) => static_folder::files_of(folder)?.into(),
            ModelFiles::Bert(_) | ModelFiles::Onnx { .. } if options.engine == StudentEngine::Folded => {
                let teacher = self.open_teacher(&path, options)?;
                let fingerprint = teacher.cache_fingerprint(String::new())?;
                return Ok((Box::new(teacher), files::sha256_bytes(format!("{fingerprint:?}").as_bytes())));
            }
            // Candle refuses them.
            ModelFiles::Bert(_) | ModelFiles::Onnx { .. } => Vec::new(),
        };
        let encoder = self.open_found(&path, found, options)?;
        let hashes = files.iter().map(|file| files::sha256_file(file)).collect::<limbeck_data::Result<String>>()?;
        let info = encoder.info();
        let key = format!("{hashes} {} {}", info.engine, info.precision);
        Ok((encoder, files::sha256_bytes(key.as_bytes())))
    }

    /// Opens a teacher: a BERT folder, which is exported to ONNX first, or an ONNX file.
    pub fn open_teacher(&self, path: &Path, options: &ModelOptions) -> Result<OnnxEncoder> {
        let precision = options.precision;
        let found = find_model(path)?;
        let is_onnx = matches!(found, ModelFiles::Onnx { .. });
        let mut prefix = options.prefix.clone();
        let mut prompt = options.prompt.clone();
        // An export does not hold the prompts of the folder that it was made from.
        let mut search = None;
        let (file, tokenizer) = match found {
            ModelFiles::Onnx { file, tokenizer } => (file, Tokenizer::from_file(&tokenizer)?),
            ModelFiles::Bert(folder) if precision == Some(Precision::F16) => {
                let what = "is a teacher, which runs in f32 or int8; f16 is for a student's tables";
                return Err(no_model(folder, what));
            }
            ModelFiles::Bert(folder) => {
                let mut teacher = TeacherFolder::open(&folder)?;
                if let Some(note) = teacher.prompts.unused().filter(|_| prefix.is_none() && prompt.is_none()) {
                    self.monitor.note(&note);
                }
                let tokenizer = teacher.open_tokenizer()?;
                search = Some(teacher.prompts.clone()).filter(|_| prefix.is_none() && prompt.is_none());
                teacher.set_prefix(prefix.as_deref(), prompt.take().as_deref())?;
                prefix = Some(teacher.prefix.clone());
                (self.exported(teacher, options, precision.unwrap_or(Precision::F32))?, tokenizer)
            }
            ModelFiles::Static(path) => return Err(no_model(path, STATIC)),
            ModelFiles::Student(path) | ModelFiles::Folded(path) => {
                return Err(no_model(path, "is a student, where a teacher is needed"));
            }
        };
        let options = OnnxOptions {
            device: self.device,
            threads: self.threads,
            pooler: options.pooler,
            max_tokens: options.max_tokens,
            prefix,
            prompt,
            ..OnnxOptions::default()
        };
        let mut encoder = OnnxEncoder::load(&self.runtime()?, &file, tokenizer, &options)?;
        if let Some(prompts) = search {
            encoder = encoder.with_search_prompts(&prompts)?;
        }
        encoder.notes().iter().for_each(|note| self.monitor.note(note));
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

    /// The ONNX export of a BERT folder, stored in the user's cache by the hash of all that it depends on.
    fn exported(&self, mut teacher: TeacherFolder, options: &ModelOptions, precision: Precision) -> Result<PathBuf> {
        if let Some(most) = options.max_tokens {
            teacher.check_tokens(most)?;
        }
        if let Some(pooler) = options.pooler {
            teacher.set_pooler(pooler);
        }
        let pooling = teacher.head.describe(teacher.pooler);
        let weights = teacher.weights.sha256()?;
        // The config holds what the weights' shapes don't tell, such as the number of heads.
        let config = serde_json::Value::from(teacher.config_json.clone());
        let TeacherFolder { max_tokens: most, prefix, lower_case, .. } = &teacher;
        let key = format!("{weights} {config} {pooling} {} {most} {lower_case} {prefix}", precision.name());
        self.cached_export(&key, "model.onnx", |to| {
            let _bar = self.monitor.stage("exporting the model to ONNX", None, "");
            Ok(onnx::export(&teacher, teacher.pooler, precision, to)?)
        })
    }

    /// The folded file of a student's folder.
    fn folded(&self, folder: &Path, precision: Precision) -> Result<PathBuf> {
        self.cached_export(&key_of(&files_of(folder), precision)?, "student.limbeck", |to| {
            write_folded(&StudentFolder::open(folder, &Device::Cpu)?, precision, to)?;
            Ok(())
        })
    }

    /// The folded file of a static model's folder.
    fn folded_static(&self, folder: &Path, precision: Precision) -> Result<PathBuf> {
        self.cached_export(&key_of(&static_folder::files_of(folder)?, precision)?, "student.limbeck", |to| {
            static_folder::write_folded(StaticFolder::open(folder)?, precision, to)?;
            Ok(())
        })
    }

    /// The export `name` that `write` makes, stored in the user's cache by the hash of `key`: all that it depends on.
    /// Where the cache can't be written, an export that is there serves, and another one goes with the store.
    fn cached_export(&self, key: &str, name: &str, write: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let hash = blake3::hash(format!("{key} {EXPORT}").as_bytes());
        let folder = Path::new("exports").join(hash.to_hex().as_str());
        let cached = self.store.root().map(|root| root.join(&folder).join(name));
        if let Some(cached) = cached.ok().filter(|cached| cached.is_file()) {
            return Ok(cached);
        }
        let to = self.store.folder(&folder, self.monitor)?.join(name);
        if !to.is_file() {
            write(&to)?;
        }
        Ok(to)
    }
}

/// What a folded file depends on: the contents of `files`, and its precision.
fn key_of(files: &[PathBuf], precision: Precision) -> Result<String> {
    let hashes = files.iter().map(|file| files::sha256_file(file)).collect::<limbeck_data::Result<String>>()?;
    Ok(format!("{hashes} {}", precision.name()))
}

/// The student that `found` names, computed by candle.
fn candle_student(found: ModelFiles, precision: Option<Precision>) -> Result<CandleStudent> {
    let (path, what) = match found {
        ModelFiles::Student(folder) if precision.is_none_or(|precision| precision == Precision::F32) => {
            return Ok(CandleStudent::new(StudentFolder::open(&folder, &Device::Cpu)?));
        }
        ModelFiles::Student(folder) => (folder, "is computed by candle in f32 only"),
        ModelFiles::Folded(file) => {
            check_precision(&file, precision, Student::load(&file)?.info().precision)?;
            (file, "is folded already; candle computes a student's folder")
        }
        ModelFiles::Bert(path) | ModelFiles::Onnx { file: path, .. } => {
            (path, "is a teacher; candle computes a student's folder")
        }
        ModelFiles::Static(path) => (path, "is a static model; candle computes a student's folder"),
    };
    Err(no_model(path, what))
}

/// Refuses another precision than that of a file, which is fixed.
fn check_precision(file: &Path, asked: Option<Precision>, found: &str) -> Result<()> {
    match asked {
        Some(asked) if asked.name() != found => {
            Err(no_model(file, format!("is in {found}, and can't be run in {}", asked.name())))
        }
        _ => Ok(()),
    }
}

/// Exports of another version of the program are made again.
const EXPORT: &str = concat!("limbeck ", env!("CARGO_PKG_VERSION"));
