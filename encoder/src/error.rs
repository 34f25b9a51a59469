//! The crate's errors.

use std::{io, path::PathBuf};

use miette::Diagnostic;

/// The error of another crate, kept as a source.
type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// The result of everything fallible in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that this crate can fail with.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[non_exhaustive]
#[expect(missing_docs, reason = "a variant's message shows the meaning of its fields")]
pub enum Error {
    /// A file could not be opened or read.
    #[error("cannot read {path}", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file could not be written.
    #[error("cannot write {path}", path = path.display())]
    Write { path: PathBuf, source: io::Error },
    /// A tokenizer.json that `tokenizers` does not accept.
    #[error("{path}: not a usable tokenizer.json", path = path.display())]
    #[diagnostic(help("a tokenizer.json of a BERT-like model, as the `tokenizers` library saves it, is needed"))]
    TokenizerJson { path: PathBuf, source: Source },
    /// A tokenizer whose post-processor does not put fixed tokens before and after a text.
    #[error("{path}: its post-processor does not put the same special tokens around every text", path = path.display())]
    #[diagnostic(help("a tokenizer.json of a BERT-like model, as the `tokenizers` library saves it, is needed"))]
    PostProcessor { path: PathBuf },
    /// A limit that leaves no room for the special tokens.
    #[error("at most {max_tokens} tokens leave no room for the {special} special ones")]
    #[diagnostic(help("allow at least {} tokens, or leave out the special tokens", special + 1))]
    NoRoom { max_tokens: usize, special: usize },
    /// A text that could not be tokenised.
    #[error("cannot tokenise a text of {bytes} bytes that begins {start:?}")]
    Tokenise { bytes: usize, start: String, source: Source },
    /// A tokenizer whose added tokens have other ids than its JSON says.
    #[error("{path}: the tokenizer gives the id {id}, its JSON has {vocabulary} ids", path = path.display())]
    #[diagnostic(help("a tokenizer.json of a BERT-like model, as the `tokenizers` library saves it, is needed"))]
    TokenizerId { path: PathBuf, id: u32, vocabulary: usize },
    /// Two added tokens that no text can tell apart.
    #[error("{path}: the added tokens {first:?} and {second:?} are the same once normalised", path = path.display())]
    #[diagnostic(help("remove one of the two, or set its `normalized` to false, and save the tokenizer again"))]
    AddedTokens { path: PathBuf, first: String, second: String },
    /// A model that fails on unknown words.
    #[error("{path}: its {model} model has no unknown token: the model lacks {missing:?}", path = path.display())]
    #[diagnostic(help(
        "name an unknown token that the model's own vocabulary has (an added token does not serve) and save the \
         tokenizer again; without one, a text with an unknown word has no tokens"
    ))]
    UnknownToken { path: PathBuf, model: &'static str, missing: String },
    /// A tokenizer.json with a truncation that makes no sense.
    #[error("{path}: {what}", path = path.display())]
    #[diagnostic(help("correct `truncation` in this file, or set it to null"))]
    Truncation { path: PathBuf, what: String },
    /// A vocabulary, or a file of settings beside it, that is damaged or not known.
    #[error("{path}: {what}", path = path.display())]
    #[diagnostic(help("{}", SAVE_TOKENIZER))]
    VocabularyFile { path: PathBuf, what: String },
    /// A folder without a tokenizer.
    #[error("{folder}: no tokenizer.json and no vocab.txt{}", other_vocabulary(*other), folder = folder.display())]
    #[diagnostic(help("{}", SAVE_TOKENIZER))]
    NoTokenizer { folder: PathBuf, other: Option<&'static str> },
    /// A file of another kind.
    #[error("{path}: not a folded student (the file's first bytes are not a folded student's)", path = path.display())]
    #[diagnostic(help("`limbeck export --format folded` writes such a file"))]
    NotFolded { path: PathBuf },
    /// A folded file of another version.
    #[error("{path}: version {found} of the folded file, this program writes version {known}", path = path.display())]
    #[diagnostic(help("{}", version_help(*found, *known)))]
    Version { path: PathBuf, found: u32, known: u32 },
    /// A file whose length is not the one in its header.
    #[error("{path}: {found} bytes where it should have {expected}", path = path.display())]
    #[diagnostic(help("{}", WRITE_AGAIN))]
    Length { path: PathBuf, expected: u64, found: u64 },
    /// A file whose bytes changed since they were written.
    #[error("{path}: damaged (its checksum is {found:016x}, it should be {expected:016x})", path = path.display())]
    #[diagnostic(help("{}", WRITE_AGAIN))]
    Checksum { path: PathBuf, expected: u64, found: u64 },
    /// A folded file with a header that makes no sense.
    #[error("{path}: its header is wrong: {what}", path = path.display())]
    #[diagnostic(help("{}", WRITE_AGAIN))]
    Header { path: PathBuf, what: String },
    /// Parts that do not fit together.
    #[error("these parts make no student: {what}")]
    Parts { what: String },
    /// Memory for vectors of another length than the texts' vectors have.
    #[error("memory of {found} values for the vectors of {texts} texts, which take {expected}")]
    OutLength { found: usize, expected: usize, texts: usize },
    /// A token id outside the vocabulary.
    #[error("text {row}: token id {id} is outside the vocabulary of {vocabulary}")]
    #[diagnostic(help("the ids must come from the student's own tokenizer"))]
    TokenId { row: usize, id: u32, vocabulary: usize },
    /// Threads that could not be started.
    #[error("cannot start {threads} threads")]
    Threads { threads: usize, source: rayon::ThreadPoolBuildError },
}

/// The help for a file that another copy or another export would mend.
const WRITE_AGAIN: &str = "copy the file again, or write it anew with `limbeck export --format folded`";

/// The help for a tokenizer in files that this crate does not read.
const SAVE_TOKENIZER: &str = "save the model's fast tokenizer as tokenizer.json: \
                              AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)";

fn other_vocabulary(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!(", only {name}, which is not read"))
}

fn version_help(found: u32, known: u32) -> &'static str {
    if found > known { "use a newer limbeck" } else { WRITE_AGAIN }
}

impl Error {
    /// What to do next, where something helps.
    pub fn hint(&self) -> Option<String> {
        self.help().map(|help| help.to_string())
    }
}
