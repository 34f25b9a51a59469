//! What can go wrong with a teacher behind an API.

use miette::Diagnostic;

/// What can go wrong with a teacher behind an API. No message holds the key.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[non_exhaustive]
pub enum ApiError {
    /// A setting that can't be.
    #[error("the API's {key} is {value}: {allowed}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// The environment lacks the key.
    #[error("the environment variable {variable}, which is to hold the key of {url}, {problem}")]
    #[diagnostic(help("set it before the command: export {variable}=KEY; the key is stored nowhere"))]
    NoKey {
        /// The variable.
        variable: String,
        /// The API's address.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The record of what was spent can't be read.
    #[error("{}: not the record of tokens that were spent", path.display())]
    #[diagnostic(help("delete it, and the caps on tokens and cost count from zero"))]
    Ledger {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong, with line and column.
        #[source]
        source: serde_json::Error,
    },
    /// An answer that can't be the vectors of the texts.
    #[error("{request}: {problem}")]
    #[diagnostic(help(
        "the server has to answer as OpenAI's POST /v1/embeddings does: a finite vector of one width for every text"
    ))]
    Answer {
        /// The request: its address and its texts.
        request: String,
        /// What is wrong with the answer.
        problem: String,
    },
    /// The server refuses the request, and would refuse it again.
    #[error("{request}: the server answers {status}{message}")]
    Refused {
        /// The request.
        request: String,
        /// The HTTP status.
        status: u16,
        /// What the server says, after a colon; empty where it says nothing.
        message: String,
        /// What to correct.
        #[help]
        hint: &'static str,
    },
    /// The server refuses one text, sent alone.
    #[error("{request}: the server refuses text {row} though it is sent alone ({status}{message}): {text:?}")]
    #[diagnostic(help("it may be too long for the model: leave such texts out, in a recipe by text.max_chars"))]
    TextRefused {
        /// The request.
        request: String,
        /// The text's place among all texts, from 1.
        row: u64,
        /// The HTTP status.
        status: u16,
        /// What the server says.
        message: String,
        /// The text's beginning.
        text: String,
    },
    /// The server sends the request elsewhere.
    #[error("{request}: the server redirects to {to}, which is not followed")]
    #[diagnostic(help("if that is the right place, write it as the API's url, up to /v1"))]
    Redirected {
        /// The request.
        request: String,
        /// The address in the answer.
        to: String,
    },
    /// No request can be made at all.
    #[error("{request}: cannot be sent: {why}")]
    #[diagnostic(help("look at the API's url"))]
    Unsendable {
        /// The request.
        request: String,
        /// Why.
        why: String,
    },
    /// The server stayed unreachable or overloaded.
    #[error("{request}: given up after {tries} tries: {why}")]
    #[diagnostic(help("finished shards are kept: give the same command again when the server is back"))]
    GaveUp {
        /// The request.
        request: String,
        /// How many tries in a row failed.
        tries: usize,
        /// Why the last one failed.
        why: String,
    },
    /// A cap would be passed.
    #[error("the cap {cap} is reached: {spent}, and the next {texts} texts take about {next} tokens")]
    #[diagnostic(help("finished shards are kept: raise the cap and give the same command again to go on"))]
    Cap {
        /// The cap, by its name and value.
        cap: String,
        /// What was spent so far.
        spent: String,
        /// How many texts come next.
        texts: u64,
        /// How many tokens these take.
        next: u64,
    },
}
