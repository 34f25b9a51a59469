//! Passes the commit, the target and the features of the build to `limbeck --version`.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    // Without such a line cargo would run this after every change of a file.
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let commit = of_checkout(&root).or_else(|| of_package(&root)).unwrap_or_else(|| "unknown commit".into());
    println!("cargo::rustc-env=LIMBECK_COMMIT={commit}");
    println!("cargo::rustc-env=LIMBECK_TARGET={}", std::env::var("TARGET").unwrap_or_default());
    let mut features: Vec<String> = std::env::vars()
        .filter_map(|(name, _)| Some(name.strip_prefix("CARGO_FEATURE_")?.to_lowercase().replace('_', "-")))
        .filter(|name| name != "default")
        .collect();
    features.sort();
    let features = if features.is_empty() { "none".into() } else { features.join(", ") };
    println!("cargo::rustc-env=LIMBECK_FEATURES={features}");
}

/// The commit of the checkout with this root; a repository around it belongs to another project.
fn of_checkout(root: &Path) -> Option<String> {
    let top = PathBuf::from(git(root, &["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    // HEAD changes with the branch, the branch's file with a commit, and packed-refs where that file is packed away.
    let branch = git(root, &["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD".to_owned(), "packed-refs".to_owned()].into_iter().chain(branch) {
        if let Some(path) = git(root, &["rev-parse", "--git-path", &name]) {
            // A file that isn't there would count as changed each time.
            let path = root.join(path);
            if path.is_file() {
                println!("cargo::rerun-if-changed={}", path.display());
            }
        }
    }
    Some(format!("commit {}", git(root, &["rev-parse", "--short=12", "HEAD"])?))
}

/// The commit that `cargo package` notes in a crate.
fn of_package(root: &Path) -> Option<String> {
    let noted = std::fs::read_to_string(root.join(".cargo_vcs_info.json")).ok()?;
    let (_, rest) = noted.split_once("\"sha1\"")?;
    let sha1 = rest.split('"').nth(1)?;
    let short = sha1.get(..12).filter(|short| short.chars().all(|c| c.is_ascii_hexdigit()))?;
    Some(format!("commit {short}"))
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").current_dir(root).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
