//! Opening whatever can encode: what it is, is read from its files.

use std::path::{Path, PathBuf};

use candle_core::Device;
use limbeck_data::Monitor;
use limbeck_data::assets::{AssetStore, Uri, runtime_uri as member_of_wheel};
use limbeck_data::files;
use limbeck_encoder::{Encoder, Precision, Student, Tokenizer};
use limbeck_student::fold::write_folded;
use limbeck_student::folder::{StudentFolder, files_of, is_student};
use limbeck_student::static_folder::{self, StaticEncoder, StaticFolder};
use limbeck_teacher::onnx;
use limbeck_teacher::{OnnxDevice, OnnxEncoder, OnnxOptions, Pooler, Runtime, TeacherFolder};

use crate::error::{Error, Result};

/// The ONNX Runtime that is fetched where nothing else is named.
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
/// When it can't be had; never another one in its place.
pub fn candle_device(device: OnnxDevice) -> Result<Device> {
    match device {
        OnnxDevice::Cpu => Ok(Device::Cpu),
        OnnxDevice::Cuda(number) => {
            Device::new_cuda(number as usize).map_err(|source| Error::CandleDevice { number, source: Box::new(source) })
        }
    }
}

/// What opening a model takes.
pub struct Opener<'a> {
    pub store: &'a AssetStore,
    pub monitor: Monitor<'a>,
    pub threads: usize,
    /// Where ONNX Runtime comes from, should the model need it: what [`runtime_uri`] takes.
    pub runtime: String,
    pub device: OnnxDevice,
}

/// How a model is to be run; what isn't given, the model says itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// The precision of a student's folded tables or of a teacher's export.
    pub precision: Option<Precision>,
    /// The precision of a student's folded tables where `precision` says nothing; f32 where neither does.
    pub folded: Option<Precision>,
    pub pooler: Option<Pooler>,
    pub prefix: Option<String>,
    pub max_tokens: Option<usize>,
    /// Whether candle computes a student instead of the folded encoder.
    pub candle: bool,
}

/// What a path holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A folder of a student.
    Student(PathBuf),
    /// A folded file.
    Folded(PathBuf),
    /// A folder of a static model: Model2Vec's, or `StaticEmbedding` of sentence-transformers.
    Static(PathBuf),
    /// A Hugging Face BERT folder.
    Bert(PathBuf),
    /// An ONNX file and its tokenizer.json.
    Onnx { file: PathBuf, tokenizer: PathBuf },
}

const STATIC: &str = "is a static model, where a teacher is needed; `limbeck encode --to vectors.parquet` makes a cache of its vectors, \
                      which cache.path names";

/// Says what `path` is by looking at its files.
pub fn kind(path: &Path) -> Result<Kind> {
    let no_model = |what: &str| Error::NoModel { path: path.to_path_buf(), what: what.into() };
    if path.is_file() {
        if path.extension().is_some_and(|extension| extension == "onnx") {
            return beside(path.to_path_buf(), path.parent().unwrap_or(Path::new(".")));
        }
        return Ok(Kind::Folded(path.to_path_buf()));
    }
    if !path.is_dir() {
        return Err(no_model("there is no such file or folder"));
    }
    if is_student(path) {
        return Ok(Kind::Student(path.to_path_buf()));
    }
    if path.join("student").is_dir() && is_student(&path.join("student")) {
        return Ok(Kind::Student(path.join("student")));
    }
    if static_folder::is_static(path) {
        return Ok(Kind::Static(path.to_path_buf()));
    }
    for (folder, name) in [("", "model.onnx"), ("onnx", "model.onnx")] {
        let file = path.join(folder).join(name);
        if file.is_file() && !path.join("model.safetensors").is_file() {
            return beside(file, path);
        }
    }
    if path.join("config.json").is_file() || path.join("modules.json").is_file() {
        return Ok(Kind::Bert(path.to_path_buf()));
    }
    let only: Vec<PathBuf> = std::fs::read_dir(path)
        .map_err(|error| no_model(&format!("cannot be read ({error})")))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "onnx" || extension == "limbeck"))
        .collect();
    match only.as_slice() {
        [file] if file.extension().is_some_and(|extension| extension == "onnx") => beside(file.clone(), path),
        [file] => Ok(Kind::Folded(file.clone())),
        [] => Err(no_model("holds no config.json, no ONNX file and no folded file")),
        _ => Err(no_model("holds several models; name one of the files")),
    }
}

/// The tokenizer.json that `path` stands for: itself, or the one in that folder.
pub fn tokenizer_file(path: PathBuf) -> PathBuf {
    if path.is_dir() { path.join("tokenizer.json") } else { path }
}

fn beside(file: PathBuf, folder: &Path) -> Result<Kind> {
    let places = [file.parent().unwrap_or(folder).join("tokenizer.json"), folder.join("tokenizer.json")];
    match places.into_iter().find(|path| path.is_file()) {
        Some(tokenizer) => Ok(Kind::Onnx { file, tokenizer }),
        None => Err(Error::NoModel { path: file, what: "has no tokenizer.json beside it".into() }),
    }
}

