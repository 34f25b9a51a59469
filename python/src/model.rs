//! [`Model`]: a student of the encoder crate as an object of Python.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use limbeck_encoder::{Precision, Special, Student, folded};
use limbeck_fold::fold::folded_parts;
use limbeck_fold::folder::{StudentFiles, is_student};
use limbeck_fold::static_folder::{StaticEncoder, StaticFolder, is_static};
use numpy::{PyArray2, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rayon::prelude::*;

use crate::error::exception;
use crate::texts::HeldTexts;
use crate::threads::Threads;

/// The texts that a thread takes at a time.
const PART: usize = 256;

/// A student, or a static model of another library.
#[pyclass(frozen, module = "limbeck._limbeck")]
pub(crate) struct Model {
    engine: Engine,
    threads: Threads,
}

enum Engine {
    Student(Student),
    /// A static model, which reads as much of a text as its own library does.
    Static(StaticEncoder),
}

impl Engine {
    fn student(&self) -> &Student {
        match self {
            Self::Student(student) => student,
            Self::Static(encoder) => encoder.student(),
        }
    }

    /// The part of `text` that is read.
    fn cut<'a>(&self, text: &'a str) -> &'a str {
        match self {
            Self::Student(_) => text,
            Self::Static(encoder) => encoder.cut(text),
        }
    }

    fn encode_into(&self, texts: &[Cow<'_, str>], out: &mut [f32]) -> limbeck_encoder::Result<()> {
        match self {
            Self::Student(student) => student.encode_into(texts, out),
            Self::Static(encoder) => {
                let texts: Vec<&str> = texts.iter().map(|text| encoder.cut(text)).collect();
                encoder.student().encode_into(&texts, out)
            }
        }
    }
}

/// Opens the model at `path`: a folded file, or a folder that is folded in memory.
fn open(path: &Path) -> PyResult<Engine> {
    let told = |error: limbeck_encoder::Error| exception(&error);
    let folded = |error: limbeck_fold::Error| exception(&error);
    let of_parts = |parts: &folded::Parts| -> PyResult<Student> {
        Student::from_bytes(&folded::to_bytes(parts, Precision::F32).map_err(told)?).map_err(told)
    };
    if !path.is_dir() {
        return Ok(Engine::Student(Student::load(path).map_err(told)?));
    }
    if is_student(path) {
        return Ok(Engine::Student(of_parts(&folded_parts(&StudentFiles::open(path).map_err(folded)?))?));
    }
    if is_static(path) {
        let parts = StaticFolder::open(path).map_err(folded)?.into_parts();
        return Ok(Engine::Static(StaticEncoder::new(of_parts(&parts)?)));
    }
    let files = std::fs::read_dir(path).map_err(PyErr::from)?;
    let paths = files.filter_map(|file| Some(file.ok()?.path()));
    let files: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "limbeck")).collect();
    match &files[..] {
        [file] => Ok(Engine::Student(Student::load(file).map_err(told)?)),
        [] => Err(PyValueError::new_err(format!(
            "{}: holds no student, no folded file and no static model\nhint: name a student's folder, as in \
             runs/quickstart/student, a file that `limbeck export --format folded` wrote, or a folder of Model2Vec's",
            path.display()
        ))),
        _ => Err(PyValueError::new_err(format!(
            "{}: holds {} folded files\nhint: name one of them",
            path.display(),
            files.len()
        ))),
    }
}

#[pymethods]
impl Model {
    /// Opens the model at `path` and encodes with `threads` threads; 0: one for each core, 1: the caller's.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf, threads: usize) -> PyResult<Self> {
        let engine = py.detach(|| open(&path))?;
        Ok(Self { engine, threads: Threads::new(threads) })
    }

    /// Opens a student from the bytes of a folded file.
    #[staticmethod]
    fn from_bytes(data: &[u8], threads: usize) -> PyResult<Self> {
        let student = Student::from_bytes(data).map_err(|error| exception(&error))?;
        Ok(Self { engine: Engine::Student(student), threads: Threads::new(threads) })
    }

    /// Writes the vectors of `texts` (a list of str, or ArrowTexts) to `out`, float32 of shape (texts, dimension) and
    /// row after row. The first text is row `first` of the user's, for errors.
    fn encode_into<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        out: &Bound<'py, PyArray2<f32>>,
        first: usize,
    ) -> PyResult<()> {
        let held = HeldTexts::of(texts, first)?;
        let texts = held.texts(first)?;
        let width = self.dimension();
        if out.shape() != [texts.len(), width] {
            let (found, expected) = (out.shape(), [texts.len(), width]);
            return Err(PyValueError::new_err(format!("out has the shape {found:?}, the vectors {expected:?}")));
        }
        let mut out = out.try_readwrite().map_err(|error| PyValueError::new_err(format!("out: {error}")))?;
        let out = out.as_slice_mut().map_err(|error| PyValueError::new_err(format!("out: {error}")))?;
        let encoded = py.detach(|| match self.threads.pool()?.filter(|_| texts.len() > PART) {
            None => self.engine.encode_into(&texts, out),
            Some(pool) => pool.install(|| {
                let parts = texts.par_chunks(PART).zip(out.par_chunks_mut(PART * width));
                parts.try_for_each(|(texts, out)| self.engine.encode_into(texts, out))
            }),
        });
        encoded.map_err(|error| exception(&error))
    }

    /// The ids of each text's tokens, without special tokens and cut to `max_tokens`.
    fn tokenize<'py>(&self, texts: &Bound<'py, PyAny>, first: usize) -> PyResult<Vec<Vec<u32>>> {
        let held = HeldTexts::of(texts, first)?;
        let student = self.engine.student();
        let tokens = |text: &Cow<'_, str>| {
            let (mut ids, text) = (Vec::new(), self.engine.cut(text));
            let most = student.max_tokens();
            student.tokenizer().encode_into(text, Special::Without, most, &mut ids).map(|()| ids)
        };
        let all = held.texts(first)?.iter().map(tokens).collect::<limbeck_encoder::Result<_>>();
        all.map_err(|error| exception(&error))
    }

    /// The width of the vectors.
    #[getter]
    fn dimension(&self) -> usize {
        self.engine.student().dimension()
    }

    /// The tokens of a text that are read; None: all.
    #[getter]
    fn max_tokens(&self) -> Option<usize> {
        self.engine.student().max_tokens()
    }

    /// The precision of the tables: f32, f16 or int8.
    #[getter]
    fn precision(&self) -> &'static str {
        self.engine.student().info().precision
    }

    /// The number of threads that encode.
    #[getter]
    fn threads(&self) -> usize {
        self.threads.count()
    }
}
