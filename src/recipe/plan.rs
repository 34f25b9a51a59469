//! [`Plan`]: what a recipe means, checked, with names parsed.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use limbeck_data::assets::Uri;
use limbeck_data::cache::Columns;
use limbeck_data::text::CollectionUnit;
use limbeck_encoder::Precision;
use limbeck_student::config::StudentConfig;
use limbeck_student::vocabulary::Vocabulary;
use limbeck_teacher::OnnxDevice;
use serde_json::Value;

use super::load::COMMAND_LINE;
use super::schema::problem::{Check, Problem, problem};
use super::schema::{ApiSection, CacheSection, Method, Recipe, StudentStart};
use crate::error::{Error, Result};

/// More threads than this are taken for a mistake.
pub const MOST_THREADS: usize = 1024;

/// The number of cores.
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get())
}

/// What a recipe means: checked, with names parsed.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The recipe as it was read, without the sets that are missing here and may be.
    pub recipe: Recipe,
    /// The sets that are missing here.
    pub missing_sets: Vec<PathBuf>,
    /// Threads of everything that computes.
    pub threads: usize,
    /// The ONNX Runtime library.
    pub runtime: Uri,
    /// Where the targets come from.
    pub cache: CacheOrigin,
    /// The tokenizer that the recipe names for the student, or in place of the one that an API lacks.
    pub tokenizer: Option<Uri>,
    /// The student to go on from, in place of a new one.
    pub from: Option<StudentUri>,
    /// The student's own vocabulary, if it has one.
    pub vocabulary: Option<Vocabulary>,
    /// The text's sources.
    pub text: Vec<Uri>,
    /// Files whose sentences are never trained on.
    pub exclude: Vec<Uri>,
    /// The labelled examples that the teacher is trained on.
    pub examples: Option<Uri>,
    /// The labelled examples that the student is trained on by SimCSE.
    pub student_examples: Option<Uri>,
}

/// A student to go on from.
#[derive(Debug, Clone)]
pub struct StudentUri {
    /// Its folder, or its run's.
    pub uri: Uri,
    /// What tells its files from others, once they were hashed.
    stamp: OnceLock<Value>,
}

impl StudentUri {
    fn new(uri: Uri) -> Self {
        Self { uri, stamp: OnceLock::new() }
    }

    /// What tells its files from others, made by `make` the first time: large files are hashed once in a run.
    pub fn stamp(&self, make: impl FnOnce(&Uri) -> Value) -> Value {
        self.stamp.get_or_init(|| make(&self.uri)).clone()
    }
}

/// Where the targets come from.
#[derive(Debug, Clone)]
pub enum CacheOrigin {
    /// A teacher embeds the recipe's text.
    Teacher(TeacherPlan),
    /// A teacher behind an API embeds the recipe's text.
    Api,
    /// A cache made elsewhere.
    Elsewhere {
        /// Its file or folder.
        path: PathBuf,
        /// Its columns, where they are named.
        columns: Columns,
    },
}

/// The teacher of a plan.
#[derive(Debug, Clone)]
pub struct TeacherPlan {
    /// The model's folder.
    pub uri: Uri,
    /// What computes it.
    pub device: OnnxDevice,
}

