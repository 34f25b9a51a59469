//! What is measured of a run's models: quality, then speed, all models side by side.

use limbeck_data::text::read_documents;
use limbeck_encoder::{Embeddings, Encoder, Student};
use limbeck_student::distil::{HeldOut, Targets};
use serde_json::{Map, json};

use super::context::{Context, STATIC_START, STATIC_TRAINED};
use super::measured::Measured;
use super::stage::Stage;
use super::teach::START_FILE;
use crate::bench::{Settings, bench};
use crate::error::Result;
use crate::evaluate::held_out::{self, Gatherer};
use crate::evaluate::probe::{Document, topic_accuracy};
use crate::evaluate::sts::{StsSet, read_sets, sts};
use crate::evaluate::word_order::{self, Pair};
use crate::evaluate::{Model, Watch, fidelity};
use crate::summary::{Fidelity, ModelSummary, Role, extra};

/// At most this many texts are benched on.
const BENCH_TEXTS: usize = 20_000;

/// The pairs that word order is measured by: `limbeck evaluate --word-order` takes them too.
const WORD_ORDER_FILE: &str = "word-order.tsv";

/// A model of the run and its place in the table.
struct Entry {
    name: String,
    role: Role,
    prefix: String,
    encoder: Box<dyn Encoder>,
}

impl Entry {
    fn model(&self) -> Model<'_> {
        Model::new(&self.name, &*self.encoder).with_prefix(&self.prefix)
    }
}

/// Labelled documents, if the text has any.
struct Documents {
    training: Vec<(String, String)>,
    held_out: Vec<(String, String)>,
}

/// What all models are measured on.
struct Material {
    sets: Vec<StsSet>,
    held_out: HeldOut,
    pairs: Vec<Pair>,
    documents: Option<Documents>,
}

