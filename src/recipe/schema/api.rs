//! `[teacher.api]`: a teacher behind an API.

use limbeck_teacher::api::{ApiEncoding, ApiSettings};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::problem::{Check, Problem, problem};
use super::student::StudentSection;

/// `[teacher.api]`: an embedding model behind an API that answers as OpenAI's `POST /v1/embeddings`, in place of
/// `teacher.source`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiSection {
    /// The address up to `/v1`, http or https.
    pub url: String,
    /// The model's name there.
    pub model: String,
    /// The name of the environment variable that holds the key; leave it out where the server wants none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_env: Option<String>,
    /// The width of the vectors, for models that let it be chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<usize>,
    /// Text put before every text.
    #[serde(skip_serializing_if = "super::is_default")]
    pub prefix: String,
    /// Texts of a request.
    pub batch: usize,
    /// Requests at a time.
    pub concurrency: usize,
    /// How the server is asked to write vectors.
    pub encoding: ApiEncoding,
    /// Seconds after which a request counts as failed.
    pub timeout: u64,
    /// At most so many tokens are spent by the run, all its starts together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_total_tokens: Option<u64>,
    /// At most so much is spent by the run, in the currency of `price`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<f64>,
    /// The price of a million tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<f64>,
    /// A URI or path of a tokenizer.json, in place of the one that a teacher's folder has. Needed unless
    /// `student.tokenizer` names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// Whether the vectors of the vocabulary's tokens are asked for too: the static start comes from them.
    pub token_vectors: bool,
    /// Whether the teacher's own figures are measured, which costs tokens.
    pub measure: bool,
}

impl Default for ApiSection {
    fn default() -> Self {
        let usual = ApiSettings::default();
        Self {
            url: usual.url,
            model: usual.model,
            key_env: usual.key_env,
            dimensions: usual.dimensions,
            prefix: usual.prefix,
            batch: usual.batch,
            concurrency: usual.concurrency,
            encoding: usual.encoding,
            timeout: usual.timeout,
            max_total_tokens: usual.max_total_tokens,
            max_cost: usual.max_cost,
            price: usual.price,
            tokenizer: None,
            token_vectors: true,
            measure: false,
        }
    }
}

impl ApiSection {
    /// How the API is asked.
    pub fn settings(&self) -> ApiSettings {
        ApiSettings {
            url: self.url.clone(),
            model: self.model.clone(),
            key_env: self.key_env.clone(),
            dimensions: self.dimensions,
            prefix: self.prefix.clone(),
            batch: self.batch,
            concurrency: self.concurrency,
            encoding: self.encoding,
            timeout: self.timeout,
            max_total_tokens: self.max_total_tokens,
            max_cost: self.max_cost,
            price: self.price,
        }
    }

    /// Refuses what can't be.
    pub fn check(&self) -> Check {
        Ok(self.settings().check().map_err(limbeck_teacher::Error::from)?)
    }

    /// What the vectors depend on; a cap that is raised does nothing again.
    pub fn identity(&self) -> Value {
        json!({"url": self.url, "model": self.model, "dimensions": self.dimensions, "prefix": self.prefix})
    }

    /// Refuses what can't stand beside the tokenizer that `[student]` names, and needs one of the two.
    pub(in crate::recipe) fn check_tokenizer(&self, student: &StudentSection) -> Check {
        if student.from.is_some() {
            return match &self.tokenizer {
                Some(_) => problem(
                    "teacher.api.tokenizer stands beside student.from",
                    "the vocabulary comes with the student that student.from names",
                ),
                None => Ok(()),
            };
        }
        let student = student.tokenizer.as_deref();
        let (what, hint) = match (&self.tokenizer, student) {
            (None, None) => (
                "[teacher.api] needs a tokenizer: an API has none for the student",
                "teacher.api.tokenizer names a tokenizer.json, of any model",
            ),
            (Some(_), Some(_)) => (
                "teacher.api.tokenizer stands beside student.tokenizer",
                "one of them is enough: it is the student's, or the one that its vocabulary is made from",
            ),
            _ => return Ok(()),
        };
        Err(Problem { what: what.into(), hint: Some(hint.into()) })
    }
}
