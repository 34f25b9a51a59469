//! A student in the formats of others, compared with what candle makes of it.

use std::path::Path;
use std::process::Command;

use super::support::{fail, project, run, succeed, text};

const ODD: [&str; 12] = [
    "",
    "   ",
    "\u{0}\u{7}\t\n",
    "😀",
    "中文 the dog",
    "[PAD]",
    "[CLS] the [SEP]",
    "the dog sees the cat in the garden",
    "the",
    "a",
    "xyzzy",
    "Cafe\u{301} the DOG.",
];

/// Students of every kind, by name: all parts, max-pooling and skip, skip alone, heads with values of their own, attention alone
/// and cut at 5 tokens.
const STUDENTS: [(&str, &[&str]); 5] = [
    ("whole", &[]),
    ("max-pooled", &["student.attention.heads=0", "student.convolutions=[{width=3,filters=8},{width=5,filters=3}]"]),
    ("static", &["student.attention.heads=0", "student.convolutions=[]"]),
    ("values", &["student.attention.values=5"]),
    ("cut", &["student.convolutions=[]", "student.skip=false", "student.max_tokens=5"]),
];

/// A project with the students, and `odd.jsonl`: odd texts, one of them long, and as many plain ones.
fn students() -> (tempfile::TempDir, std::path::PathBuf) {
    let (keep, folder) = project(300);
    succeed(&folder, &["run", "tiny.toml", "--to", "embed"]);
    for (name, settings) in STUDENTS {
        let basics = ["student.embedding=16", "student.attention={heads=2,width=3,filters=8}", "distil.epochs=2"];
        let sets = basics.iter().chain(settings).flat_map(|setting| ["--set", setting]);
        let sets: Vec<&str> = ["--set", "student.convolutions=[{width=3,filters=8}]"].into_iter().chain(sets).collect();
        let caches = ["distil", "--cache", "runs/tiny/cache/train", "--held-out", "runs/tiny/cache/held-out"];
        succeed(&folder, &[&caches[..], &["--to", name], &sets[..]].concat());
    }
    let long = "the dog sees ".repeat(2_000);
    let plain = std::fs::read_to_string(folder.join("text.txt")).unwrap();
    let texts = ODD.into_iter().chain([long.as_str()]).chain(plain.lines().step_by(13));
    let lines: Vec<String> = texts.map(|text| serde_json::to_string(text).unwrap()).collect();
    std::fs::write(folder.join("odd.jsonl"), lines.join("\n") + "\n").unwrap();
    (keep, folder)
}

fn encode(folder: &Path, model: &str, more: &[&str]) -> Vec<Vec<f32>> {
    let stdout = succeed(folder, &[&["encode", "--model", model, "--input", "odd.jsonl"], more].concat());
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn assert_near(name: &str, found: &[Vec<f32>], expected: &[Vec<f32>]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = found.iter().zip(expected).fold(0f32, |a, (x, y)| a.max((x - y).abs()));
        assert!(off < 1e-5, "{name}: text {row} is off by {off}");
    }
}

#[test]
fn every_export_has_the_students_vectors() {
    let (_keep, folder) = students();
    for (name, _) in STUDENTS {
        let export = |format: &str, precision: &str, to: &str| {
            let arguments = ["export", "--model", name, "--format", format, "--precision", precision, "--to", to];
            succeed(&folder, &arguments);
        };
        let candle = encode(&folder, name, &["--engine", "candle"]);
        assert_near(name, &encode(&folder, name, &[]), &candle);
        let [f32, int8, modules] = ["onnx", "onnx-int8", "st"].map(|format| format!("out/{name}-{format}"));
        export("onnx", "f32", &f32);
        assert_near(&f32, &encode(&folder, &f32, &[]), &candle);
        export("onnx", "int8", &int8);
        for (row, (a, b)) in encode(&folder, &int8, &[]).iter().zip(&candle).enumerate() {
            let [ab, aa, bb] = [(a, b), (a, a), (b, b)].map(|(a, b)| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>());
            assert!(ab >= 0.999 * (aa * bb).sqrt(), "{int8}: text {row} has a cosine of {}", ab / (aa * bb).sqrt());
        }
        export("sentence-transformers", "f32", &modules);
        assert_near(&modules, &encode(&folder, &modules, &["--engine", "candle"]), &candle);
        in_python(&folder, &modules, &candle);
    }
}

/// The folder in sentence-transformers, where `LIMBECK_PYTHON` (`python3` by default) has it.
fn in_python(folder: &Path, model: &str, expected: &[Vec<f32>]) {
    let lines: Vec<String> = expected.iter().map(|row| serde_json::to_string(row).unwrap()).collect();
    std::fs::write(folder.join("expected.jsonl"), lines.join("\n") + "\n").unwrap();
    let python = std::env::var("LIMBECK_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/sentence_transformers_export.py");
    let mut command = Command::new(python);
    // Nothing may be looked for on a hub.
    command.current_dir(folder).env("HF_HUB_OFFLINE", "1").args([script, model, "odd.jsonl", "expected.jsonl"]);
    match command.output() {
        Ok(output) if output.status.code() == Some(77) => {
            eprintln!("skipped: no sentence-transformers ({})", text(&output.stdout).trim());
        }
        Ok(output) => {
            assert!(output.status.success(), "{model}: {}{}", text(&output.stdout), text(&output.stderr));
            eprintln!("{model}: {}", text(&output.stdout).trim());
        }
        Err(error) => eprintln!("skipped: no Python ({error})"),
    }
}

