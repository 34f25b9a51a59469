use std::path::{Path, PathBuf};

use limbeck_data::assets::Uri;
use limbeck_data::cache::Columns;
use limbeck_student::config::StudentConfig;
use limbeck_student::vocabulary::Vocabulary;
use limbeck_teacher::OnnxDevice;

use super::{Method, Recipe, TextSection};
use crate::error::{Error, Result};

/// More threads than this are taken for a mistake.
pub const MOST_THREADS: usize = 1024;

/// What a recipe means: checked, with names parsed.
#[derive(Debug, Clone)]
pub struct Plan {
    pub recipe: Recipe,
    pub threads: usize,
    pub runtime: Uri,
    pub cache: CacheOrigin,
    pub tokenizer: Option<Uri>,
    /// The student's own vocabulary, if it has one.
    pub vocabulary: Option<Vocabulary>,
    pub text: Vec<Uri>,
    pub exclude: Vec<Uri>,
    pub sts: Vec<PathBuf>,
    /// The labelled examples that the teacher is trained on.
    pub examples: Option<Uri>,
    /// The labelled examples that the student is trained on by SimCSE.
    pub student_examples: Option<Uri>,
}

/// Where the targets come from.
#[derive(Debug, Clone)]
pub enum CacheOrigin {
    /// A teacher embeds the recipe's text.
    Teacher(TeacherPlan),
    /// A cache made elsewhere.
    Elsewhere { path: PathBuf, columns: Columns },
}

/// The teacher of a plan.
#[derive(Debug, Clone)]
pub struct TeacherPlan {
    pub uri: Uri,
    pub device: OnnxDevice,
}

