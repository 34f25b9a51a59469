//! What can go wrong here.

use std::{io, path::PathBuf};

/// The error of another crate, kept as a source.
type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// The result of everything fallible in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that this crate can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened or read.
    #[error("cannot read {path}", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file could not be written.
    #[error("cannot write {path}", path = path.display())]
    Write { path: PathBuf, source: io::Error },
    /// A tokenizer.json that `tokenizers` does not accept.
    #[error("{path}: not a usable tokenizer.json", path = path.display())]
    TokenizerJson { path: PathBuf, source: Source },
    /// A tokenizer whose post-processor does not put fixed tokens before and after a text.
    #[error("{path}: its post-processor does not put the same special tokens around every text", path = path.display())]
    PostProcessor { path: PathBuf },
    /// A limit that leaves no room for the special tokens.
    #[error("at most {max_tokens} tokens leave no room for the {special} special ones")]
    NoRoom { max_tokens: usize, special: usize },
    /// A text that could not be tokenised.
    #[error("cannot tokenise a text of {bytes} bytes that begins {start:?}")]
    Tokenise { bytes: usize, start: String, source: Source },
    /// A tokenizer whose added tokens have other ids than its JSON says.
    #[error("{path}: the tokenizer gives the id {id}, its JSON has {vocabulary} ids", path = path.display())]
    TokenizerId { path: PathBuf, id: u32, vocabulary: usize },
    /// A file of another kind.
    #[error("{path}: not a folded student (it does not begin with the mark of one)", path = path.display())]
    NotFolded { path: PathBuf },
    /// A folded file of another version.
    #[error("{path}: version {found} of the folded file, this program writes version {known}", path = path.display())]
    Version { path: PathBuf, found: u32, known: u32 },
    /// A file shorter or longer than it says.
    #[error("{path}: {found} bytes where it should have {expected}", path = path.display())]
    Length { path: PathBuf, expected: u64, found: u64 },
    /// A file whose bytes are not those that were written.
    #[error("{path}: damaged (its checksum is {found:016x}, it should be {expected:016x})", path = path.display())]
    Checksum { path: PathBuf, expected: u64, found: u64 },
    /// A folded file with a header that makes no sense.
    #[error("{path}: its header is wrong: {what}", path = path.display())]
    Header { path: PathBuf, what: String },
    /// Parts that do not fit together.
    #[error("these parts make no student: {what}")]
    Parts { what: String },
    /// A token id outside the vocabulary.
    #[error("text {row}: token id {id} is outside the vocabulary of {vocabulary}")]
    TokenId { row: usize, id: u32, vocabulary: usize },
    /// Threads that could not be started.
    #[error("cannot start {threads} threads")]
    Threads { threads: usize, source: rayon::ThreadPoolBuildError },
}

impl Error {
    /// What to do next, where something helps.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::TokenizerJson { .. } | Self::PostProcessor { .. } | Self::TokenizerId { .. } => {
                "a tokenizer.json of a BERT-like model, as the `tokenizers` library saves it, is needed".into()
            }
            Self::NoRoom { special, .. } => format!("allow at least {} tokens, or none but the text's", special + 1),
            Self::NotFolded { .. } => "`limbeck export --format folded` writes such a file".into(),
            Self::Version { found, known, .. } if found > known => "use a newer limbeck".into(),
            Self::Version { .. } | Self::Length { .. } | Self::Checksum { .. } | Self::Header { .. } => {
                "copy the file again, or write it anew with `limbeck export --format folded`".into()
            }
            Self::TokenId { .. } => "the ids must come from the student's own tokenizer".into(),
            _ => return None,
        };
        Some(hint)
    }
}

// STUB: until the crate's own derive is merged.
impl miette::Diagnostic for Error {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.hint().map(|hint| Box::new(hint) as Box<dyn std::fmt::Display + 'a>)
    }
}