impl Plan {
    /// Checks the recipe that was read from `path`.
    ///
    /// # Errors
    /// Settings that can't be, or contradict one another; the error says which.
    pub fn new(mut recipe: Recipe, path: &Path) -> Result<Self> {
        let missing_sets = recipe.evaluate.take_missing();
        let in_recipe = |Problem { what, hint }: Problem| Error::Recipe { path: path.to_path_buf(), what, hint };
        check(&recipe).map_err(in_recipe)?;
        let vocabulary = recipe.student.own_vocabulary().map_err(in_recipe)?;
        let by_simcse = recipe.student.methods.contains(&Method::Simcse);
        let student_examples = recipe.train_student.examples.as_deref().filter(|_| by_simcse);
        let examples = recipe.train_teacher.as_ref().and_then(|train| train.examples.as_deref());
        let runtime = crate::models::runtime_uri(&recipe.runtime.library).map_err(|error| {
            let hint = error.hint();
            in_recipe(Problem { what: format!("runtime.library: {error}"), hint })
        })?;
        let asset = |key: &'static str| move |uri: &str| asset(key, uri).map_err(in_recipe);
        let sources = recipe.text.source.iter().map(|source| source.uri.as_str());
        Ok(Self {
            threads: recipe.threads.unwrap_or_else(available_threads),
            runtime,
            cache: cache_origin(&recipe).map_err(in_recipe)?,
            tokenizer: named_tokenizer(&recipe).map(asset("tokenizer")).transpose()?,
            from: recipe.student.from.as_deref().map(asset("student.from")).transpose()?.map(StudentUri::new),
            vocabulary,
            text: sources.map(asset("text.source.uri")).collect::<Result<_>>()?,
            exclude: recipe
                .text
                .exclude
                .iter()
                .map(String::as_str)
                .map(asset("text.exclude"))
                .collect::<Result<_>>()?,
            examples: examples.map(asset("train_teacher.examples")).transpose()?,
            student_examples: student_examples.map(asset("train_student.examples")).transpose()?,
            recipe,
            missing_sets,
        })
    }

    /// Refuses a student wider than its teacher, whose vectors are `teacher` wide.
    pub fn check_width(&self, teacher: usize) -> Result<()> {
        self.recipe.distil.losses.matryoshka.check(teacher)?;
        let width = self.recipe.student.width(teacher);
        if width <= teacher {
            return Ok(());
        }
        let what = format!("student.embedding is {width}, the teacher's vectors have {teacher} dimensions");
        let hint = Some(format!("student.embedding = {teacher} is the widest"));
        Err(Error::Recipe { path: self.recipe.name.clone().into(), what, hint })
    }

    /// Refuses files of this machine that the recipe names and that aren't there.
    pub fn check_files(&self) -> Result<()> {
        let elsewhere = match &self.cache {
            CacheOrigin::Elsewhere { path, .. } => Some(Uri::Path(path.clone())),
            CacheOrigin::Teacher(_) | CacheOrigin::Api => None,
        };
        let tokenizer = if self.recipe.student.tokenizer.is_some() { "student" } else { "teacher.api" };
        let tokenizer = format!("{tokenizer}.tokenizer");
        let named: [(&str, Vec<&Uri>); 8] = [
            ("cache.path", elsewhere.iter().collect()),
            ("teacher.source", self.teacher().map(|teacher| &teacher.uri).into_iter().collect()),
            ("text.source", self.text.iter().collect()),
            ("text.exclude", self.exclude.iter().collect()),
            (&tokenizer, self.tokenizer.iter().collect()),
            ("student.from", self.from.iter().map(|from| &from.uri).collect()),
            ("train_teacher.examples", self.examples.iter().collect()),
            ("train_student.examples", self.student_examples.iter().collect()),
        ];
        for (key, uri) in named.into_iter().flat_map(|(key, uris)| uris.into_iter().map(move |uri| (key, uri))) {
            if let Uri::Path(path) = uri
                && !path.exists()
            {
                let what = format!("{key}: there is no {}", path.display());
                let hint = path.is_relative().then(|| "paths are relative to the folder that limbeck runs in".into());
                return Err(Error::Recipe { path: self.recipe.name.clone().into(), what, hint });
            }
        }
        Ok(())
    }

    /// The teacher that runs on this machine, where the recipe has one.
    pub fn teacher(&self) -> Option<&TeacherPlan> {
        match &self.cache {
            CacheOrigin::Teacher(teacher) => Some(teacher),
            CacheOrigin::Api | CacheOrigin::Elsewhere { .. } => None,
        }
    }

