//! The tables of results in the documents are what the command makes of the summaries beside them.

use std::path::{Path, PathBuf};

use super::support::{run, succeed};

const DOCUMENT: &str = "docs/results/README.md";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// Each command of the document that prints a table, and the lines of the table after it.
fn tables(document: &str) -> Vec<(String, Vec<&str>)> {
    let lines: Vec<&str> = document.lines().collect();
    let mut tables = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(first) = line.strip_prefix("    limbeck table ") else { continue };
        let mut command = first.to_owned();
        let mut next = at + 1;
        while let Some(more) = command.strip_suffix('\\') {
            command = format!("{more} {}", lines[next].trim());
            next += 1;
        }
        let table = lines[next..].iter().skip_while(|line| line.is_empty()).take_while(|line| line.starts_with('|'));
        tables.push((command, table.copied().collect()));
    }
    tables
}

#[test]
fn the_documented_tables_are_what_the_command_prints() {
    let document = std::fs::read_to_string(root().join(DOCUMENT)).unwrap();
    let tables = tables(&document);
    assert!(tables.len() >= 2, "{DOCUMENT} has no tables");
    for (command, wanted) in tables {
        let arguments: Vec<&str> = ["table"].into_iter().chain(command.split_whitespace()).collect();
        let printed = succeed(&root(), &arguments);
        assert_eq!(printed.lines().collect::<Vec<_>>(), wanted, "limbeck {}", arguments.join(" "));
    }
}

#[test]
fn every_summary_kept_has_the_recipe_that_made_it() {
    for entry in std::fs::read_dir(root().join("docs/results")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".json") else { continue };
        let recipe = name.split("-seed").next().unwrap();
        assert!(root().join(format!("pipelines/{recipe}.toml")).is_file(), "{name} has no recipe");
    }
}

#[test]
fn a_folder_without_a_summary_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["table", "."]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("summary.json") && said.contains("hint: "), "{said}");
}
