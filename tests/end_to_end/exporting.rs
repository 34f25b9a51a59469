//! A student in the formats of others, compared with candle's vectors of the same student.

use std::process::Command;
use std::sync::LazyLock;

use crate::support::{Outcome, Project};

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

/// Students of every kind, by name: all parts; max-pooling and skip; skip alone; heads with values of their own;
/// attention alone, cut at 5 tokens.
const KINDS: [(&str, &str); 5] = [
    ("whole", ""),
    (
        "max-pooled",
        "--set student.attention.heads=0 --set student.convolutions=[{width=3,filters=8},{width=5,filters=3}]",
    ),
    ("static", "--set student.attention.heads=0 --set student.convolutions=[]"),
    ("values", "--set student.attention.values=5"),
    ("cut", "--set student.convolutions=[] --set student.skip=false --set student.max_tokens=5"),
];

/// A student of every kind; `odd.jsonl` with odd texts, one of them long, and as many plain ones; candle's vectors of
/// these in `NAME.jsonl`.
static STUDENTS: LazyLock<Project> = LazyLock::new(|| {
    Project::shared("students", 300, |project| {
        let long = "the dog sees ".repeat(2_000);
        let plain = project.text("text.txt");
        let texts = ODD.into_iter().chain([long.as_str()]).chain(plain.lines().step_by(13));
        let lines: Vec<String> = texts.map(|text| serde_json::to_string(text).unwrap()).collect();
        project.write("odd.jsonl", lines.join("\n") + "\n");

        project.succeed("run tiny.toml --to embed");
        let caches = "--cache runs/tiny/cache/train --held-out runs/tiny/cache/held-out";
        let basics = "--set student.embedding=16 --set student.attention={heads=2,width=3,filters=8} \
                      --set student.convolutions=[{width=3,filters=8}] --set distil.epochs=2";
        for (name, settings) in KINDS {
            project.succeed(&format!("distil {caches} --to {name} {basics} {settings}"));
            let vectors = project.succeed(&format!("encode --model {name} --input odd.jsonl --engine candle"));
            project.write(format!("{name}.jsonl"), vectors.stdout);
        }
    })
});

/// Candle's vectors of `odd.jsonl` for the student `name`.
fn reference(name: &str) -> Vec<Vec<f32>> {
    STUDENTS.text(format!("{name}.jsonl")).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The students exported to `format`, by name, and the folder `out/NAME` of each.
fn exported(format: &str) -> Project {
    let project = STUDENTS.copy();
    for (name, _) in KINDS {
        project.succeed(&format!("export --model {name} --format {format} --to out/{name}"));
    }
    project
}

fn encode(project: &Project, model: &str) -> Vec<Vec<f32>> {
    project.succeed(&format!("encode --input odd.jsonl --model {model}")).vectors()
}

#[track_caller]
fn assert_near(name: &str, found: &[Vec<f32>], expected: &[Vec<f32>]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = found.iter().zip(expected).fold(0f32, |a, (x, y)| a.max((x - y).abs()));
        assert!(off < 1e-5, "{name}: text {row} is off by {off}");
    }
}

#[test]
fn folded_students_have_the_students_vectors() {
    for (name, _) in KINDS {
        assert_near(name, &encode(&STUDENTS, name), &reference(name));
    }
}

#[test]
fn onnx_exports_have_the_students_vectors() {
    let project = exported("onnx");
    for (name, _) in KINDS {
        assert_near(name, &encode(&project, &format!("out/{name}")), &reference(name));
    }
}

#[test]
fn an_onnx_export_holds_what_text_embeddings_inference_reads() {
    let project = exported("onnx");
    for (name, _) in KINDS {
        let json = |file: &str| project.json(format!("out/{name}/{file}"));
        let (config, tokenizer) = (json("config.json"), json("tokenizer.json"));
        for key in ["hidden_size", "num_hidden_layers", "max_position_embeddings"] {
            assert!(config[key].is_u64(), "{key} is missing in {config}");
        }
        assert!(config["architectures"].is_array() && config["model_type"].is_string());
        let padding = json("tokenizer_config.json")["pad_token"].take();
        assert_eq!(config["pad_token_id"], tokenizer["model"]["vocab"][padding.as_str().unwrap()]);
        let pooling = json("1_Pooling/config.json");
        let modes = ["cls_token", "mean_tokens"].map(|mode| &pooling[format!("pooling_mode_{mode}")]);
        assert_eq!(modes, [&false, &true]);
    }
}

