//! The methods by which a student learns, in a recipe's order, and those of them that need no teacher: SimCSE and AM-softmax.

use std::path::PathBuf;

use candle_core::Device;
use limbeck_student::am_softmax::{self, AmSoftmaxJob, Sentences};
use limbeck_student::contrast::{self, of_words, unlearned};
use limbeck_student::distil::{DistilJob, Targets, start_student};
use limbeck_student::folder::StudentFolder;
use limbeck_student::start::Neighbours;
use limbeck_training::contrastive::{Dev, Job, TrainingExamples};
use serde_json::{Value, json};

use super::context::Context;
use super::stage::Stage;
use crate::error::Result;
use crate::evaluate::sts::DevSets;
use crate::hold::hold;
use crate::recipe::StudentStart;

impl Context<'_> {
    /// The methods' stages in order.
    pub(super) fn methods(&self) -> impl Iterator<Item = Stage> {
        self.plan.recipe.student.methods.iter().map(|&method| method.into())
    }

    /// The method that `stage` goes on from.
    pub(super) fn method_before(&self, stage: Stage) -> Option<Stage> {
        self.methods().zip(self.methods().skip(1)).find(|&(_, next)| next == stage).map(|(before, _)| before)
    }

    /// The method whose student is the run's.
    pub(super) fn last_method(&self) -> Option<Stage> {
        self.methods().last()
    }

    /// Where a method's student lies.
    pub(super) fn method_folder(&self, stage: Stage) -> PathBuf {
        match self.last_method() == Some(stage) {
            true => self.folder.join("student"),
            false => self.folder.join("methods").join(stage.name()),
        }
    }

    /// The student that a method left.
    pub(super) fn open_method(&self, stage: Stage) -> Result<StudentFolder> {
        Ok(StudentFolder::open(&self.home(stage).method_folder(stage), &Device::Cpu)?)
    }

    /// What tells the dev sets' files from changed ones.
    pub(super) fn stamped_dev(&self) -> Vec<Value> {
        self.plan.recipe.train_student.dev.iter().map(|file| Self::stamp_content(file.as_ref())).collect()
    }

    /// What `stage` begins with: the student of the method before it, the static start, or random weights.
    fn beginning(&self, stage: Stage) -> Result<StudentFolder> {
        if let Some(before) = self.method_before(stage) {
            return self.open_method(before);
        }
        let (cache, held_out) = self.caches()?;
        let tokenizer = self.tokenizer(&cache)?;
        let max_tokens = self.plan.recipe.student.max_tokens;
        let targets = Targets { cache: &cache, held_out: held_out.as_ref(), tokenizer: &tokenizer, max_tokens };
        let config = self.student_config(&targets);
        let seed = self.plan.recipe.distil.seed;
        match self.plan.recipe.train_student.start {
            StudentStart::Static => {}
            StudentStart::Random => {
                targets.check()?;
                return Ok(unlearned(config, tokenizer, seed)?);
            }
            StudentStart::WordVectors => {
                targets.check()?;
                let neighbours = self.neighbours(&targets)?;
                return Ok(of_words(config, tokenizer, neighbours, seed)?);
            }
        }
        let job = DistilJob {
            config,
            targets,
            settings: &self.plan.recipe.distil,
            student: None,
            folder: &self.method_folder(stage),
            metrics: self.folder.join("metrics.jsonl"),
            stage: stage.name(),
            device: Device::Cpu,
        };
        let model = start_student(&job, limbeck_data::Monitor::newlimbeck_data::Monitor::new(self.progress, &self.interrupt))?;
        Ok(StudentFolder { model, tokenizer, origin: json!({"start": "static"}) })
    }

    /// How often the tokens of the training text stand near one another.
    fn neighbours(&self, targets: &Targets) -> Result<Neighbours> {
        let mut neighbours = Neighbours::new(targets.vocabulary());
        let bar = self.progress.stage("counting neighbours", Some(targets.cache.rows()), "texts");
        for shard in 0..targets.cache.shards() {
            self.interrupt.check()?;
            let examples = targets.examples(&targets.cache.read(shard)?)?;
            neighbours.count(&examples.tokens);
            bar.add(examples.tokens.rows() as u64);
        }
        Ok(neighbours)
    }

    /// Trains the student by SimCSE, on the recipe's text or its labelled examples.
    pub(super) fn simcse(&self) -> Result<()> {
        let (stage, section) = (Stage::Simcse, &self.plan.recipe.train_student);
        let student = self.beginning(stage)?;
        let limit = section.limit.unwrap_or(usize::MAX);
        let (texts, labelled);
        let examples = match &self.plan.student_examples {
            Some(uri) => {
                labelled = self.examples(stage.name(), uri, &section.columns, limit)?;
                TrainingExamples::Labelled(&labelled)
            }
            None => {
                texts = self.training_texts(&student, limit)?;
                TrainingExamples::Texts(&texts)
            }
        };
        let folder = self.method_folder(stage);
        let _held = hold(&folder)?;
        let dev = DevSets::read(&section.dev, &self.interrupt)?;
        let job = Job {
            examples,
            settings: &section.simcse,
            dev: dev.as_ref().map(|dev| dev as &dyn Dev),
            folder: &folder,
            metrics: self.folder.join("metrics.jsonl"),
            stage: stage.name(),
        };
        let summary = contrast::train(student, &section.contrast(), &job, limbeck_data::Monitor::new(self.progress, &self.interrupt))?;
        self.progress.note(&format!("{}: {summary}", stage.name()));
        Ok(())
    }

    /// Trains the student with every text of the cache its own class.
    pub(super) fn am_softmax(&self) -> Result<()> {
        let stage = Stage::AmSoftmax;
        let student = self.beginning(stage)?;
        let (cache, held_out) = self.caches()?;
        let folder = self.method_folder(stage);
        let _held = hold(&folder)?;
        let dev = DevSets::read(&self.plan.recipe.train_student.dev, &self.interrupt)?;
        let job = AmSoftmaxJob {
            sentences: Sentences::Cache { cache: &cache, held_out: held_out.as_ref() },
            settings: &self.plan.recipe.am_softmax,
            dev: dev.as_ref().map(|dev| dev as &dyn Dev),
            folder: &folder,
            metrics: self.folder.join("metrics.jsonl"),
            stage: stage.name(),
        };
        let summary = am_softmax::train(student, &job, limbeck_data::Monitor::new(self.progress, &self.interrupt))?;
        self.progress.note(&format!("{}: {summary}", stage.name()));
        Ok(())
    }

    /// The recipe's text without what is held out, or that of a cache made elsewhere.
    fn training_texts(&self, student: &StudentFolder, limit: usize) -> Result<Vec<String>> {
        if self.plan.teacher().is_some() {
            return self.prepared_texts(limit);
        }
        let (cache, held_out) = self.caches()?;
        let targets = Targets {
            cache: &cache,
            held_out: held_out.as_ref(),
            tokenizer: &student.tokenizer,
            max_tokens: student.model.config.max_tokens,
        };
        Ok(targets.training_texts(limit)?)
    }
}
