//! The programs in `examples/`, run on small inputs, and the commands and links that documents show.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use limbeck_encoder::Precision;
use limbeck_encoder::folded::{Parts, write};

const LIMBECK: &str = env!("CARGO_BIN_EXE_limbeck");
const WORDS: [&str; 6] = ["[UNK]", "dog", "cat", "sees", "hears", "music"];

/// An example's program, which `cargo test` builds beside the command.
fn example(name: &str) -> PathBuf {
    let path = Path::new(LIMBECK).parent().unwrap().join("examples").join(name);
    let path = path.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.is_file(), "{}: build it with `cargo build --release --examples`", path.display());
    path
}

fn succeed(folder: &Path, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> String {
    let output = Command::new(program).current_dir(folder).args(arguments).output().expect("the program starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with a static student of eight dimensions, its tokenizer and some sentences.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let vocabulary: serde_json::Map<_, _> =
        WORDS.iter().enumerate().map(|(id, word)| ((*word).to_owned(), id.into())).collect();
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    });
    std::fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let rows = WORDS.len() + 1;
    let parts = Parts {
        vocabulary: rows,
        dimension: 8,
        skip_table: Some((0..rows * 8).map(|at| (at * 7919 % 1000) as f32 / 500.0 - 1.0).collect()),
        tokenizer: tokenizer.to_string().into_bytes(),
        empty_token: rows as u32 - 1,
        ..Parts::default()
    };
    write(&folder.path().join("student.limbeck"), &parts, Precision::Int8).unwrap();
    let words = &WORDS[1..];
    let sentences = words.iter().flat_map(|a| words.iter().flat_map(move |b| words.iter().map(move |c| [a, b, c])));
    let sentences: Vec<String> = sentences.map(|[a, b, c]| format!("{a} {b} {c}")).collect();
    std::fs::write(folder.path().join("texts.txt"), sentences.join("\n")).unwrap();
    folder
}

#[test]
fn search_finds_the_line_that_is_the_query() {
    let folder = project();
    let printed = succeed(folder.path(), example("search"), &["student.limbeck", "texts.txt", "dog sees music"]);
    assert!(printed.starts_with("1.000  "), "{printed}");
    assert_eq!(printed.lines().count(), 5);
}

#[test]
fn distil_makes_a_student_from_vectors_made_elsewhere() {
    let folder = project();
    let encode = ["encode", "--model", "student.limbeck", "--input", "texts.txt", "--to", "vectors.parquet"];
    succeed(folder.path(), LIMBECK, &encode);
    let printed = succeed(folder.path(), example("distil"), &["vectors.parquet", "made", "tokenizer.json"]);
    assert!(printed.contains("held-out cosine"), "{printed}");
    let vectors =
        succeed(folder.path(), LIMBECK, &["encode", "--model", "made/student.int8.limbeck", "--input", "texts.txt"]);
    assert_eq!(vectors.lines().count(), 125);
}

#[test]
fn pictures_are_drawn_from_a_report() {
    let folder = project();
    let summary = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/results/english-m.json");
    std::fs::copy(summary, folder.path().join("summary.json")).unwrap();
    succeed(folder.path(), LIMBECK, &["report", ".", "--to", "report.html"]);
    succeed(folder.path(), example("pictures"), &["report.html", "."]);
    for (name, said) in [("report.svg", "Quality against speed"), ("how-it-works.svg", "narrow convolution")] {
        let drawn = std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(drawn.starts_with("<svg ") && drawn.ends_with("</svg>\n") && drawn.contains(said), "{name}: {drawn}");
    }
}

/// The documents with their paths from the root.
fn documents() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root.join(name)).into();
    for folder in ["docs", "docs/results"] {
        let files = std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        paths.extend(files.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn documented_commands_have_the_options_that_documents_give_them() {
    let folder = tempfile::tempdir().unwrap();
    let (mut helps, mut checked) = (HashMap::new(), 0);
    for (path, document) in documents() {
        for line in document.replace("\\\n", "").lines().filter(|line| line.starts_with("    ")) {
            let Some(at) = line.find("limbeck ").filter(|&at| at == 4 || line[..at].ends_with("| ")) else { continue };
            let mut words = line[at..].split_whitespace().skip(1);
            let command = words.next().unwrap();
            let help = helps
                .entry(command.to_owned())
                .or_insert_with(|| succeed(folder.path(), LIMBECK, &[command, "--help"]).replace(['<', ','], " "));
            for option in words.filter(|word| word.starts_with("--")) {
                let known = help.split_whitespace().any(|word| word == option);
                assert!(known, "{}: {line}\nlimbeck {command} has no {option}", path.display());
            }
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked} commands");
}

#[test]
fn documents_link_to_files_that_are_there() {
    for (path, document) in documents() {
        for link in document.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            let file = link.split('#').next().unwrap();
            let there = file.contains("://") || file.is_empty() || path.parent().unwrap().join(file).exists();
            assert!(there, "{} links to {link}", path.display());
        }
    }
}