impl Context<'_> {
    /// All models: teacher (and its int8 export, where that made the cache), student in both precisions, baselines.
    fn entries(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let entry = |name: &str, role, encoder: Box<dyn Encoder>| Entry {
            name: name.into(),
            role,
            prefix: String::new(),
            encoder,
        };
        if self.plan.teacher().is_some() {
            entries.push(entry("teacher", Role::Teacher, Box::new(self.teacher(limbeck_encoder::Precision::F32)?)));
            if self.plan.recipe.train_teacher.is_some() {
                let start = Box::new(self.teacher_file(START_FILE)?);
                entries.push(entry("teacher, untrained", Role::Baseline, start));
            }
            if self.int8() {
                entries.push(entry("teacher int8", Role::Teacher, Box::new(self.teacher(limbeck_encoder::Precision::Int8)?)));
            }
        }
        let exports = self.folder.join("exports");
        let open = |file: &str| -> Result<Box<dyn Encoder>> {
            Ok(Box::new(Student::load(exports.join(format!("{file}.limbeck")))?.with_threads(self.plan.threads)?))
        };
        entries.push(entry("student", Role::Student, open("student.f32")?));
        entries.push(entry("student int8", Role::Student, open("student.int8")?));
        for (name, _) in self.baselines() {
            let shown = match name {
                STATIC_START => "static, untrained",
                STATIC_TRAINED => "static, trained",
                other => other,
            };
            entries.push(entry(shown, Role::Baseline, open(&format!("{name}.f32"))?));
        }
        Ok(entries)
    }

    fn material(&self) -> Result<Material> {
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
            if word_order::enough(&pairs) {
                word_order::write(&self.folder.join(WORD_ORDER_FILE), &pairs)?;
            } else {
                let note =
                    "evaluate: too few held-out sentences of five words and more for word order, which is left out";
                self.progress.note(note);
                pairs.clear();
            }
        }
        let path = self.home_folder(Stage::Text).join("text").join(limbeck_data::text::DOCUMENTS_FILE);
        let labelled = self.plan.recipe.text.source.iter().any(|source| source.label);
        let documents = if labelled && path.is_file() {
            let mut documents = Documents { training: Vec::new(), held_out: Vec::new() };
            for document in read_documents(&path)? {
                let document = document?;
                let part = if document.held_out { &mut documents.held_out } else { &mut documents.training };
                part.push((document.text, document.label));
            }
            Some(documents)
        } else {
            None
        };
        Ok(Material { sets: read_sets(&self.plan.sts)?, held_out, pairs, documents })
    }

    /// Measures quality of every model.
    pub(super) fn evaluate(&self) -> Result<()> {
        let entries = self.entries()?;
        let material = self.material()?;
        let target = Embeddings::new(material.held_out.vectors.clone(), material.held_out.dimension);
        let mut gatherer = Gatherer::new(&material.held_out.texts);
        gatherer.add(Role::Teacher.name(), &target, true)?;
        let (mut rows, mut order) = (Vec::new(), None);
        for entry in &entries {
            self.interrupt.check()?;
            if entry.role == Role::Teacher {
                let measured = self.remembered(&entry.name, || self.measure_teacher(entry, &material, &target))?;
                order = order.or(measured.order);
                rows.push(measured.row);
                continue;
            }
            let (row, vectors) = self.measure(entry, &material, &target, order.as_deref())?;
            gatherer.add(&entry.name, &vectors, entry.name == Role::Student.name())?;
            rows.push(row);
        }
        self.write_json(held_out::FILE, &json!(gatherer.finish()))?;
        self.write_json("evaluation.json", &json!(rows))
    }

    /// What is measured of a teacher, and its similarities that the students' word order is compared with.
    fn measure_teacher(&self, entry: &Entry, material: &Material, target: &Embeddings) -> Result<Measured> {
        let watch = Watch { progress: self.progress, interrupt: &self.interrupt };
        let order = (!material.pairs.is_empty())
            .then(|| word_order::similarities(&entry.model(), &material.pairs, watch))
            .transpose()?;
        Ok(Measured { row: self.measure(entry, material, target, None)?.0, order })
    }

    /// What is measured of a model, and its vectors of the held-out texts; word order against the teacher's similarities.
    fn measure(
        &self,
        entry: &Entry,
        material: &Material,
        target: &Embeddings,
        order: Option<&[f64]>,
    ) -> Result<(ModelSummary, Embeddings)> {
        let watch = Watch { progress: self.progress, interrupt: &self.interrupt };
        let (model, info) = (entry.model(), entry.encoder.info());
        let texts: Vec<&str> = material.held_out.texts.iter().map(String::as_str).collect();
        let vectors = model.encode(&texts, "held-out texts", watch)?;
        let measured = fidelity::fidelity(target, &vectors)?;
        let mut more = Map::new();
        if let Some(centred) = measured.cosine_centred {
            more.insert(extra::COSINE_CENTRED.into(), json!(centred));
        }
        if let (Some(one_space), true) = (measured.one_space_at_10, entry.role != Role::Teacher) {
            more.insert(extra::ONE_SPACE.into(), json!(one_space));
        }
        if let Some(order) = order {
            let own = word_order::similarities(&model, &material.pairs, watch)?;
            let score = word_order::score(&material.pairs, &own, order)?;
            more.insert(extra::WORD_ORDER.into(), json!(score.average));
            more.insert(extra::WORD_ORDER_KINDS.into(), json!(score.kinds));
        }
        if let Some(documents) = &material.documents {
            let accuracy = self.topics(&model, documents, watch)?;
            more.insert(extra::TOPIC_ACCURACY.into(), json!(accuracy));
        }
        let scores = (!material.sets.is_empty()).then(|| sts(&model, &material.sets, watch)).transpose()?;
        let row = ModelSummary {
            name: entry.name.clone(),
            role: entry.role,
            parameters: info.parameters,
            bytes: info.bytes,
            dimension: info.dimension,
            sentences_per_second: None,
            average: scores.as_ref().map(|scores| scores.average),
            alignment: scores.as_ref().and_then(|scores| scores.alignment),
            uniformity: scores.as_ref().and_then(|scores| scores.uniformity),
            scores: scores.map(|scores| scores.scores).unwrap_or_default(),
            fidelity: Some(Fidelity::from(&measured)),
            engine: info.engine.into(),
            precision: info.precision.into(),
            threads: info.threads,
            extra: more,
        };
        Ok((row, vectors))
    }

    fn topics(&self, model: &Model, documents: &Documents, watch: Watch) -> Result<f64> {
        fn view(documents: &[(String, String)]) -> Vec<Document<'_>> {
            documents.iter().map(|(text, topic)| Document { text, topic }).collect()
        }
        Ok(topic_accuracy(model, &view(&documents.training), &view(&documents.held_out), watch)?.accuracy)
    }

    /// Measures the speed of every model, side by side.
    pub(super) fn bench(&self) -> Result<()> {
        let entries = self.entries()?;
        let models: Vec<Model> = entries.iter().map(Entry::model).collect();
        let texts = self.bench_texts()?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let recipe = &self.plan.recipe.bench;
        let settings = Settings {
            rounds: recipe.rounds,
            round: std::time::Duration::from_secs_f64(recipe.seconds),
            ..Settings::default()
        };
        let watch = Watch { progress: self.progress, interrupt: &self.interrupt };
        let measured = bench(&models, &texts, &settings, watch)?;
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