impl Plan {
    /// Checks the recipe that was read from `path`.
    ///
    /// # Errors
    /// Settings that can't be, or contradict one another; the error says which.
    pub fn new(recipe: Recipe, path: &Path) -> Result<Self> {
        let bad = |what: &str, hint: &str| -> Error {
            let hint = (!hint.is_empty()).then(|| hint.to_string());
            Error::Recipe { path: path.to_path_buf(), what: what.into(), hint }
        };
        let odd = recipe.name.contains(['/', '\\']) || recipe.name.starts_with('.');
        if odd || recipe.name.is_empty() {
            return Err(bad(
                &format!("name {:?} can't be a folder's name", recipe.name),
                "choose letters, digits and dashes",
            ));
        }
        let of_value = |error: limbeck_student::Error| bad(&error.to_string(), &error.hint().unwrap_or_default());
        recipe.distil.check().map_err(of_value)?;
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let threads = recipe.threads.unwrap_or(cores);
        if !(1..=MOST_THREADS).contains(&threads) {
            let what = format!("threads is {threads}");
            return Err(bad(&what, &format!("1 to {MOST_THREADS} are possible; leave it out for all cores")));
        }
        let cache = match (&recipe.teacher, &recipe.cache.path) {
            (Some(teacher), None) => {
                if teacher.source.is_empty() {
                    return Err(bad("[teacher] has no source", "name a model's folder or URI"));
                }
                if recipe.text.source.is_empty() {
                    return Err(bad("there is no [[text.source]]", "name a file, folder or URI with text"));
                }
                if recipe.cache.text_column.is_some() || recipe.cache.vector_column.is_some() {
                    return Err(bad(
                        "cache.text_column and cache.vector_column stand beside [teacher]",
                        "they name columns of a cache made elsewhere, by cache.path",
                    ));
                }
                let device = teacher.device.as_deref().unwrap_or("cpu").parse()?;
                CacheOrigin::Teacher(TeacherPlan { uri: teacher.source.parse()?, device })
            }
            (_, Some(cache)) => {
                if recipe.student.tokenizer.is_none() {
                    return Err(bad("cache.path needs student.tokenizer", "name a tokenizer.json, of any model"));
                }
                if recipe.teacher.is_some() || !recipe.text.source.is_empty() {
                    return Err(bad(
                        "cache.path stands beside [teacher] or [[text.source]]",
                        "a cache made elsewhere holds texts and vectors already",
                    ));
                }
                if recipe.text != TextSection::default() {
                    return Err(bad(
                        "cache.path stands beside [text]",
                        "a cache made elsewhere is learned from as it is; leave [text] out",
                    ));
                }
                let columns =
                    Columns { text: recipe.cache.text_column.clone(), vector: recipe.cache.vector_column.clone() };
                CacheOrigin::Elsewhere { path: cache.into(), columns }
            }
            (None, None) => {
                return Err(bad("there is neither a [teacher] nor a cache.path", "name a teacher: source = \"…\""));
            }
        };
        let text = &recipe.text;
        if !(0.0..=1.0).contains(&text.reordered) {
            return Err(bad("text.reordered must lie between 0 and 1", "0.2 is a fifth more text"));
        }
        if recipe.teacher.is_some() && !(text.hold_out > 0.0 && text.hold_out < 1.0) {
            return Err(bad("text.hold_out must lie between 0 and 1", "0.02 keeps a fiftieth to measure on"));
        }
        if text.min_chars > text.max_chars || text.limit == Some(0) || text.source.iter().any(|s| s.limit == Some(0)) {
            return Err(bad("[text] leaves no text", "min_chars is at most max_chars, and a limit is at least 1"));
        }
        if recipe.teacher.as_ref().is_some_and(|teacher| teacher.max_tokens == Some(0)) {
            return Err(bad("teacher.max_tokens is 0", "leave it out for the model's own"));
        }
        if let Some(missing) = recipe.evaluate.sts.iter().find(|file| !Path::new(file).is_file()) {
            return Err(bad(&format!("evaluate.sts: there is no file {missing}"), ""));
        }
        let train = recipe.train_teacher.as_ref();
        if let Some(train) = train {
            if recipe.teacher.is_none() {
                return Err(bad("[train_teacher] needs a [teacher]", "name the model to start from: source = \"…\""));
            }
            // Whether there are hard negatives shows when the examples are read.
            train.simcse.check(false)?;
            train.bert.check(recipe.teacher.as_ref().and_then(|t| t.pooler).unwrap_or_default())?;
            if train.limit == Some(0) {
                return Err(bad("train_teacher.limit is 0", "leave it out for all examples"));
            }
            if let Some(missing) = train.dev.iter().find(|file| !Path::new(file).is_file()) {
                return Err(bad(&format!("train_teacher.dev: there is no file {missing}"), ""));
            }
        }
        let methods = &recipe.student.methods;
        let twice = methods.iter().enumerate().any(|(at, method)| methods[..at].contains(method));
        if methods.is_empty() || twice {
            return Err(bad("student.methods must name each method once", "methods = [\"distil\"] is the default"));
        }
        let student = &recipe.train_student;
        let by_simcse = methods.contains(&Method::Simcse);
        if by_simcse {
            student.contrast().check()?;
            student.simcse.check(false)?;
            if student.limit == Some(0) {
                return Err(bad("train_student.limit is 0", "leave it out for all examples"));
            }
        }
        let shape = recipe.student.config(2, recipe.student.embedding);
        shape.check().map_err(of_value)?;
        if methods.contains(&Method::Distil) {
            recipe.distil.check_for(&shape).map_err(of_value)?;
        }
        if methods.contains(&Method::AmSoftmax) {
            recipe.am_softmax.check_for(&shape).map_err(of_value)?;
        }
        if let Some(missing) = student.dev.iter().find(|file| !Path::new(file).is_file()) {
            return Err(bad(&format!("train_student.dev: there is no file {missing}"), ""));
        }
        let student_examples = student.examples.as_deref().filter(|_| by_simcse).map(str::parse).transpose()?;
        let examples = train.and_then(|train| train.examples.as_deref()).map(str::parse).transpose()?;
        let hint = "vocabulary is \"teacher\", \"corpus\", \"extended\" or \"trained\"";
        let vocabulary = recipe.student.own_vocabulary().map_err(|what| bad(what, hint))?;
        vocabulary.iter().try_for_each(Vocabulary::check)?;
        let bench = &recipe.bench;
        if bench.rounds == 0 || !(bench.seconds > 0.0 && bench.seconds <= 3600.0) {
            return Err(bad(
                "[bench] has no rounds, no seconds, or more than 3600",
                "rounds = 5, seconds = 2.0 are the defaults",
            ));
        }
        Ok(Self {
            threads,
            runtime: crate::model::runtime_uri(&recipe.runtime.library)?,
            cache,
            tokenizer: recipe.student.tokenizer.as_deref().map(str::parse).transpose()?,
            vocabulary,
            text: recipe.text.source.iter().map(|source| source.uri.parse()).collect::<std::result::Result<_, _>>()?,
            exclude: recipe.text.exclude.iter().map(|uri| uri.parse()).collect::<std::result::Result<_, _>>()?,
            sts: recipe.evaluate.sts.iter().map(PathBuf::from).collect(),
            examples,
            student_examples,
            recipe,
        })
    }

    /// The student's shape for a teacher of this width and a table of so many rows.
    pub fn student_config(&self, vocabulary: usize, dimension: usize) -> StudentConfig {
        self.recipe.student.config(vocabulary, dimension)
    }

