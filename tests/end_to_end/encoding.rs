//! `encode`, `evaluate`, `bench`, `export`, `inspect` on a student and a teacher.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::support::{fail, limbeck, project, run, static_model, succeed, text};

fn vectors(stdout: &str) -> Vec<Vec<f32>> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn encode(folder: &Path, model: &str, more: &[&str]) -> Vec<Vec<f32>> {
    let arguments = [&["encode", "--model", model, "--input", "odd.jsonl"], more].concat();
    vectors(&succeed(folder, &arguments))
}

#[test]
fn every_text_has_a_finite_vector_in_every_engine_and_they_agree() {
    let (_keep, folder) = project(600);
    succeed(&folder, &["run", "tiny.toml", "--to", "export-student", "--set", "distil.epochs=1"]);
    let odd = ["", "   ", "\u{0}\u{7}", "😀", "中文", "the dog", &"word ".repeat(10_000), "the dog"];
    let lines: Vec<String> = odd.iter().map(|text| serde_json::to_string(text).unwrap()).collect();
    std::fs::write(folder.join("odd.jsonl"), lines.join("\n") + "\n").unwrap();

    let student = "runs/tiny/student";
    let folded = encode(&folder, student, &[]);
    let candle = encode(&folder, student, &["--engine", "candle"]);
    let int8 = encode(&folder, "runs/tiny/exports/student.int8.limbeck", &[]);
    let teacher = encode(&folder, "teacher", &[]);
    for rows in [&folded, &candle, &int8, &teacher] {
        assert_eq!(rows.len(), odd.len());
        assert!(rows.iter().flatten().all(|x| x.is_finite()));
        assert_eq!(rows[5], rows[7], "the same text has the same vector");
    }
    for ((folded, candle), int8) in folded.iter().zip(&candle).zip(&int8) {
        let off = folded.iter().zip(candle).fold(0f32, |a, (x, y)| a.max((x - y).abs()));
        assert!(off < 1e-5, "{off}");
        assert!(cosine(folded, int8) > 0.999, "{}", cosine(folded, int8));
    }
}

