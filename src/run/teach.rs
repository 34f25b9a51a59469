//! The teacher's stages: fetching, text, export, embedding.

use std::path::{Path, PathBuf};

use limbeck_data::assets::{Asset, Uri};
use limbeck_data::cache::{CacheSpec, Fingerprint, SHARD_ROWS};
use limbeck_data::{Monitor, files};
use limbeck_data::text::{self, PreparedText, Source, TextPlan};
use limbeck_encoder::{Precision, Tokenizer};
use limbeck_teacher::embed::{EmbedJob, run as embed};
use limbeck_teacher::onnx;
use limbeck_teacher::{OnnxEncoder, OnnxOptions, TeacherFolder};
use serde_json::json;

use super::context::Context;
use super::stage::Stage;
use crate::error::{Error, Result};
use crate::measure::fidelity;
use crate::measure::word_order::another_order;
use crate::recipe::{CacheOrigin, Plan, TeacherSection};

/// The start of a trained teacher, in the teacher's folder.
pub(super) const START_FILE: &str = "start.onnx";

/// What a run was made from.
const ASSETS_FILE: &str = "assets.json";

fn noted_as(asset: &Asset) -> serde_json::Value {
    json!({"path": asset.path, "sha256": asset.sha256})
}

impl Context<'_> {
    /// Fetches everything that the recipe names, and notes what came with its hash.
    pub(super) fn fetch(&self) -> Result<()> {
        let recipe = &self.plan.recipe;
        let mut wanted: Vec<(&Uri, Option<&str>)> = Vec::new();
        if let Some(teacher) = self.plan.teacher() {
            wanted.push((&teacher.uri, recipe.teacher.as_ref().and_then(|teacher| teacher.sha256.as_deref())));
            if std::env::var_os(limbeck_teacher::LIBRARY_VARIABLE).is_none() {
                wanted.push((&self.plan.runtime, None));
            }
        }
        wanted.extend(
            self.plan.text.iter().zip(&recipe.text.source).map(|(uri, source)| (uri, source.sha256.as_deref())),
        );
        let Plan { tokenizer, examples, student_examples, exclude, .. } = &self.plan;
        let others = tokenizer.iter().chain(examples).chain(student_examples).chain(exclude);
        wanted.extend(others.map(|uri| (uri, None)));
        let mut fetched = serde_json::Map::new();
        for (uri, sha256) in wanted {
            self.interrupt.check()?;
            let asset = self.store.fetch(uri, sha256, self.progress)?;
            fetched.insert(uri.to_string(), noted_as(&asset));
        }
        if self.plan.teacher().is_some() {
            // Found out now rather than after the embedding.
            let (folder, _) = self.start_folder()?;
            self.check_width(folder.config.hidden_size)?;
        }
        self.write_json(ASSETS_FILE, &json!(fetched))
    }

    /// The asset of a recipe's URI, fetched if it is gone, and noted among the others that the run was made from.
    pub(super) fn noted_asset(&self, uri: &Uri) -> Result<PathBuf> {
        let asset = self.store.fetch(uri, None, self.progress)?;
        let path = self.folder.join(ASSETS_FILE);
        let mut noted: serde_json::Map<String, serde_json::Value> = match std::fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|source| Error::Json { what: "list of assets", path, source })?
            }
            Err(_) => serde_json::Map::new(),
        };
        noted.insert(uri.to_string(), noted_as(&asset));
        self.write_json(ASSETS_FILE, &json!(noted))?;
        Ok(asset.path)
    }

    /// Writes `value` to the file `name` of the run's folder.
    pub(super) fn write_json(&self, name: &str, value: &serde_json::Value) -> Result<()> {
        Ok(files::write_bytes(&self.folder.join(name), format!("{value:#}\n").as_bytes())?)
    }

    /// Reads, sifts and splits the text.
    pub(super) fn prepare_text(&self) -> Result<()> {
        let section = &self.plan.recipe.text;
        let mut sources = Vec::with_capacity(section.source.len());
        for (source, uri) in section.source.iter().zip(&self.plan.text) {
            sources.push(Source {
                path: self.asset(uri, source.sha256.as_deref())?,
                column: source.column.clone(),
                encoding: source.encoding.clone(),
                unit: source.unit,
                split: source.split,
                label: source.label,
                limit: source.limit,
            });
        }
        let exclude = self.plan.exclude.iter().map(|uri| self.asset(uri, None)).collect::<Result<_>>()?;
        let plan = TextPlan {
            sources,
            exclude,
            limit: section.limit,
            seed: section.seed,
            min_chars: section.min_chars,
            max_chars: section.max_chars,
            hold_out: section.hold_out,
        };
        let further = |text: &str| another_order(text, section.reordered, section.seed);
        let summary = text::prepare_with(&plan, &self.folder.join("text"), &further, self.progress, &self.interrupt)?;
        self.progress.note(&format!("text: {summary}"));
        // Found out now rather than after the embedding.
        let held_out = PreparedText::open(&self.folder.join("text").join("held-out.parquet"))?.rows();
        if held_out < fidelity::FEWEST && self.plan.teacher().is_some() {
            let what = "sentences that text.hold_out holds out to measure by".into();
            return Err(Error::TooFew { what, found: held_out, needed: fidelity::FEWEST });
        }
        if held_out < fidelity::FEWEST_FOR_NEIGHBOURS {
            let least = fidelity::FEWEST_FOR_NEIGHBOURS;
            self.progress
                .note(&format!("text: of {held_out} held-out texts all are near: nn@10 takes {least} or more"));
        }
        Ok(())
    }

    /// The teacher's folder: what was trained, else where it starts.
    pub(super) fn teacher_folder(&self) -> Result<(TeacherFolder, TeacherSection)> {
        let (start, section) = self.start_folder()?;
        match self.plan.recipe.train_teacher {
            Some(_) => Ok((TeacherFolder::open(&self.home_folder(Stage::TrainTeacher).join("teacher"))?, section)),
            None => Ok((start, section)),
        }
    }

    /// The folder that `[teacher]` names, with what the recipe says over what the folder says.
    pub(super) fn start_folder(&self) -> Result<(TeacherFolder, TeacherSection)> {
        let none =
            || Error::Stage { stage: Stage::ExportTeacher.name().into(), what: "the recipe has no teacher".into() };
        let section = self.plan.recipe.teacher.clone().ok_or_else(none)?;
        let uri = &self.plan.teacher().ok_or_else(none)?.uri;
        let mut folder = TeacherFolder::open(&self.asset(uri, section.sha256.as_deref())?)?;
        folder.pooler = section.pooler.unwrap_or(folder.pooler);
        folder.prefix = section.prefix.clone().unwrap_or(folder.prefix);
        if let Some(most) = section.max_tokens {
            folder.check_tokens(most)?;
            folder.max_tokens = most;
        }
        Ok((folder, section))
    }

    /// Exports the teacher to ONNX, in f32 to be measured and in the recipe's precision to make the cache.
    pub(super) fn export_teacher(&self) -> Result<()> {
        let (folder, section) = self.teacher_folder()?;
        let to = self.folder.join("teacher");
        let _bar = self.progress.stage("exporting the teacher to ONNX", None, "");
        onnx::export(&folder, folder.pooler, Precision::F32, &to.join("model.onnx"))?;
        if section.precision == Precision::Int8 {
            onnx::export(&folder, folder.pooler, Precision::Int8, &to.join("model.int8.onnx"))?;
        }
        if self.plan.recipe.train_teacher.is_some() {
            // What the training is measured against.
            let (start, _) = self.start_folder()?;
            onnx::export(&start, start.pooler, Precision::F32, &to.join(START_FILE))?;
        }
        let tokenizer = Tokenizer::from_file(&folder.tokenizer)?;
        Ok(files::write_bytes(&to.join("tokenizer.json"), tokenizer.json())?)
    }

    /// The teacher in ONNX Runtime, from the run's folder.
    pub(super) fn teacher(&self, precision: Precision) -> Result<OnnxEncoder> {
        self.teacher_file(if precision == Precision::Int8 { "model.int8.onnx" } else { "model.onnx" })
    }

    /// One of the ONNX files of the teacher's folder.
    pub(super) fn teacher_file(&self, file: &str) -> Result<OnnxEncoder> {
        let folder = self.home_folder(Stage::ExportTeacher).join("teacher");
        let file = folder.join(file);
        let opener = self.opener();
        let options = OnnxOptions { threads: self.plan.threads, device: opener.device, ..OnnxOptions::default() };
        let tokenizer = Tokenizer::from_file(&folder.join("tokenizer.json"))?;
        Ok(OnnxEncoder::load(&opener.runtime()?, &file, tokenizer, &options)?)
    }

    /// Refuses a student wider than its teacher, and says where the default is.
    fn check_width(&self, teacher: usize) -> Result<()> {
        self.plan.check_width(teacher)?;
        let student = &self.plan.recipe.student;
        if student.width(teacher) < student.embedding {
            self.progress.note(&format!("student.embedding is {teacher}, as wide as the teacher's vectors"));
        }
        Ok(())
    }

    /// Fills the two caches: text to learn from, with the token vectors beside it, and held-out text.
    pub(super) fn embed(&self) -> Result<()> {
        if let CacheOrigin::Elsewhere { .. } = self.plan.cache {
            let (cache, _) = self.caches()?;
            let (rows, dimension) = (cache.rows(), cache.dimension());
            // Found out now rather than after the tokens are counted.
            self.check_width(dimension)?;
            self.progress.note(&format!("embed: {rows} vectors of {dimension} numbers are there, made elsewhere"));
            return Ok(());
        }
        let precision = self.plan.recipe.teacher.as_ref().map(|teacher| teacher.precision).unwrap_or_default();
        let teacher = self.teacher(precision)?;
        let student = self.student_tokenizer()?.map(|path| Tokenizer::from_file(&path)).transpose()?;
        let student = student.as_ref().filter(|student| student.json() != teacher.tokenizer().json());
        for (name, tokens) in [("train", true), ("held-out", false)] {
            let text = PreparedText::open(&self.home_folder(Stage::Text).join("text").join(format!("{name}.parquet")))?;
            let fingerprint = teacher.cache_fingerprint(text.sha256()?)?;
            let to = self.folder.join("cache").join(name);
            discard_other(&to, &fingerprint, self.plan.recipe.cache.storage)?;
            let texts = text.batches(SHARD_ROWS)?.map(|batch| batch.map(|batch| batch.texts));
            let job = EmbedJob {
                teacher: &teacher,
                texts: Box::new(texts),
                total: Some(text.rows() as u64),
                folder: &to,
                spec: CacheSpec::new(teacher.dimension(), self.plan.recipe.cache.storage, fingerprint),
                tokens: tokens && student.is_none(),
                student: student.filter(|_| tokens),
            };
            let summary = embed(job, Monitor::new(self.progress, &self.interrupt))?;
            let kept = if summary.kept > 0 { format!(", {} shards kept", summary.kept) } else { String::new() };
            self.progress.note(&format!("embed: {} sentences, {name}{kept}", summary.rows));
        }
        Ok(())
    }
}

/// Clears away a cache in the run's own folder that another recipe left: the run decides what lies there.
fn discard_other(folder: &Path, fingerprint: &Fingerprint, storage: limbeck_data::cache::Precision) -> Result<()> {
    if !folder.join("cache.json").is_file() {
        return Ok(());
    }
    let same = limbeck_data::cache::Cache::open(folder)
        .is_ok_and(|cache| cache.fingerprint() == Some(fingerprint) && cache.precision() == Some(storage));
    if !same {
        std::fs::remove_dir_all(folder).map_err(limbeck_data::Error::io("clear the folder", folder))?;
    }
    Ok(())
}
