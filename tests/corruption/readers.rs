//! The readers under test, and the intact files that they read.

use std::path::Path;

use candle_core::{DType, Device};
use limbeck_data::Monitor;
use limbeck_data::assets::{AssetStore, runtime_uri};
use limbeck_data::cache::Cache;
use limbeck_data::examples::{self, ExampleColumns};
use limbeck_data::labelled;
use limbeck_data::sts::GradedPairs;
use limbeck_data::text::{self, PreparedText};
use limbeck_encoder::{Encoder, Precision, Special, Student, Tokenizer};
use limbeck_student::encoder::CandleStudent;
use limbeck_student::fold::write_folded;
use limbeck_student::folder::StudentFolder;
use limbeck_student::static_folder::{self, StaticFolder};
use limbeck_teacher::bert::BertEncoder;
use limbeck_teacher::{OnnxEncoder, OnnxOptions, Runtime, TeacherFolder};
use serde_json::{Value, json};

use crate::isolated::Outcome;
use crate::support::{self, Project, TEST_CACHE, sentences};

/// The texts that every encoder gets: plain, empty, unknown, repeated, longer than any limit.
fn texts() -> Vec<String> {
    let plain = sentences(3).into_iter();
    plain.chain(["".into(), "[CLS] 中文 😀 ünknown\u{0}".into(), "the dog ".repeat(400)]).collect()
}

/// Makes all intact files. Models and caches are made by the program itself.
pub(crate) fn prepare(project: &Project) {
    project.succeed("embed --teacher teacher --input text.txt --to cache");
    let small = "--set distil.epochs=1 --set distil.batch=64 --set student.embedding=8 --set student.attention.heads=2";
    project.succeed(&format!("distil --cache cache --to student {small}"));
    project.succeed("export --model student --format folded --precision int8 --to student.limbeck");
    project.succeed("export --model student --format sentence-transformers --to modules");
    project.succeed("export-teacher --model teacher --to onnx/model.onnx");
    project.succeed("encode --model teacher --input text.txt --to vectors.parquet");
    project.succeed("run tiny.toml --to text");
    std::fs::copy(project.path("runs/tiny/text/train.parquet"), project.path("prepared.parquet")).unwrap();
    support::static_model(&project.path("static"), 2);
    let long = "--set distil.epochs=10000 --set distil.checkpoint_every=1";
    project
        .kill_at(&format!("distil --cache cache --to broken-off {small} {long}"), "broken-off/checkpoint.safetensors");
    std::fs::copy(project.path("teacher/tokenizer.json"), project.path("onnx/tokenizer.json")).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    project.write("every-key.toml", std::fs::read(root.join("docs/every-key.toml")).unwrap());
    for name in ["tokens.onnx", "tokenizer.json"] {
        project
            .write(Path::new("golden").join(name), std::fs::read(root.join("tests/golden/onnx").join(name)).unwrap());
    }
    write_rows(project);
}

/// Text, graded pairs and triples in every format of rows, and texts with labels.
fn write_rows(project: &Project) {
    let texts = sentences(60);
    let lines = |row: fn(&str) -> String| texts.iter().map(|text| row(text) + "\n").collect::<String>();
    project.write("texts.txt", lines(str::to_owned));
    project.write("texts.jsonl", lines(|text| json!({"text": text}).to_string()));
    project.write("texts.tsv", format!("id\ttext\n{}", lines(|text| format!("1\t{text}"))));
    project.write("texts.csv", format!("id,text\n{}", lines(|text| format!("1,\"{text}, \"\"so\"\"\""))));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, texts.join("\n").as_bytes()).unwrap();
    project.write("texts.txt.gz", packed.finish().unwrap());

    let labelled = lines(|text| format!("{text}\t{}", text.len() % 3));
    for part in ["train", "test"] {
        project.write(format!("labelled/{part}.tsv"), format!("text\tlabel\n{labelled}"));
    }

    let rows: Vec<&[String]> = texts.chunks(3).collect();
    for (name, columns) in
        [("pairs", ["sentence1", "sentence2", "score"]), ("triples", ["anchor", "positive", "negative"])]
    {
        let cells = |row: &[String], at: usize| match name {
            "pairs" => [row[0].clone(), row[1].clone(), format!("{:.1}", at as f64 / 4.0)],
            _ => [row[0].clone(), row[1].clone(), row[2].clone()],
        };
        let (mut tsv, mut csv, mut jsonl) = (columns.join("\t") + "\n", columns.join(",") + "\n", String::new());
        for (at, row) in rows.iter().enumerate() {
            let cells = cells(row, at);
            tsv += &(cells.join("\t") + "\n");
            csv += &(cells.join(",") + "\n");
            let last = if name == "pairs" { json!(at as f64 / 4.0) } else { json!(cells[2]) };
            jsonl += &(json!({columns[0]: cells[0], columns[1]: cells[1], columns[2]: last}).to_string() + "\n");
        }
        project.write(format!("{name}.tsv"), tsv);
        project.write(format!("{name}.csv"), csv);
        project.write(format!("{name}.jsonl"), jsonl);
    }
}