    /// The teacher behind an API, where the recipe has one.
    pub fn api(&self) -> Option<&ApiSection> {
        self.recipe.teacher.as_ref()?.api.as_ref()
    }

    /// Whether the recipe's text is embedded, by a teacher of either kind.
    pub fn embeds_text(&self) -> bool {
        !matches!(self.cache, CacheOrigin::Elsewhere { .. })
    }

    /// The precision in which the teacher fills the cache.
    pub fn teacher_precision(&self) -> Precision {
        self.recipe.teacher.as_ref().map_or(Precision::F32, |teacher| teacher.precision)
    }

    /// The method whose student is the run's.
    pub fn last_method(&self) -> Option<Method> {
        self.recipe.student.methods.last().copied()
    }

    /// The method whose student `method` starts from.
    pub fn method_before(&self, method: Method) -> Option<Method> {
        let methods = &self.recipe.student.methods;
        methods.windows(2).find(|pair| pair[1] == method).map(|pair| pair[0])
    }
}

/// Refuses keys of the recipe's `[student]` that contradict the student `config`, from which a training goes on.
///
/// # Errors
/// Names the first such key.
pub fn check_given(recipe: &Recipe, config: &StudentConfig) -> Result<()> {
    let checked = recipe.student.check().and_then(|()| recipe.student.check_beside(config));
    let place = if recipe.name.is_empty() { COMMAND_LINE } else { &recipe.name };
    checked.map_err(|Problem { what, hint }| Error::Recipe { path: place.into(), what, hint })
}

/// The asset that `key` names.
fn asset(key: &str, uri: &str) -> Check<Uri> {
    uri.parse::<Uri>().map_err(|error| Problem { what: format!("{key}: {error}"), hint: error.hint() })
}

/// Checks every section, and what sections say of one another.
fn check(recipe: &Recipe) -> Check {
    recipe.check_name()?;
    recipe.distil.check()?;
    if let Some(threads) = recipe.threads
        && !(1..=MOST_THREADS).contains(&threads)
    {
        let hint = format!("1 to {MOST_THREADS} are possible; leave it out for all cores");
        return problem(format!("threads is {threads}"), &hint);
    }
    recipe.text.check()?;
    recipe.evaluate.check()?;
    check_documents(recipe)?;
    check_teacher(recipe)?;
    check_methods(recipe)?;
    recipe.bench.check()
}

/// Refuses to have whole documents come more often where there are none.
fn check_documents(recipe: &Recipe) -> Check {
    let times = recipe.distil.documents;
    if times == 1 || (recipe.cache.path.is_none() && recipe.text.has_unit(CollectionUnit::Document)) {
        return Ok(());
    }
    let hint = "name a source's units: units = [\"document\", \"sentence\"]";
    problem(format!("distil.documents is {times}, and no source gives whole documents"), hint)
}

fn check_teacher(recipe: &Recipe) -> Check {
    match (&recipe.teacher, &recipe.cache.path) {
        (_, Some(_)) => CacheSection::check_elsewhere(recipe)?,
        (Some(teacher), None) => {
            teacher.check()?;
            recipe.text.check_beside_teacher()?;
            let role = recipe.text.source.iter().find_map(|source| source.role.as_ref());
            if let (Some(role), Some(_)) = (role, &teacher.api) {
                let hint = "an API shows no prompts of its own; teacher.api.prefix stands before every text";
                return problem(format!("text.source.role is {role:?} beside [teacher.api]"), hint);
            }
            recipe.cache.check_beside_teacher()?;
            if let Some(api) = &teacher.api {
                api.check_tokenizer(&recipe.student)?;
            }
        }
        (None, None) => {
            return problem("there is neither a [teacher] nor a cache.path", "name a teacher: source = \"…\"");
        }
    }
    let Some(train) = &recipe.train_teacher else { return Ok(()) };
    match &recipe.teacher {
        Some(teacher) if teacher.api.is_some() => {
            let hint = "a teacher behind an API can't be trained here; leave [train_teacher] out";
            problem("[train_teacher] stands beside [teacher.api]", hint)
        }
        Some(teacher) => train.check(teacher.pooler.unwrap_or_default()),
        None => problem("[train_teacher] needs a [teacher]", "name the model to start from: source = \"…\""),
    }
}

