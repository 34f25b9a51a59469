//! A run with a lexical half, and what commands make of such students.

use std::sync::LazyLock;

use crate::shared::FINISHED;
use crate::support::Project;

/// The width of the tiny teacher's vectors.
const DENSE: usize = 32;
const LEXICAL: usize = 16;
const RUN: &str = "run tiny.toml --set student.lexical=16";

/// The finished run of `tiny.toml` with a lexical half; `some.txt`, of whose four texts one has no known word.
static LEXICAL_RUN: LazyLock<Project> = LazyLock::new(|| {
    Project::shared("lexical", 1_500, |project| {
        let run = project.succeed(RUN);
        assert!(run.says("lexical", "16 numbers for each of 20 words of "), "{}", run.stderr);
        project.write("some.txt", "the dog sees cats\nzzyzx qwerty\ncats see the dog\nA river in the city.\n");
    })
});

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[test]
fn a_lexical_half_leaves_the_other_students_and_exports_as_they_are() {
    for name in ["student/model.safetensors", "student/config.json", "exports/student.int8.limbeck"] {
        let [with, without] = [&LEXICAL_RUN, &FINISHED].map(|project| project.read(format!("runs/tiny/{name}")));
        assert!(with == without, "{name}");
    }
    for name in ["student-lexical", "static-lexical"] {
        let config = LEXICAL_RUN.json(format!("runs/tiny/{name}/config.json"));
        assert_eq!((&config["lexical"]["dimension"], &config["lexical"]["words"]), (&16.into(), &20.into()));
        assert!(LEXICAL_RUN.has(format!("runs/tiny/exports/{name}.f32.limbeck")));
        assert!(LEXICAL_RUN.has(format!("runs/tiny/exports/{name}.int8.limbeck")));
    }
}

#[test]
fn a_lexical_half_is_measured_without_fidelity_and_told_on_the_card() {
    let summary = LEXICAL_RUN.json("runs/tiny/summary.json");
    for name in ["student, lexical", "static, lexical"] {
        let model = summary["models"].as_array().unwrap().iter().find(|model| model["name"] == name).unwrap();
        assert_eq!(model["dimension"], DENSE + LEXICAL);
        assert!(model["fidelity"].is_null() && model["extra"]["word_order"].is_null(), "{model}");
        assert!(model["scores"]["pairs"]["spearman"].is_f64(), "{model}");
    }
    assert!(LEXICAL_RUN.text("runs/tiny/student/README.md").contains("lexical half: up to 16 numbers"));
    assert!(!FINISHED.text("runs/tiny/student/README.md").contains("lexical"));
}

#[test]
fn a_lexical_half_is_up_to_date_and_another_width_fits_it_alone_anew() {
    let project = LEXICAL_RUN.copy();
    assert_eq!(project.succeed(RUN).skipped(), 11);
    let plan = project.succeed("run tiny.toml --set student.lexical=8 --dry-run");
    assert!(plan.planned("distil").starts_with("skip") && plan.planned("baselines").starts_with("skip"));
    assert!(plan.planned("lexical").contains("lexical changed"), "{}", plan.stdout);
    let files = project.files("runs/tiny/student-lexical");
    std::fs::remove_dir_all(project.path("runs/tiny/student-lexical")).unwrap();
    let again = project.succeed(RUN);
    assert!(!again.says("lexical", "skipped") && again.says("distil", "skipped"), "{}", again.stderr);
    assert!(project.files("runs/tiny/student-lexical") == files, "the same bytes");
}

#[test]
fn every_engine_gives_the_same_lexical_vectors_and_unknown_words_are_counted() {
    let encode = |model: &str| {
        let encoded = LEXICAL_RUN.succeed(&format!("encode --input some.txt --model runs/tiny/{model}"));
        encoded.told(&["1 of 4 texts have no word that the lexical half knows"]);
        encoded.vectors()
    };
    let folded = encode("student-lexical");
    let candle = encode("student-lexical --engine candle");
    let int8 = encode("exports/student-lexical.int8.limbeck");
    let dense = LEXICAL_RUN.succeed("encode --input some.txt --model runs/tiny/student").vectors();
    for (row, folded) in folded.iter().enumerate() {
        assert_eq!(folded.len(), DENSE + LEXICAL);
        assert!(folded.iter().zip(&candle[row]).all(|(a, b)| (a - b).abs() < 1e-5));
        let squares = if row == 1 { 2.0 / 3.0 } else { 1.0 };
        assert!((cosine(folded, folded) - squares).abs() < 1e-4 && cosine(folded, &int8[row]) > 0.999 * squares);
        let of_dense = cosine(&folded[..DENSE], &dense[row]);
        assert!((of_dense - (2.0f32 / 3.0).sqrt()).abs() < 1e-4, "{of_dense}");
    }
    // The same words in another order.
    assert_eq!(folded[0][DENSE..], folded[2][DENSE..]);
}

