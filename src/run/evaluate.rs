//! The stages `evaluate` and `bench`: the quality of a run's models, then their speed, side by side.

use limbeck_data::Monitor;
use limbeck_encoder::{Embeddings, Student};
use limbeck_student::distil::Targets;
use limbeck_teacher::onnx::OnnxPrecision;
use serde_json::json;

use super::context::{Context, STATIC_START, STATIC_TRAINED};
use super::stage::Stage;
use super::teach::START_FILE;
use crate::error::Result;
use crate::measure::evaluation::{Candidate, EvaluationData, evaluate, measure_teacher};
use crate::measure::fidelity::Reference;
use crate::measure::linear_probe::TopicCorpus;
use crate::measure::speed::{Settings, measure_speed};
use crate::measure::sts::read_sets;
use crate::measure::{NamedModel, held_out, word_order};
use crate::summary::ModelRole;

/// Speed is measured on at most this many texts.
const BENCH_TEXTS: usize = 20_000;

/// The pairs that word order is measured with, which `limbeck evaluate --word-order` reads too.
const WORD_ORDER_FILE: &str = "word-order.tsv";

impl Context<'_> {
    /// All models: the teacher (and its int8 export, where that made the cache), the student in both precisions, baselines.
    fn candidates(&self) -> Result<Vec<Candidate>> {
        let mut all = Vec::new();
        if self.plan.teacher().is_some() {
            all.push(Candidate::new("teacher", ModelRole::Teacher, self.teacher(OnnxPrecision::F32)?));
            if self.plan.recipe.train_teacher.is_some() {
                all.push(Candidate::new("teacher, untrained", ModelRole::Baseline, self.teacher_file(START_FILE)?));
            }
            if self.int8() {
                all.push(Candidate::new("teacher int8", ModelRole::Teacher, self.teacher(OnnxPrecision::Int8)?));
            }
        }
        let exports = self.folder.join("exports");
        let open = |file: &str| -> Result<Student> {
            Ok(Student::load(exports.join(format!("{file}.limbeck")))?.with_threads(self.plan.threads)?)
        };
        all.push(Candidate::new("student", ModelRole::Student, open("student.f32")?));
        all.push(Candidate::new("student int8", ModelRole::Student, open("student.int8")?));
        for (name, _) in self.baselines() {
            let shown = match name {
                STATIC_START => "static, untrained",
                STATIC_TRAINED => "static, trained",
                other => other,
            };
            all.push(Candidate::new(shown, ModelRole::Baseline, open(&format!("{name}.f32"))?));
        }
        Ok(all)
    }

    fn evaluation_data(&self) -> Result<EvaluationData> {
        let (cache, held_out) = self.caches()?;
        let tokenizer = self.tokenizer(&cache)?;
        let targets = Targets { cache: &cache, held_out: held_out.as_ref(), tokenizer: &tokenizer, max_tokens: None };
        let held_out = targets.held_out()?;
        let settings = &self.plan.recipe.evaluate;
        let mut pairs = Vec::new();
        if settings.word_order && self.plan.teacher().is_some() {
            let sentences: Vec<&str> =
                held_out.texts.iter().take(settings.word_order_sentences).map(String::as_str).collect();
            pairs = word_order::pairs(&sentences, 1);
            if word_order::has_enough_pairs(&pairs) {
                word_order::write(&self.folder.join(WORD_ORDER_FILE), &pairs)?;
            } else {
                let note = "evaluate: too few held-out sentences have five words or more, so word order is left out";
                self.progress.note(note);
                pairs.clear();
            }
        }
        let path = self.home_folder(Stage::Text).join("text").join(limbeck_data::text::DOCUMENTS_FILE);
        let labelled = self.plan.recipe.text.source.iter().any(|source| source.label);
        Ok(EvaluationData {
            sets: read_sets(&self.plan.sts)?,
            teacher: Reference::new(Embeddings::new(held_out.vectors, held_out.dimension))?,
            held_out: held_out.texts,
            pairs,
            topics: (labelled && path.is_file()).then(|| TopicCorpus::read(&path)).transpose()?,
        })
    }

    /// Measures the quality of every model.
    pub(super) fn evaluate(&self) -> Result<()> {
        let (candidates, data) = (self.candidates()?, self.evaluation_data()?);
        let monitor = Monitor::new(self.progress, &self.interrupt);
        let teacher_figures =
            |teacher: &Candidate| self.remembered(&teacher.name, || measure_teacher(teacher, &data, monitor));
        let evaluation = evaluate(&candidates, &data, teacher_figures, monitor)?;
        self.write_json(held_out::FILE, &json!(evaluation.held_out))?;
        self.write_json("evaluation.json", &json!(evaluation.rows))
    }

    /// Measures the speed of every model, side by side.
    pub(super) fn bench(&self) -> Result<()> {
        let candidates = self.candidates()?;
        let models: Vec<NamedModel<'_>> = candidates.iter().map(Candidate::model).collect();
        let texts = self.bench_texts()?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let recipe = &self.plan.recipe.bench;
        let settings = Settings {
            rounds: recipe.rounds,
            round: std::time::Duration::from_secs_f64(recipe.seconds),
            ..Settings::default()
        };
        let measured = measure_speed(&models, &texts, &settings, Monitor::new(self.progress, &self.interrupt))?;
        self.write_json("bench.json", &json!(measured))
    }

    fn bench_texts(&self) -> Result<Vec<String>> {
        if self.plan.teacher().is_some() {
            return self.prepared_texts(BENCH_TEXTS);
        }
        let (cache, _) = self.caches()?;
        let mut texts = cache.read(0)?.texts;
        texts.truncate(BENCH_TEXTS);
        Ok(texts)
    }
}