#[test]
fn a_row_alone_equals_the_row_in_a_batch() {
    let (_keep, folder) = project(300);
    let all = vectors(&succeed(&folder, &["encode", "--model", "teacher", "--input", "text.txt"]));
    let first = std::fs::read_to_string(folder.join("text.txt")).unwrap().lines().next().unwrap().to_string();
    let mut child = limbeck()
        .current_dir(&folder)
        .args(["encode", "--model", "teacher"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(first.as_bytes()).unwrap();
    let alone = vectors(&String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap());
    let off = all[0].iter().zip(&alone[0]).fold(0f32, |a, (x, y)| a.max((x - y).abs()));
    assert!(off < 1e-5, "{off}");
}

#[test]
fn numpy_and_parquet_hold_what_json_lines_hold() {
    let (_keep, folder) = project(50);
    let encode =
        |more: &[&str]| succeed(&folder, &[&["encode", "--model", "teacher", "--input", "text.txt"], more].concat());
    let lines = vectors(&encode(&[]));
    encode(&["--to", "out.npy"]);
    let bytes = std::fs::read(folder.join("out.npy")).unwrap();
    assert!(bytes.starts_with(b"\x93NUMPY") && bytes.len() == 128 + 50 * 32 * 4);
    let numbers: Vec<f32> = bytes[128..].chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(numbers, lines.concat());
    encode(&["--to", "out.parquet"]);
    let inspected = succeed(&folder, &["inspect", "out.parquet"]);
    assert!(inspected.contains("rows        50") && inspected.contains("dimension   32"), "{inspected}");
}

#[test]
fn evaluate_and_bench_print_an_object_a_model() {
    let (_keep, folder) = project(200);
    let stdout = succeed(&folder, &["evaluate", "--model", "teacher", "--sts", "pairs.tsv", "--json"]);
    let scores: Value = serde_json::from_str(stdout.trim()).unwrap();
    assert_eq!(scores["model"], "teacher");
    assert_eq!(scores["scores"]["pairs"]["pairs"], 200);
    assert!(scores["average"].is_f64());
    for place in ["en", "zh"] {
        std::fs::create_dir(folder.join(place)).unwrap();
        std::fs::copy(folder.join("text.txt"), folder.join(place).join("news.txt")).unwrap();
    }
    let fidelity = ["evaluate", "--model", "teacher", "--teacher", "teacher", "--json", "--fidelity"];
    let stdout = succeed(&folder, &[&fidelity[..], &["en/news.txt", "zh/news.txt"]].concat());
    let kinds: Value = serde_json::from_str(stdout.trim()).unwrap();
    assert!(["en/news", "zh/news"].iter().all(|name| kinds["fidelity"][name]["cosine"].is_f64()), "{stdout}");

    let bench = ["bench", "--model", "teacher", "--input", "text.txt", "--threads", "1", "--json", "--rounds", "1"];
    let stdout = succeed(&folder, &[&bench[..], &["--seconds", "0.05"]].concat());
    let speed: Value = serde_json::from_str(stdout.trim()).unwrap();
    assert!(speed["sentences_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(speed["threads"], 1);
    assert!(speed["milliseconds_alone"]["p99"].is_f64() && speed["sentences"].is_u64());
}

#[test]
fn a_model2vec_folder_is_a_model() {
    let (_keep, folder) = project(200);
    static_model(&folder.join("static"), 2);
    let inspected = succeed(&folder, &["inspect", "static"]);
    assert!(inspected.contains("static model of model2vec") && inspected.contains("max tokens  512"), "{inspected}");
    let stdout = succeed(&folder, &["evaluate", "--model", "static", "--sts", "pairs.tsv", "--json"]);
    let scores: Value = serde_json::from_str(stdout.trim()).unwrap();
    assert_eq!(scores["scores"]["pairs"]["pairs"], 200);

    let lines = ["the dog sees", "sees the dog", "☃ dog", "dog", ""].map(|line| json!(line).to_string()).join("\n");
    std::fs::write(folder.join("odd.jsonl"), lines + "\n").unwrap();
    let rows = encode(&folder, "static", &[]);
    assert!(rows[..4].iter().all(|row| row.len() == 8 && (cosine(row, row) - 1.0).abs() < 1e-5));
    assert!(cosine(&rows[0], &rows[1]) > 0.99999, "the order of words is nothing to a mean");
    assert!(cosine(&rows[2], &rows[3]) > 0.99999, "an unknown word counts for nothing");
    assert!(rows[4].iter().all(|&number| number == 0.0), "and neither does no text");
    let int8 = encode(&folder, "static", &["--compute", "int8"]);
    assert!(rows[..4].iter().zip(&int8).all(|(a, b)| cosine(a, b) > 0.999));

    let error = fail(&folder, &["embed", "--teacher", "static", "--input", "text.txt", "--to", "cache"]);
    assert!(error.contains("is a static model, where a teacher is needed"), "{error}");
    let error = fail(&folder, &["encode", "--model", "static", "--input", "text.txt", "--engine", "candle"]);
    assert!(error.contains("static") && error.contains("candle"), "{error}");
    let refused = run(&folder, &["encode", "--model", "static", "--input", "text.txt", "--device", "cuda"]);
    let error = text(&refused.stderr);
    assert!(refused.status.code() == Some(2) && error.contains("--device is for teachers"), "{error}");
}

#[test]
fn exports_are_models_themselves() {
    let (_keep, folder) = project(300);
    succeed(&folder, &["run", "tiny.toml", "--to", "distil", "--set", "distil.epochs=1"]);
    let student = "runs/tiny/student";
    succeed(
        &folder,
        &["export", "--model", student, "--format", "folded", "--precision", "int8", "--to", "out/s.limbeck"],
    );
    succeed(&folder, &["export", "--model", student, "--format", "safetensors", "--to", "copy"]);
    succeed(&folder, &["export-teacher", "--model", "teacher", "--quantize", "int8", "--to", "onnx/model.onnx"]);
    for (model, what) in
        [("out/s.limbeck", "folded student, int8"), ("copy", "TextCNN student"), ("onnx", "ONNX model")]
    {
        let shown = succeed(&folder, &["inspect", model]);
        assert!(shown.contains(what), "{shown}");
        let rows = succeed(&folder, &["encode", "--model", model, "--input", "text.txt"]);
        assert_eq!(rows.lines().count(), 300);
    }
}