#[test]
fn a_dimension_shortens_the_dense_half_of_lexical_vectors_alone() {
    let model = "--model runs/tiny/student-lexical --input some.txt";
    let whole = LEXICAL_RUN.succeed(&format!("encode {model}")).vectors();
    let short = LEXICAL_RUN.succeed(&format!("encode {model} --dimension 8")).vectors();
    for (whole, short) in whole.iter().zip(&short) {
        assert_eq!((short.len(), &short[8..]), (8 + LEXICAL, &whole[DENSE..]));
        assert!((cosine(&short[..8], &short[..8]) - 2.0 / 3.0).abs() < 1e-4);
    }
    LEXICAL_RUN.refuse(&format!("encode {model} --dimension 40")).told(&["dense halves of 32"]);
    LEXICAL_RUN.refuse(&format!("encode {model} --precision binary --to bits.npy")).told(&["no weights", "int8"]);
}

#[test]
fn a_lexical_half_stands_beside_the_teachers_documents() {
    let line = "evaluate --model runs/tiny/student-lexical --documents runs/tiny/teacher --input text.txt --json";
    let with = LEXICAL_RUN.succeed(line).json();
    let without = LEXICAL_RUN.succeed(&line.replace("student-lexical", "student")).json();
    let found = |scored: &serde_json::Value| {
        let scored = scored.to_string();
        scored.split("\"neighbours_at_10\":").nth(1).unwrap().split([',', '}']).next().unwrap().parse::<f64>().unwrap()
    };
    // Both sides have the same half, so that more of the neighbours are found.
    assert!(found(&with) > found(&without), "{with} {without}");
    let line = "evaluate --model runs/tiny/student-lexical --teacher runs/tiny/teacher --fidelity text.txt --json";
    let with = LEXICAL_RUN.succeed(line).json().to_string();
    let without = LEXICAL_RUN.succeed(&line.replace("student-lexical", "student")).json().to_string();
    let cosine = |scored: &str| -> f64 {
        scored.split("\"cosine\":").nth(1).unwrap().split([',', '}']).next().unwrap().parse().unwrap()
    };
    assert!((cosine(&with) - cosine(&without)).abs() < 1e-5, "fidelity is that of the dense half: {with} {without}");
}

#[test]
fn exports_without_a_place_for_a_lexical_half_refuse_it() {
    let project = LEXICAL_RUN.copy();
    let export = "export --model runs/tiny/student-lexical";
    for (format, to) in [("onnx", "a.onnx"), ("onnx", "a"), ("sentence-transformers", "b")] {
        let refused = project.fail(&format!("{export} --format {format} --to {to}"));
        refused.told(&["can't hold the student's lexical half", "hint: ", "--format folded"]);
        assert!(!project.has(to));
    }
    project.succeed(&format!("{export} --format folded --precision int8 --to c.limbeck"));
    assert!(project.read("c.limbeck") == project.read("runs/tiny/exports/student-lexical.int8.limbeck"));
    project.succeed(&format!("{export} --format safetensors --to copy"));
    assert!(project.read("copy/lexical.safetensors") == project.read("runs/tiny/student-lexical/lexical.safetensors"));
    for path in ["copy", "c.limbeck"] {
        let told = project.succeed(&format!("inspect {path}")).stdout;
        assert!(told.contains("16 lexical for 20 words"), "{told}");
    }
    project.halve("copy/lexical.safetensors");
    project.fail("encode --model copy --input some.txt").told(&["copy/lexical.safetensors"]);
}

#[test]
fn a_lexical_half_is_fitted_on_a_collection_s_documents_and_on_a_cache_s_texts() {
    let project = Project::new(2_000);
    let text = project.text("text.txt");
    let lines: Vec<&str> = text.lines().collect();
    let document = |(at, part): (usize, &[&str])| {
        let title = format!("titled{at} {}", part[0]);
        serde_json::json!({"_id": format!("d{at}"), "title": title, "text": part[1..].join(". ")}).to_string() + "\n"
    };
    project.write("corpus.jsonl", lines.chunks(4).enumerate().map(document).collect::<String>());
    let source = "\n[[text.source]]\nuri = \"corpus.jsonl\"\nunits = [\"document\", \"sentence\"]\n";
    project.write_recipe("units.toml", ("\n[[text.source]]\nuri = \"text.txt\"\n", source), "");
    let run = project.succeed("run units.toml --set student.lexical=16 --set distil.epochs=1 --to lexical");
    assert!(run.says("lexical", "words of 500 documents"), "{}", run.stderr);
    project.succeed("encode --model teacher --input text.txt --to vectors.parquet");
    let recipe = "[cache]\npath = \"vectors.parquet\"\n\
                  [student]\nembedding = 16\nlexical = 4\ntokenizer = \"teacher/tokenizer.json\"\n\
                  [distil]\nepochs = 1\nbatch = 64\n";
    project.write("external.toml", recipe);
    let run = project.succeed("run external.toml --to lexical");
    assert!(run.says("lexical", "4 numbers for each of 20 words of 2,000 documents"), "{}", run.stderr);
}

#[test]
fn a_lexical_half_too_wide_is_refused_before_a_run() {
    LEXICAL_RUN.fail("run tiny.toml --set student.lexical=2000 --dry-run").told(&["student.lexical is 2000", "1024"]);
}
