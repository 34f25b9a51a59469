//! `encode`, `evaluate`, `bench` and `inspect` on models of every kind.

use serde_json::json;

use crate::shared::{FINISHED, MODELS};
use crate::support::{Outcome, Project};

/// The texts, a JSON string a line, as the file `odd.jsonl`.
fn write_odd(project: &Project, texts: &[&str]) {
    let lines: Vec<String> = texts.iter().map(|text| json!(text).to_string()).collect();
    project.write("odd.jsonl", lines.join("\n") + "\n");
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0.0, |most, (x, y)| f32::max(most, (x - y).abs()))
}

#[test]
fn every_text_has_a_finite_vector_in_every_engine_and_the_engines_agree() {
    let project = FINISHED.copy();
    let odd = ["", "   ", "\u{0}\u{7}", "😀", "中文", "the dog", &"word ".repeat(10_000), "the dog"];
    write_odd(&project, &odd);
    let encode = |model: &str| project.succeed(&format!("encode --input odd.jsonl --model {model}")).vectors();
    let folded = encode("runs/tiny/student");
    let candle = encode("runs/tiny/student --engine candle");
    let int8 = encode("runs/tiny/exports/student.int8.limbeck");
    let teacher = encode("teacher");
    for rows in [&folded, &candle, &int8, &teacher] {
        assert_eq!(rows.len(), odd.len());
        assert!(rows.iter().flatten().all(|value| value.is_finite()));
        assert_eq!(rows[5], rows[7], "the same text has the same vector");
    }
    for ((folded, candle), int8) in folded.iter().zip(&candle).zip(&int8) {
        let off = largest_difference(folded, candle);
        assert!(off < 1e-5, "{off}");
        assert!(cosine(folded, int8) > 0.999, "{}", cosine(folded, int8));
    }
}

#[test]
fn a_text_from_standard_input_has_the_vector_that_it_has_among_others() {
    let all = MODELS.succeed("encode --model teacher --input text.txt").vectors();
    let line = "encode --model teacher";
    let mut encode = assert_cmd::Command::from_std(MODELS.program(line));
    let first = MODELS.text("text.txt").lines().next().unwrap().to_owned();
    let alone = Outcome::new(line, encode.write_stdin(first).assert().success().get_output()).vectors();
    let off = largest_difference(&all[0], &alone[0]);
    assert!(off < 1e-5, "{off}");
}

#[test]
fn numpy_files_hold_what_json_lines_hold() {
    let project = Project::new(50);
    let lines = project.succeed("encode --model teacher --input text.txt").vectors();
    project.succeed("encode --model teacher --input text.txt --to out.npy");
    let bytes = project.read("out.npy");
    assert!(bytes.starts_with(b"\x93NUMPY") && bytes.len() == 128 + 50 * 32 * 4);
    let values: Vec<f32> = bytes[128..].chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    assert_eq!(values, lines.concat());
}

#[test]
fn parquet_files_of_vectors_are_caches() {
    let project = Project::new(50);
    project.succeed("encode --model teacher --input text.txt --to out.parquet");
    let inspected = project.succeed("inspect out.parquet").stdout;
    assert!(inspected.contains("rows        50") && inspected.contains("dimension   32"), "{inspected}");
}

#[test]
fn evaluate_prints_an_object_with_the_scores_of_a_model() {
    let scores = MODELS.succeed("evaluate --model teacher --sts pairs.tsv --json").json();
    assert_eq!(scores["model"], "teacher");
    assert_eq!(scores["scores"]["pairs"]["pairs"], 200);
    assert!(scores["average"].is_f64());
}

#[test]
fn files_of_one_name_in_two_folders_have_fidelities_of_their_own() {
    let project = Project::new(200);
    for place in ["en", "zh"] {
        project.write(format!("{place}/news.txt"), project.read("text.txt"));
    }
    let files = "--fidelity en/news.txt zh/news.txt";
    let found = project.succeed(&format!("evaluate --model teacher --teacher teacher --json {files}")).json();
    assert!(["en/news", "zh/news"].iter().all(|name| found["fidelity"][name]["cosine"].is_f64()), "{found}");
}

#[test]
fn bench_prints_an_object_with_the_speed_of_a_model() {
    let bench = "bench --model teacher --input text.txt --threads 1 --json --rounds 1 --seconds 0.05";
    let speed = MODELS.succeed(bench).json();
    assert!(speed["sentences_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(speed["threads"], 1);
    assert!(speed["milliseconds_alone"]["p99"].is_f64() && speed["sentences"].is_u64());
}

#[test]
fn a_static_model_averages_its_token_vectors() {
    let project = MODELS.copy();
    write_odd(&project, &["the dog sees", "sees the dog", "☃ dog", "dog", ""]);
    let rows = project.succeed("encode --model static --input odd.jsonl").vectors();
    assert!(rows[..4].iter().all(|row| row.len() == 8 && (cosine(row, row) - 1.0).abs() < 1e-5));
    assert!(cosine(&rows[0], &rows[1]) > 0.99999, "a mean does not depend on the order of words");
    assert!(cosine(&rows[2], &rows[3]) > 0.99999, "an unknown word adds nothing");
    assert!(rows[4].iter().all(|&value| value == 0.0), "the empty text has a vector of zeros");
    let int8 = project.succeed("encode --model static --input odd.jsonl --compute int8").vectors();
    assert!(rows[..4].iter().zip(&int8).all(|(a, b)| cosine(a, b) > 0.999));
}

#[test]
fn a_static_model_is_refused_where_a_teacher_is_needed() {
    MODELS.fail("embed --teacher static --input text.txt --to x").told(&["static", "teacher"]);
}

#[test]
fn a_static_model_is_refused_by_candle() {
    MODELS.fail("encode --model static --input text.txt --engine candle").told(&["static", "candle"]);
}

#[test]
fn a_device_for_a_model_that_is_no_teacher_is_refused() {
    MODELS.refuse("encode --model static --input text.txt --device cuda").told(&["--device"]);
}

#[test]
fn exports_are_models_themselves() {
    for model in ["out/s.limbeck", "copy", "onnx"] {
        let rows = MODELS.succeed(&format!("encode --model {model} --input text.txt"));
        assert_eq!(rows.stdout.lines().count(), 400);
    }
}