#[test]
fn int8_onnx_exports_are_near_to_the_students_vectors() {
    let project = exported("onnx --precision int8");
    for (name, _) in KINDS {
        for (row, (a, b)) in encode(&project, &format!("out/{name}")).iter().zip(&reference(name)).enumerate() {
            let [ab, aa, bb] = [(a, b), (a, a), (b, b)].map(|(a, b)| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>());
            assert!(ab >= 0.999 * (aa * bb).sqrt(), "{name}: text {row} has a cosine of {}", ab / (aa * bb).sqrt());
        }
    }
}

#[test]
fn sentence_transformers_exports_read_back_have_the_students_vectors() {
    let project = exported("sentence-transformers");
    for (name, _) in KINDS {
        assert_near(name, &encode(&project, &format!("out/{name} --engine candle")), &reference(name));
    }
}

#[test]
fn sentence_transformers_gives_the_students_vectors_of_an_export() {
    let project = exported("sentence-transformers");
    // `python3` unless LIMBECK_PYTHON names another.
    let python = std::env::var("LIMBECK_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/sentence_transformers_export.py");
    for (name, _) in KINDS {
        let mut command = Command::new(&python);
        // Without this the library asks the hub for a model of that name.
        command.current_dir(project.path("")).env("HF_HUB_OFFLINE", "1");
        command.args([script, &format!("out/{name}"), "odd.jsonl", &format!("{name}.jsonl")]);
        let Ok(output) = command.output() else { return eprintln!("skipped: {python} is missing") };
        let Outcome { code, stdout, stderr, .. } = Outcome::new(name, &output);
        if code == Some(77) {
            return eprintln!("skipped: sentence-transformers is missing ({})", stdout.trim());
        }
        assert_eq!(code, Some(0), "{name}: {stdout}{stderr}");
    }
}

#[test]
fn a_tokenizer_of_a_sentence_transformers_folder_that_is_none_is_named() {
    let project = STUDENTS.copy();
    project.succeed("export --model max-pooled --format sentence-transformers --to st");
    for json in ["[]", "\"x\"", "3", "{}", "{\"model\": []}", "{\"model\": 3}"] {
        project.write("st/tokenizer.json", json);
        project.fail("encode --model st --input text.txt --to vectors.npy").told(&["tokenizer.json"]);
    }
}

#[test]
fn weights_of_a_sentence_transformers_folder_that_are_not_finite_are_named() {
    let project = STUDENTS.copy();
    project.succeed("export --model max-pooled --format sentence-transformers --to st");
    let mut bytes = project.read("st/model.safetensors");
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    project.write("st/model.safetensors", bytes);
    project.fail("encode --model st --input text.txt --to vectors.npy").told(&["model.safetensors", "finite"]);
}

#[test]
fn a_precision_that_a_format_lacks_is_refused() {
    for (format, precision) in [("onnx", "f16"), ("safetensors", "int8"), ("sentence-transformers", "f16")] {
        let export = format!("export --model whole --format {format} --precision {precision} --to out");
        STUDENTS.refuse(&export).told(&[format, precision]);
    }
}

#[test]
fn an_export_over_a_students_folder_fails() {
    for format in ["onnx", "sentence-transformers"] {
        let export = format!("export --model whole --format {format} --to max-pooled");
        STUDENTS.copy().fail(&export).told(&["max-pooled"]);
    }
}

#[test]
fn an_export_is_written_over_an_earlier_one() {
    let project = STUDENTS.copy();
    for format in ["onnx", "onnx", "sentence-transformers", "sentence-transformers"] {
        project.succeed(&format!("export --model whole --format {format} --to out/{format}"));
    }
}