impl Opener<'_> {
    /// Opens the model that `name` (a path or URI) stands for.
    pub fn open(&self, name: &str, options: &Options) -> Result<Box<dyn Encoder>> {
        let uri: Uri = name.parse()?;
        self.open_path(&self.store.locate(&uri, self.monitor)?, options)
    }

    /// Opens the model at `path`.
    pub fn open_path(&self, path: &Path, options: &Options) -> Result<Box<dyn Encoder>> {
        match kind(path)? {
            Kind::Student(folder) if options.candle => {
                if options.precision.is_some_and(|precision| precision != Precision::F32) {
                    return Err(Error::NoModel { path: folder, what: "is computed by candle in f32 only".into() });
                }
                let student = StudentFolder::open(&folder, &Device::Cpu)?;
                Ok(Box::new(limbeck_student::encoder::CandleStudent::new(student)))
            }
            Kind::Student(folder) => {
                let file = self.folded(&folder, options.precision.or(options.folded).unwrap_or(Precision::F32))?;
                Ok(Box::new(Student::load(&file)?.with_threads(self.threads)?))
            }
            Kind::Folded(file) => {
                let student = Student::load(&file)?;
                fixed(&file, options.precision, student.info().precision)?;
                if options.candle {
                    let what = "is folded already; candle computes a student's folder".into();
                    return Err(Error::NoModel { path: file, what });
                }
                Ok(Box::new(student.with_threads(self.threads)?))
            }
            Kind::Bert(path) | Kind::Onnx { file: path, .. } if options.candle => {
                Err(Error::NoModel { path, what: "is a teacher; candle computes a student's folder".into() })
            }
            Kind::Static(path) if options.candle => {
                Err(Error::NoModel { path, what: "is a static model; candle computes a student's folder".into() })
            }
            Kind::Static(folder) => {
                let file = self.folded_static(&folder, options.precision.unwrap_or(Precision::F32))?;
                Ok(Box::new(StaticEncoder::new(Student::load(&file)?.with_threads(self.threads)?)))
            }
            Kind::Bert(_) | Kind::Onnx { .. } => Ok(Box::new(self.open_teacher(path, options)?)),
        }
    }

    /// Opens a teacher: a BERT folder, which is exported to ONNX first, or an ONNX file.
    pub fn open_teacher(&self, path: &Path, options: &Options) -> Result<OnnxEncoder> {
        let precision = options.precision;
        let found = kind(path)?;
        let is_onnx = matches!(found, Kind::Onnx { .. });
        let (file, tokenizer) = match found {
            Kind::Onnx { file, tokenizer } => (file, tokenizer),
            Kind::Bert(folder) => {
                let precision = options.precision.unwrap_or_default();
                if precision == Precision::F16 {
                    let what = "is a teacher, which runs in f32 or int8; f16 is for a student's tables".into();
                    return Err(Error::NoModel { path: folder, what });
                }
                self.exported(&folder, options, precision)?
            }
            Kind::Static(path) => {
                return Err(Error::NoModel { path, what: STATIC.into() });
            }
            Kind::Student(path) | Kind::Folded(path) => {
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
            fixed(&file, precision, encoder.info().precision)?;
        }
        Ok(encoder)
    }

    /// ONNX Runtime: `ORT_DYLIB_PATH` goes before the asset.
    pub fn runtime(&self) -> Result<Runtime> {
        let uri = runtime_uri(&self.runtime)?;
        let fetch = || self.store.locate(&uri, self.monitor).map(Some);
        Ok(Runtime::find(None, fetch)?)
    }

    /// The ONNX export of a BERT folder, made once and kept in the user's cache by the hash of what it depends on.
    fn exported(&self, folder: &Path, options: &Options, precision: Precision) -> Result<(PathBuf, PathBuf)> {
        let teacher = TeacherFolder::open(folder)?;
        if let Some(most) = options.max_tokens {
            teacher.check_tokens(most)?;
        }
        let pooler = options.pooler.unwrap_or(teacher.pooler);
        let weights = teacher.weights.sha256()?;
        // What the weights' shapes don't tell, the number of heads and the like, is in the config.
        let config = serde_json::Value::from(teacher.config_json.clone());
        let (most, prefix, precision_name) = (teacher.max_tokens, &teacher.prefix, precision.name());
        let all = format!("{weights} {config} {pooler} {precision_name} {most} {prefix} {EXPORT}");
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
        self.kept(&files_of(folder), precision, |to| {
            let student = StudentFolder::open(folder, &Device::Cpu)?;
            Ok(write_folded(&student, precision, to)?)
        })
    }

    /// The folded file of a static model's folder.
    fn folded_static(&self, folder: &Path, precision: Precision) -> Result<PathBuf> {
        self.kept(&static_folder::files_of(folder)?, precision, |to| {
            Ok(static_folder::write_folded(StaticFolder::open(folder)?, precision, to)?)
        })
    }

    /// A folded file, made once by `write` and kept in the user's cache by the hash of the `files` it is made from.
    fn kept(
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

/// An error where a file's precision, which is what it is, was asked to be another.
fn fixed(file: &Path, asked: Option<Precision>, found: &str) -> Result<()> {
    match asked {
        Some(asked) if asked.name() != found => {
            let what = format!("is in {found}, and can't be run in {}", asked.name());
            Err(Error::NoModel { path: file.to_path_buf(), what })
        }
        _ => Ok(()),
    }
}

/// Exports of another version of the program are not taken up.
const EXPORT: &str = concat!("limbeck ", env!("CARGO_PKG_VERSION"));
