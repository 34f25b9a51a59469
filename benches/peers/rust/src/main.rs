//! One contestant of `benches/peers/run.py`: `peers KIND MODEL TEXT THREADS`, with a KIND of `limbeck` (a folded file),
//! `model2vec-rs` (its folder) or `limbeck-teacher` (an ONNX file beside its tokenizer.json; `ORT_DYLIB_PATH` names
//! ONNX Runtime).
//!
//! It answers each line of standard input with a line of JSON, as `worker.py` does:
//! - `vectors FROM TO` encodes the lines of FROM and writes their vectors to TO, as little-endian f32;
//! - `round SECONDS CALL` encodes TEXT for so long, from where the last round ended, CALL texts at a time; of a CALL of
//!   0 a call takes about a tenth of a second.

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use limbeck_encoder::Student;
#[cfg(feature = "teacher")]
use limbeck_encoder::{Encoder, Tokenizer};
#[cfg(feature = "teacher")]
use limbeck_teacher::{LIBRARY_VARIABLE, OnnxEncoder, OnnxOptions, Runtime};
use model2vec_rs::model::StaticModel;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A call has so many texts that it takes about this long, so that none pays for its calls.
const CALL_SECONDS: f64 = 0.1;
const CALL_MOST: usize = 4_096;

enum Model {
    Limbeck(Student),
    #[cfg(feature = "teacher")]
    Teacher(Box<OnnxEncoder>),
    Model2Vec(StaticModel),
}

impl Model {
    fn open(kind: &str, path: &str, threads: usize) -> Result<Self> {
        match kind {
            "limbeck" => Ok(Self::Limbeck(Student::load(Path::new(path))?.with_threads(threads)?)),
            #[cfg(feature = "teacher")]
            "limbeck-teacher" => {
                let library = std::env::var_os(LIBRARY_VARIABLE).ok_or(LIBRARY_VARIABLE)?;
                let runtime = Runtime::load(Path::new(&library))?;
                let tokenizer = Tokenizer::from_file(&Path::new(path).with_file_name("tokenizer.json"))?;
                let options = OnnxOptions { threads, ..OnnxOptions::default() };
                Ok(Self::Teacher(Box::new(OnnxEncoder::load(&runtime, Path::new(path), tokenizer, &options)?)))
            }
            "model2vec-rs" => Ok(Self::Model2Vec(StaticModel::from_pretrained(path, None, None, None)?)),
            other => Err(format!("{other}: limbeck, limbeck-teacher or model2vec-rs is expected").into()),
        }
    }

    /// The vectors, row after row.
    fn encode(&self, texts: &[String]) -> Result<Vec<f32>> {
        match self {
            Self::Limbeck(student) => Ok(student.encode(texts)?.into_vec()),
            #[cfg(feature = "teacher")]
            Self::Teacher(teacher) => {
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                Ok(teacher.encode(&texts)?.into_vec())
            }
            Self::Model2Vec(model) => Ok(model.encode_flat(texts)),
        }
    }
}

/// The text, and how far it was read.
struct Text {
    lines: Vec<String>,
    at: usize,
    call: usize,
}

impl Text {
    fn round(&mut self, model: &Model, seconds: f64, fixed: usize) -> Result<String> {
        let (start, mut sentences) = (Instant::now(), 0);
        if fixed > 0 {
            self.call = fixed;
        }
        while start.elapsed().as_secs_f64() < seconds {
            let end = (self.at + self.call).min(self.lines.len());
            let began = Instant::now();
            model.encode(&self.lines[self.at..end])?;
            sentences += end - self.at;
            if fixed == 0 && end - self.at == self.call && began.elapsed().as_secs_f64() < CALL_SECONDS {
                self.call = (2 * self.call).min(CALL_MOST);
            }
            self.at = end % self.lines.len();
        }
        Ok(format!(r#"{{"sentences": {sentences}, "seconds": {}}}"#, start.elapsed().as_secs_f64()))
    }
}

fn lines(path: &str) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn vectors(model: &Model, from: &str, to: &str) -> Result<String> {
    let texts = lines(from)?;
    let vectors = model.encode(&texts)?;
    let bytes: Vec<u8> = vectors.iter().flat_map(|number| number.to_le_bytes()).collect();
    std::fs::write(to, bytes)?;
    Ok(format!(r#"{{"dimension": {}}}"#, vectors.len() / texts.len().max(1)))
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, path, text, threads] = arguments.as_slice() else {
        return Err("peers KIND MODEL TEXT THREADS".into());
    };
    let model = Model::open(kind, path, threads.parse()?)?;
    let mut text = Text { lines: lines(text)?, at: 0, call: 64 };
    if text.lines.is_empty() {
        return Err("the text has no line".into());
    }
    println!(r#"{{"ready": true}}"#);
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let answer = match line.split('\t').collect::<Vec<_>>().as_slice() {
            ["vectors", from, to] => vectors(&model, from, to)?,
            ["round", seconds, call] => text.round(&model, seconds.parse()?, call.parse()?)?,
            _ => return Err(format!("{line:?} is no order").into()),
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}
