//! The student that a training method starts from.

use candle_core::Device;
use limbeck_data::Monitor;
use limbeck_student::contrast::{of_words, unlearned};
use limbeck_student::distil::{Targets, start_student};
use limbeck_student::folder::StudentFolder;
use limbeck_student::start::Cooccurrence;
use serde_json::json;

use super::context::Context;
use super::given_student::given_student;
use super::stages::embed::TargetFiles;
use crate::error::Result;
use crate::recipe::{Method, StudentStart};

/// The student that `method` starts from: that of the method before it, else the one that `student.from` names, else a
/// new one, as `train_student.start` says.
pub(super) fn start_of(context: &Context, method: Method) -> Result<StudentFolder> {
    match context.plan().method_before(method) {
        Some(before) => student_of(context, before),
        None => match given_student(context)? {
            Some((_, student)) => Ok(student),
            None => new_student(context, method),
        },
    }
}

/// The student that `method` left.
pub(super) fn student_of(context: &Context, method: Method) -> Result<StudentFolder> {
    let folder = context.owner_of(method.into()).student_folder(method);
    Ok(StudentFolder::open(&folder, &Device::Cpu)?)
}

fn new_student(context: &Context, method: Method) -> Result<StudentFolder> {
    let recipe = &context.plan().recipe;
    let files = TargetFiles::open(context)?;
    let folder = context.run().student_folder(method);
    let job = files.job(context, &recipe.distil, &folder, method.name());
    let (start, seed) = (recipe.train_student.start, recipe.distil.seed);
    if start != StudentStart::Static {
        job.targets.check()?;
    }
    match start {
        StudentStart::Random => Ok(unlearned(job.config, files.tokenizer, seed)?),
        StudentStart::WordVectors => {
            let neighbours = count_cooccurrence(&job.targets, context.monitor)?;
            Ok(of_words(job.config, files.tokenizer, neighbours, seed)?)
        }
        StudentStart::Static => {
            let model = start_student(&job, context.monitor)?;
            Ok(StudentFolder { model, tokenizer: files.tokenizer, lexical: None, origin: json!({"start": "static"}) })
        }
    }
}

/// How often the tokens of the training text stand near one another.
fn count_cooccurrence(targets: &Targets, monitor: Monitor) -> Result<Cooccurrence> {
    let mut neighbours = Cooccurrence::new(targets.vocabulary());
    let bar = monitor.stage("counting neighbours", Some(targets.cache.rows()), "texts");
    for shard in 0..targets.cache.shards() {
        monitor.check()?;
        let examples = targets.examples(&targets.cache.read(shard)?)?;
        neighbours.count(&examples.tokens);
        bar.add(examples.tokens.rows() as u64);
    }
    Ok(neighbours)
}