/// Checks the student's shape and the methods by which it learns; a method that isn't used is not checked.
fn check_methods(recipe: &Recipe) -> Check {
    recipe.student.check()?;
    let shape = recipe.student.config(2, recipe.student.embedding);
    let is_new = recipe.student.from.is_none();
    for method in &recipe.student.methods {
        match method {
            // The shape of a student to go on from is known once it is read; its training checks it.
            Method::Distil if is_new => recipe.distil.check_for(&shape)?,
            Method::AmSoftmax if is_new => recipe.am_softmax.check_for(&shape)?,
            Method::Distil | Method::AmSoftmax => {}
            Method::Simcse => recipe.train_student.check_simcse()?,
        }
    }
    if !is_new && recipe.train_student.start != StudentStart::Static {
        let hint = "a training goes on from that student: leave train_student.start out";
        return problem("train_student.start stands beside student.from", hint);
    }
    recipe.train_student.check_dev()
}

/// The tokenizer that stands for the student's: its own, or the one named in place of an API's.
fn named_tokenizer(recipe: &Recipe) -> Option<&str> {
    let of_api = recipe.teacher.as_ref().and_then(|teacher| teacher.api.as_ref()?.tokenizer.as_deref());
    recipe.student.tokenizer.as_deref().or(of_api)
}