#[test]
fn a_broken_sentence_transformers_folder_is_an_error_that_names_the_file() {
    let (_keep, folder) = students();
    let exported = folder.join("st");
    let export = ["export", "--model", "max-pooled", "--format", "sentence-transformers", "--to", "st"];
    let encode = ["encode", "--model", "st", "--input", "text.txt", "--to", "vectors.npy"];
    succeed(&folder, &export);
    let (tokenizer, weights) = (exported.join("tokenizer.json"), exported.join("model.safetensors"));
    let whole = std::fs::read(&tokenizer).unwrap();
    for json in ["[]", "\"x\"", "3", "{}", "{\"model\": []}", "{\"model\": 3}"] {
        std::fs::write(&tokenizer, json).unwrap();
        let stderr = fail(&folder, &encode);
        assert!(stderr.contains("tokenizer.json") && !stderr.contains("panicked"), "{json}: {stderr}");
    }
    std::fs::write(&tokenizer, whole).unwrap();
    let mut numbers = std::fs::read(&weights).unwrap();
    let last = numbers.len() - 4;
    numbers[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&weights, numbers).unwrap();
    let stderr = fail(&folder, &encode);
    assert!(stderr.contains("model.safetensors") && stderr.contains("aren't finite"), "{stderr}");
}

#[test]
fn an_export_names_what_it_cannot_do() {
    let (_keep, folder) = students();
    let export = ["export", "--model", "whole", "--format"];
    for (format, precision) in [("onnx", "f16"), ("safetensors", "int8"), ("sentence-transformers", "f16")] {
        let output = run(&folder, &[&export[..], &[format, "--precision", precision, "--to", "out"]].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(format), "{}", text(&output.stderr));
    }
    for format in ["onnx", "sentence-transformers"] {
        let stderr = fail(&folder, &[&export[..], &[format, "--to", "max-pooled"]].concat());
        assert!(stderr.contains("max-pooled") && stderr.contains("holds a student"), "{stderr}");
        // An earlier export may be written over.
        for _ in 0..2 {
            succeed(&folder, &[&export[..], &[format, "--to", &format!("out/{format}")]].concat());
        }
    }
    // The model alone, beside a tokenizer that puts special tokens around other models' texts.
    succeed(&folder, &[&export[..], &["onnx", "--to", "whole/whole.onnx"]].concat());
    assert_near("whole.onnx", &encode(&folder, "whole/whole.onnx", &[]), &encode(&folder, "whole", &[]));
}

#[test]
fn vectors_are_shortened_and_narrowed_as_asked() {
    let (_keep, folder) = students();
    let whole = encode(&folder, "whole", &[]);
    let short = encode(&folder, "whole", &["--dimension", "10"]);
    for (whole, short) in whole.iter().zip(&short) {
        let length = whole[..10].iter().map(|x| x * x).sum::<f32>().sqrt();
        assert_eq!(short.len(), 10);
        assert!(whole.iter().zip(short).all(|(w, s)| (w - s * length).abs() < 1e-6));
    }
    let int8 = encode(&folder, "whole", &["--precision", "int8"]);
    let binary = encode(&folder, "whole", &["--dimension", "10", "--precision", "binary"]);
    for ((whole, int8), binary) in whole.iter().zip(&int8).zip(&binary) {
        assert!(whole.iter().zip(int8).all(|(w, i)| (w * 127.0 - i).abs() <= 0.5 && i.fract() == 0.0));
        let bits: Vec<u8> = binary.iter().map(|&byte| byte as u8).collect();
        assert_eq!(bits.len(), 2);
        assert!((0..10).all(|at| (bits[at / 8] >> (7 - at % 8) & 1 == 1) == (whole[at] > 0.0)));
    }
    for (kind, bytes, name) in [("f32", 4, "<f4"), ("f16", 2, "<f2"), ("int8", 1, "|i1")] {
        encode(&folder, "whole", &["--precision", kind, "--to", "out.npy"]);
        let npy = std::fs::read(folder.join("out.npy")).unwrap();
        assert_eq!(npy.len(), 128 + whole.len() * 32 * bytes);
        assert!(text(&npy[..128]).contains(&format!("'descr': '{name}'")));
        encode(&folder, "whole", &["--precision", kind, "--to", "out.parquet"]);
        assert!(folder.join("out.parquet").is_file());
    }
    let output = run(&folder, &["encode", "--model", "whole", "--input", "odd.jsonl", "--dimension", "33"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("vectors of 32 numbers"), "{}", text(&output.stderr));
}
