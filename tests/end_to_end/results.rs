//! The tables of results in the documents are what the command prints from the summaries beside them.

use std::path::{Path, PathBuf};

use crate::support::Project;

const DOCUMENT: &str = "docs/results/README.md";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// Each command of the document that prints a table, and the lines of the table after the command.
fn tables(document: &str) -> Vec<(String, Vec<&str>)> {
    let lines: Vec<&str> = document.lines().collect();
    let mut tables = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(first) = line.strip_prefix("    limbeck ").filter(|line| line.starts_with("table ")) else { continue };
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
    let project = Project::at(&root());
    for (command, expected) in tables {
        let printed = project.succeed(&command).stdout;
        assert_eq!(printed.lines().collect::<Vec<_>>(), expected, "limbeck {command}");
    }
}

#[test]
fn every_summary_in_the_documents_has_a_recipe() {
    for entry in std::fs::read_dir(root().join("docs/results")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".json") else { continue };
        let recipe = name.split("-seed").next().unwrap();
        assert!(root().join(format!("pipelines/{recipe}.toml")).is_file(), "{name} has no recipe");
    }
}

#[test]
fn a_folder_without_a_summary_is_named() {
    Project::empty().fail("table .").told(&["summary.json", "hint: "]);
}