fn cache_origin(recipe: &Recipe) -> Check<CacheOrigin> {
    let (teacher, cache) = (&recipe.teacher, &recipe.cache);
    match (teacher, &cache.path) {
        (Some(teacher), None) if teacher.api.is_some() => Ok(CacheOrigin::Api),
        (Some(teacher), None) => {
            let device = teacher.device.as_deref().unwrap_or("cpu").parse()?;
            let uri = asset("teacher.source", &teacher.source)?;
            Ok(CacheOrigin::Teacher(TeacherPlan { uri, device }))
        }
        (_, path) => {
            let columns = Columns { text: cache.text_column.clone(), vector: cache.vector_column.clone() };
            Ok(CacheOrigin::Elsewhere { path: path.as_deref().unwrap_or_default().into(), columns })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEACHER: &str = "[teacher]\nsource = \"t\"\n[[text.source]]\nuri = \"a.txt\"\n";

    fn plan(text: &str) -> Result<Plan> {
        Plan::new(Recipe { name: "x".into(), ..toml::from_str(text).unwrap() }, Path::new("x.toml"))
    }

    /// The plan of a teacher, a text and `more`.
    fn with_teacher(more: &str) -> Result<Plan> {
        plan(&format!("{TEACHER}{more}"))
    }

    #[track_caller]
    fn assert_refused(plan: Result<Plan>, word: &str) {
        let message = plan.unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
    }

    #[test]
    fn a_teacher_and_a_text_make_a_plan() {
        let plan = with_teacher("").unwrap();
        assert!(plan.teacher().is_some());
        assert!(plan.recipe.student.config(10, 384).attention.is_some());
    }

    #[test]
    fn a_name_that_is_no_asset_is_told_with_its_key_and_recipe() {
        let recipes = [
            ("runtime.library", format!("{TEACHER}[runtime]\nlibrary = \"pypi:broken\"\n")),
            ("teacher.source", TEACHER.replace("\"t\"", "\"pypi:broken\"")),
            ("text.source.uri", TEACHER.replace("a.txt", "pypi:broken")),
            ("text.exclude", format!("text.exclude = [\"pypi:broken\"]\n{TEACHER}")),
            ("student.from", format!("{TEACHER}[student]\nfrom = \"pypi:broken\"\n")),
        ];
        for (key, text) in recipes {
            let message = plan(&text).unwrap_err().to_string();
            assert!(message.contains("x.toml") && message.contains(key), "{message}");
        }
    }

    #[test]
    fn the_default_width_ends_at_the_teachers() {
        let student = with_teacher("").unwrap().recipe.student;
        assert_eq!(student.config(10, 128).embedding, 128);
        assert_eq!(student.config(10, 384).embedding, 256);
        assert!(with_teacher("").unwrap().check_width(128).is_ok());
    }

    #[test]
    fn a_width_above_the_teachers_is_refused() {
        let wide = with_teacher("[student]\nembedding = 200\n").unwrap();
        assert!(wide.check_width(128).unwrap_err().to_string().contains("200"));
    }

    #[test]
    fn a_recipe_without_targets_is_refused() {
        assert_refused(plan(""), "neither");
    }

    const API: &str = "[[text.source]]\nuri = \"a.txt\"\n[teacher.api]\nurl = \"http://h/v1\"\nmodel = \"m\"\n";

    #[test]
    fn a_teacher_behind_an_api_needs_a_tokenizer() {
        assert_refused(plan(API), "needs a tokenizer");
        for named in ["tokenizer = \"k\"\n", "[student]\ntokenizer = \"k\"\n"] {
            let plan = plan(&format!("{API}{named}")).unwrap();
            assert!(plan.teacher().is_none() && plan.api().is_some() && plan.embeds_text());
            assert_eq!(plan.tokenizer.unwrap().to_string(), "k");
        }
        assert_refused(plan(&format!("{API}tokenizer = \"k\"\n[student]\ntokenizer = \"k\"\n")), "stands beside");
    }

    #[test]
    fn no_key_of_a_local_teacher_stands_beside_an_api() {
        for (key, value) in [
            ("source", "\"t\""),
            ("sha256", "\"ab\""),
            ("prefix", "\"query: \""),
            ("max_tokens", "8"),
            ("pooler", "\"cls\""),
            ("precision", "\"int8\""),
            ("device", "\"cuda\""),
        ] {
            let recipe = format!("[teacher]\n{key} = {value}\n{API}tokenizer = \"k\"\n");
            assert_refused(plan(&recipe), &format!("teacher.{key} stands beside"));
        }
    }

    #[test]
    fn an_api_s_settings_are_checked_and_its_model_is_not_trained() {
        assert_refused(plan(&format!("{API}tokenizer = \"k\"\nbatch = 0\n")), "batch is 0");
        assert_refused(plan(&format!("{API}tokenizer = \"k\"\n[train_teacher]\n")), "stands beside [teacher.api]");
    }

    #[test]
    fn a_teacher_without_text_is_refused() {
        assert_refused(plan("[teacher]\nsource = \"t\"\n"), "text.source");
    }

    #[test]
    fn units_stand_alone_and_what_they_need_needs_them() {
        let with = |more: &str| with_teacher(&format!("units = [\"title\", \"document\"]\n{more}"));
        let plan = with("passage_words = 50\n[text]\nown_queries = 9\n").unwrap();
        let collection = plan.recipe.text.source[0].collection().unwrap();
        let names: Vec<_> = collection.units.iter().map(|unit| unit.name()).collect();
        assert_eq!((names, collection.passage_words), (vec!["document", "title"], 50));
        assert!(with("unit = \"line\"\nsplit = false\n").is_ok());
        for both in ["unit = \"file\"\n", "split = true\n"] {
            assert_refused(with(both), "text.source.units stands in place of `unit` and `split`");
        }
        assert_refused(with("spans = -1.0\n"), "`spans` is -1");
        assert_refused(with("mixtures = 0.0\n"), "`mixtures` is 0");
        assert_refused(with("passage_words = 0\n"), "`passage_words` is 0");
        for key in ["title = \"t\"", "id = \"t\"", "passage_words = 9", "spans = 1.0", "mixtures = 1.0"] {
            let (name, _) = key.split_once(' ').unwrap();
            assert_refused(
                with_teacher(&format!("{key}\n")),
                &format!("text.source.{name} is for a source with units"),
            );
        }
        assert_refused(with_teacher("[text]\nown_queries = 9\n"), "text.own_queries is 9, and no source has units");
    }

    #[test]
    fn a_cache_without_a_tokenizer_is_refused() {
        assert_refused(plan("[cache]\npath = \"c\"\n"), "student.tokenizer");
    }

    #[test]
    fn a_cache_made_elsewhere_beside_text_is_refused() {
        let recipe = "[cache]\npath = \"c\"\n[text]\nexclude = [\"a\"]\n[student]\ntokenizer = \"k\"\n";
        assert_refused(plan(recipe), "beside [text]");
    }

    #[test]
    fn a_cache_made_elsewhere_beside_a_teacher_is_refused() {
        let recipe = "[teacher]\nsource = \"t\"\n[cache]\npath = \"c\"\n[student]\ntokenizer = \"k\"\n";
        assert_refused(plan(recipe), "beside");
    }

    #[test]
    fn columns_of_a_teachers_cache_are_refused() {
        assert_refused(with_teacher("[cache]\ntext_column = \"c\"\n"), "text_column");
    }

    #[test]
    fn methods_may_stand_in_any_order() {
        let plan = with_teacher("[student]\nmethods = [\"simcse\", \"distil\", \"am-softmax\"]\n").unwrap();
        assert_eq!(plan.last_method(), Some(Method::AmSoftmax));
        assert_eq!(plan.method_before(Method::Distil), Some(Method::Simcse));
        assert_eq!(plan.method_before(Method::Simcse), None);
    }

    #[test]
    fn no_method_or_one_method_twice_is_refused() {
        for list in ["[]", "[\"distil\", \"distil\"]"] {
            assert_refused(with_teacher(&format!("[student]\nmethods = {list}\n")), "methods");
        }
    }

    #[test]
    fn only_the_methods_in_use_are_checked() {
        assert!(with_teacher("[am_softmax]\nviews = 0\n").is_ok());
        assert!(with_teacher("[am_softmax]\nviews = 0\n[student]\nmethods = [\"am-softmax\"]\n").is_err());
    }

    #[test]
    fn no_threads_are_refused() {
        assert_refused(plan(&format!("threads = 0\n{TEACHER}")), "threads is 0");
    }

    #[test]
    fn a_contrastive_loss_over_equal_views_is_refused() {
        let flat = "[student.attention]\nheads = 0\n[distil]\ndropout = 0.1\n\
                    losses = { infonce = { weight = 0.1 } }\n";
        assert_refused(with_teacher(flat), "views would be the same");
    }

    #[test]
    fn sets_may_be_missing_only_where_the_recipe_says_so() {
        let sets = "sts = [\"gone.tsv\"]\nretrieval = [\"gone\", \"/\"]\n";
        assert_refused(with_teacher(&format!("[evaluate]\n{sets}")), "gone");
        let plan = with_teacher(&format!("[evaluate]\noptional = true\n{sets}")).unwrap();
        assert_eq!(plan.missing_sets, ["gone.tsv", "gone"].map(PathBuf::from));
        assert_eq!((plan.recipe.evaluate.sts.len(), plan.recipe.evaluate.retrieval.len()), (0, 1));
    }

    #[test]
    fn documents_cannot_come_more_often_where_there_are_none() {
        assert_refused(with_teacher("[distil]\ndocuments = 4\n"), "no source gives whole documents");
    }

    #[test]
    fn a_batch_of_no_texts_is_refused() {
        assert!(with_teacher("[distil]\nbatch = 0\n").is_err());
    }

    #[test]
    fn a_student_without_parts_is_refused() {
        let empty = "[student]\nskip = false\nattention = { heads = 0, width = 5, filters = 1 }\n";
        assert!(with_teacher(empty).is_err());
    }
}