#[test]
fn an_onnx_file_beside_its_student_puts_no_special_tokens_around_texts() {
    let project = STUDENTS.copy();
    project.succeed("export --model whole --format onnx --to whole/whole.onnx");
    assert_near("whole.onnx", &encode(&project, "whole/whole.onnx"), &reference("whole"));
}

#[test]
fn a_shortened_vector_is_the_beginning_of_the_whole_one_at_unit_length() {
    let (whole, short) = (encode(&STUDENTS, "whole"), encode(&STUDENTS, "whole --dimension 10"));
    for (whole, short) in whole.iter().zip(&short) {
        let length = whole[..10].iter().map(|x| x * x).sum::<f32>().sqrt();
        assert_eq!(short.len(), 10);
        assert!(whole.iter().zip(short).all(|(whole, short)| (whole - short * length).abs() < 1e-6));
    }
}

#[test]
fn int8_vectors_are_the_rounded_127_fold() {
    let (whole, int8) = (encode(&STUDENTS, "whole"), encode(&STUDENTS, "whole --precision int8"));
    for (whole, int8) in whole.iter().zip(&int8) {
        assert!(whole.iter().zip(int8).all(|(w, i)| (w * 127.0 - i).abs() <= 0.5 && i.fract() == 0.0));
    }
}

#[test]
fn binary_vectors_are_the_signs() {
    let whole = encode(&STUDENTS, "whole");
    let binary = encode(&STUDENTS, "whole --dimension 10 --precision binary");
    for (whole, binary) in whole.iter().zip(&binary) {
        let bits: Vec<u8> = binary.iter().map(|&byte| byte as u8).collect();
        assert_eq!(bits.len(), 2);
        assert!((0..10).all(|at| (bits[at / 8] >> (7 - at % 8) & 1 == 1) == (whole[at] > 0.0)));
    }
}

#[test]
fn numpy_files_have_the_type_of_the_precision() {
    let project = STUDENTS.copy();
    let rows = project.text("odd.jsonl").lines().count();
    for (kind, bytes, name) in [("f32", 4, "<f4"), ("f16", 2, "<f2"), ("int8", 1, "|i1")] {
        project.succeed(&format!("encode --model whole --input odd.jsonl --precision {kind} --to out.npy"));
        let npy = project.read("out.npy");
        assert_eq!(npy.len(), 128 + rows * 32 * bytes);
        assert!(String::from_utf8_lossy(&npy[..128]).contains(&format!("'descr': '{name}'")));
    }
}

#[test]
fn parquet_files_are_written_in_every_precision() {
    let project = STUDENTS.copy();
    for kind in ["f32", "f16", "int8"] {
        project.succeed(&format!("encode --model whole --input odd.jsonl --precision {kind} --to {kind}.parquet"));
        assert!(project.has(format!("{kind}.parquet")));
    }
}

#[test]
fn more_dimensions_than_a_model_has_are_refused_with_the_number() {
    STUDENTS.refuse("encode --model whole --input odd.jsonl --dimension 33").told(&["32"]);
}

#[test]
fn a_shortened_student_gives_as_many_numbers_in_every_engine() {
    let project = STUDENTS.copy();
    for (name, _) in KINDS {
        project.succeed(&format!("shorten --model {name} --dimension 5 --input text.txt --to short/{name}"));
        let candle = encode(&project, &format!("short/{name} --engine candle"));
        assert!(candle.iter().all(|vector| vector.len() == 5), "{name}");
        project.succeed(&format!("export --model short/{name} --format folded --to {name}.limbeck"));
        assert_near(name, &encode(&project, &format!("{name}.limbeck")), &candle);
    }
}

#[test]
fn a_student_cannot_be_shortened_to_more_numbers_than_it_has_or_to_none() {
    for dimension in ["0", "100000"] {
        let shorten = format!("shorten --model whole --dimension {dimension} --input text.txt --to short");
        STUDENTS.copy().fail(&shorten).told(&["dimension", "from 1 to"]);
    }
}