    /// Refuses a student wider than its teacher.
    pub fn check_width(&self, teacher: usize) -> Result<()> {
        self.recipe.distil.losses.matryoshka.check(teacher)?;
        let width = self.recipe.student.width(teacher);
        if width <= teacher {
            return Ok(());
        }
        let what = format!("student.embedding is {width}, the teacher's vectors have {teacher} numbers");
        let hint = Some(format!("student.embedding = {teacher} is the widest"));
        Err(Error::Recipe { path: self.recipe.name.clone().into(), what, hint })
    }

    /// Refuses files of this machine that the recipe names and that aren't there.
    pub fn check_files(&self) -> Result<()> {
        let elsewhere = match &self.cache {
            CacheOrigin::Elsewhere { path, .. } => Some(Uri::Path(path.clone())),
            CacheOrigin::Teacher(_) => None,
        };
        let named: [(&str, Vec<&Uri>); 7] = [
            ("cache.path", elsewhere.iter().collect()),
            ("teacher.source", self.teacher().map(|teacher| &teacher.uri).into_iter().collect()),
            ("text.source", self.text.iter().collect()),
            ("text.exclude", self.exclude.iter().collect()),
            ("student.tokenizer", self.tokenizer.iter().collect()),
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

    /// Whether the recipe has a teacher that can be asked.
    pub fn teacher(&self) -> Option<&TeacherPlan> {
        match &self.cache {
            CacheOrigin::Teacher(teacher) => Some(teacher),
            CacheOrigin::Elsewhere { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Result<Plan> {
        Plan::new(Recipe { name: "x".into(), ..toml::from_str(text).unwrap() }, Path::new("x.toml"))
    }

    const TEACHER: &str = "[teacher]\nsource = \"t\"\n[[text.source]]\nuri = \"a.txt\"\n";

    #[test]
    fn a_teacher_and_a_text_make_a_plan() {
        let plan = plan(TEACHER).unwrap();
        assert!(plan.teacher().is_some());
        assert!(plan.student_config(10, 384).attention.is_some());
    }

    #[test]
    fn the_default_width_stops_at_the_teachers_and_a_greater_one_that_was_asked_for_is_refused() {
        assert_eq!(plan(TEACHER).unwrap().student_config(10, 128).embedding, 128);
        assert_eq!(plan(TEACHER).unwrap().student_config(10, 384).embedding, 256);
        assert!(plan(TEACHER).unwrap().check_width(128).is_ok());
        let wide = plan(&format!("{TEACHER}[student]\nembedding = 200\n")).unwrap();
        assert!(wide.check_width(128).unwrap_err().to_string().contains("200"));
    }

    #[test]
    fn what_is_missing_or_contradicts_itself_is_said() {
        let cases = [
            ("", "neither"),
            ("[teacher]\nsource = \"t\"\n", "text.source"),
            ("[cache]\npath = \"c\"\n", "student.tokenizer"),
            ("[cache]\npath = \"c\"\n[text]\nexclude = [\"a\"]\n[student]\ntokenizer = \"k\"\n", "beside [text]"),
            (&format!("{TEACHER}[cache]\ntext_column = \"c\"\n"), "text_column"),
            ("[teacher]\nsource = \"t\"\n[cache]\npath = \"c\"\n[student]\ntokenizer = \"k\"\n", "beside"),
        ];
        for (text, word) in cases {
            let message = plan(text).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
        let methods = |list: &str| plan(&format!("{TEACHER}[student]\nmethods = {list}\n"));
        assert!(methods("[\"simcse\", \"distil\", \"am-softmax\"]").is_ok());
        for list in ["[]", "[\"distil\", \"distil\"]"] {
            assert!(methods(list).unwrap_err().to_string().contains("methods"));
        }
        assert!(
            plan(&format!("{TEACHER}[am_softmax]\nviews = 0\n")).is_ok(),
            "a method that isn't used is not checked"
        );
        assert!(plan(&format!("{TEACHER}[am_softmax]\nviews = 0\n[student]\nmethods = [\"am-softmax\"]\n")).is_err());
        assert!(plan(&format!("threads = 0\n{TEACHER}")).is_err());
        let flat = "[student.attention]\nheads = 0\n[distil]\ndropout = 0.1\nlosses = { infonce = { weight = 0.1 } }\n";
        assert!(plan(&format!("{TEACHER}{flat}")).unwrap_err().to_string().contains("views would be the same"));
        assert!(plan(&format!("{TEACHER}[distil]\nbatch = 0\n")).is_err());
        assert!(
            plan(&format!("{TEACHER}[student]\nskip = false\nattention = {{ heads = 0, width = 5, filters = 1 }}\n"))
                .is_err()
        );
    }
}