/// An error from work with a model that was opened without one. Such an error need not name the file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Later(String);

fn encode(encoder: &dyn Encoder) -> Outcome {
    let texts = texts();
    let vectors = encoder.encode(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    Ok(vectors.map_err(|error| Later(error.to_string()))?.into_vec())
}

/// The file's folder.
fn folder(path: &Path) -> &Path {
    path.parent().unwrap()
}

pub(crate) fn folded_student(path: &Path) -> Outcome {
    encode(&Student::load(path)?)
}

/// Reads everything in the cache that the file belongs to.
pub(crate) fn cache(path: &Path) -> Outcome {
    let cache = Cache::open(folder(path))?;
    let mut values = Vec::new();
    for shard in 0..cache.shards() {
        values.extend(cache.read(shard)?.embeddings);
    }
    cache.tokens()?;
    Ok(values)
}

/// Reads the cache in slices.
pub(crate) fn cache_slices(path: &Path) -> Outcome {
    let cache = Cache::open(folder(path))?;
    let slices = cache.slices();
    let read = slices.iter().map(|slice| Ok(cache.read_slice(slice)?.embeddings));
    Ok(read.collect::<limbeck_data::Result<Vec<_>>>()?.concat())
}

pub(crate) fn external_cache(path: &Path) -> Outcome {
    let cache = Cache::open(path)?;
    let read = (0..cache.shards()).map(|shard| Ok(cache.read(shard)?.embeddings));
    Ok(read.collect::<limbeck_data::Result<Vec<_>>>()?.concat())
}

/// Computes a student in candle, and folded where it folds.
pub(crate) fn student(path: &Path) -> Outcome {
    let folded = folder(folder(path)).join("damaged.limbeck");
    let student = StudentFolder::open(folder(path), &Device::Cpu)?;
    write_folded(&student, Precision::Int8, &folded).map_err(|error| Later(error.to_string()))?;
    let mut values = encode(&CandleStudent::new(student))?;
    values.extend(folded_student(&folded)?);
    Ok(values)
}

pub(crate) fn static_model(path: &Path) -> Outcome {
    let folded = folder(folder(path)).join("damaged.limbeck");
    static_folder::write_folded(StaticFolder::open(folder(path))?, Precision::F32, &folded)?;
    folded_student(&folded)
}

pub(crate) fn teacher(path: &Path) -> Outcome {
    encode(&BertEncoder::load(&TeacherFolder::open(folder(path))?, &Device::Cpu, DType::F32)?)
}

pub(crate) fn onnx(path: &Path) -> Outcome {
    let tokenizer = Tokenizer::from_file(&folder(path).join("tokenizer.json"))?;
    let fetch = || Ok(Some(AssetStore::new(TEST_CACHE).fetch(&runtime_uri("1.32.0")?, None, Monitor::silent())?.path));
    let runtime = Runtime::find(None, fetch)?;
    encode(&OnnxEncoder::load(&runtime, path, tokenizer, &OnnxOptions { threads: 1, ..OnnxOptions::default() })?)
}

/// Every id that the tokenizer makes lies within its vocabulary.
pub(crate) fn tokenizer(path: &Path) -> Outcome {
    let tokenizer = Tokenizer::from_file(path)?;
    for text in texts() {
        let mut ids = Vec::new();
        let encoded = tokenizer.encode_into(&text, Special::With, Some(512), &mut ids);
        encoded.map_err(|error| Later(error.to_string()))?;
        assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocabulary()), "an id beyond the vocabulary");
        ids.iter().for_each(|&id| drop(tokenizer.text(id)));
    }
    Ok(Vec::new())
}

/// Reads a recipe and checks what it plans.
pub(crate) fn recipe(path: &Path) -> Outcome {
    let recipe = limbeck::recipe::read(
        path,
        &["teacher.source=teacher", "text.source=[{uri=\"text.txt\"}]"].map(str::to_owned),
    )?;
    limbeck::recipe::Plan::new(recipe, path)?;
    Ok(Vec::new())
}

pub(crate) fn texts_of(path: &Path) -> Outcome {
    text::read_texts(path, None, None)?.try_for_each(|text| text.map(drop))?;
    Ok(Vec::new())
}

pub(crate) fn prepared_text(path: &Path) -> Outcome {
    let text = PreparedText::open(path)?;
    text.read(text.rows() / 2, 10)?;
    text.batches(64)?.try_for_each(|batch| batch.map(drop))?;
    texts_of(path)
}

pub(crate) fn graded_pairs(path: &Path) -> Outcome {
    assert!(GradedPairs::read(path)?.scores.into_iter().all(f64::is_finite), "a score is not finite");
    Ok(Vec::new())
}

pub(crate) fn examples(path: &Path) -> Outcome {
    examples::read(path, &ExampleColumns::default())?;
    Ok(Vec::new())
}

pub(crate) fn labelled(path: &Path) -> Outcome {
    labelled::read(folder(path))?;
    Ok(Vec::new())
}

pub(crate) fn checkpoint(path: &Path) -> Outcome {
    limbeck_training::checkpoint::load::<Value>(path)?;
    Ok(Vec::new())
}
