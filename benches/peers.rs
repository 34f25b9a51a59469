//! limbeck beside what others use, where that is installed: `benches/peers/README.md`.
//!
//! ```sh
//! benches/peers/setup.sh && limbeck run pipelines/quickstart.toml
//! LIMBECK_STS="STS12.test.tsv STSB.test.tsv" cargo bench --bench peers
//! ```
//!
//! Makes a Model2Vec model of the quick start's teacher, once, and hands all over to `run.py`. What is missing is
//! named, and nothing is measured then.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const RUN: &str = "runs/quickstart";

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    match contest(root) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(missing) => {
            println!("peers: skipped: {missing}");
            ExitCode::SUCCESS
        }
    }
}

/// Runs the contest and says whether it came to its end, or what is missing for it.
fn contest(root: &Path) -> Result<bool, String> {
    let python = root.join("benches/peers/.venv/bin/python");
    let student = root.join(RUN).join("exports/student.int8.limbeck");
    let control = root.join(RUN).join("exports/static-trained.f32.limbeck");
    there(&python, "benches/peers/setup.sh makes it")?;
    there(&student, "`limbeck run pipelines/quickstart.toml` makes it")?;
    let sts = std::env::var("LIMBECK_STS").map_err(|_| "name STS files in LIMBECK_STS".to_owned())?;
    let (teacher, runtime) = assets(&root.join(RUN).join("assets.json"))?;
    let model2vec = root.join("target/peers-model2vec");
    if !model2vec.join("config.json").exists() {
        let mut distil = Command::new(&python);
        distil.arg(root.join("benches/peers/distil.py")).args([&teacher, &model2vec]);
        let status = distil.status().map_err(|error| error.to_string())?;
        if !status.success() {
            return Ok(false);
        }
    }
    let mut run = Command::new(&python);
    run.arg(root.join("benches/peers/run.py"))
        .arg("--student")
        .arg(format!("limbeck, int8={}", student.display()))
        .arg("--student")
        .arg(format!("limbeck, static={}", control.display()))
        .arg("--model2vec")
        .arg(model2vec)
        .arg("--teacher")
        .arg(teacher)
        .arg("--onnx")
        .arg(root.join(RUN).join("teacher"))
        .arg("--sts")
        .args(sts.split_whitespace())
        .env("ORT_DYLIB_PATH", runtime);
    Ok(run.status().map_err(|error| error.to_string())?.success())
}

fn there(path: &Path, how: &str) -> Result<(), String> {
    path.exists().then_some(()).ok_or_else(|| format!("no {} ({how})", path.display()))
}

/// Where the run found its teacher's folder and ONNX Runtime.
fn assets(path: &Path) -> Result<(PathBuf, PathBuf), String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let assets: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let find = |part: &str| {
        let assets = assets.as_object().into_iter().flatten();
        let found = assets.filter(|(uri, _)| uri.contains(part)).find_map(|(_, asset)| asset["path"].as_str());
        found.map(PathBuf::from).ok_or_else(|| format!("{} names no {part}", path.display()))
    };
    Ok((find("minilm")?, find("onnxruntime")?))
}
