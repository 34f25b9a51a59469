//! [`Uri`]: the name of an asset.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::AssetError;
use crate::error::{Error, Result};

/// The name of an asset, which says where it comes from. Written and read as a string.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Uri {
    /// `hf:owner/name[@revision][/path]`: a model on the Hugging Face hub, or one file of its repository. A revision is
    /// a branch, tag or commit without a slash; without one, `main` is meant as it was at the first fetch.
    Hub {
        /// `owner/name`.
        repository: String,
        /// The branch, tag or commit.
        revision: Option<String>,
        /// One file instead of the model.
        path: Option<String>,
    },
    /// `pypi:package==version/path`: a file or folder inside a wheel of the Python package index.
    Wheel {
        /// The package's name.
        package: String,
        /// Its version.
        version: String,
        /// The path inside the wheel.
        member: String,
    },
    /// Anything else: a path on this machine.
    Path(PathBuf),
}

impl FromStr for Uri {
    type Err = Error;

    fn from_str(uri: &str) -> Result<Self> {
        let (parsed, why) = if let Some(rest) = uri.strip_prefix("hf:") {
            (hub(rest), "`hf:owner/name`, `hf:owner/name@revision` or `hf:owner/name/path` is expected")
        } else if let Some(rest) = uri.strip_prefix("pypi:") {
            (wheel(rest), "`pypi:package==version/path/in/the/wheel` is expected")
        } else if uri.contains("://") {
            (None, "only `hf:`, `pypi:` and paths are known")
        } else {
            ((!uri.is_empty()).then(|| Self::Path(uri.into())), "it's empty")
        };
        parsed.ok_or_else(|| {
            let without_owner = uri.strip_prefix("hf:").filter(|name| !name.contains('/'));
            let hint = without_owner.map(|name| format!("name the owner too, as in hf:google-bert/{name}"));
            AssetError::BadUri { uri: uri.to_owned(), why, hint }.into()
        })
    }
}

fn hub(rest: &str) -> Option<Uri> {
    let (owner, rest) = rest.split_once('/')?;
    let (name, path) = rest.split_once('/').map_or((rest, None), |(name, path)| (name, Some(path)));
    let (name, revision) = name.split_once('@').map_or((name, None), |(name, revision)| (name, Some(revision)));
    let word = |text: &str| is_word(text, "-._");
    let fits = word(owner) && word(name) && revision.is_none_or(word) && path.is_none_or(is_member);
    let (revision, path) = (revision.map(str::to_owned), path.map(str::to_owned));
    fits.then(|| Uri::Hub { repository: format!("{owner}/{name}"), revision, path })
}

fn wheel(rest: &str) -> Option<Uri> {
    let (package, rest) = rest.split_once("==")?;
    let (version, member) = rest.split_once('/')?;
    let member = member.trim_end_matches('/');
    let fits = is_word(package, "-._") && is_word(version, "-._+!") && is_member(member);
    let (package, version, member) = (package.to_owned(), version.to_owned(), member.to_owned());
    fits.then_some(Uri::Wheel { package, version, member })
}

/// Whether `text` consists of letters, digits and `others`, and begins with a letter or digit. No program takes such a
/// word for an option or a path.
fn is_word(text: &str, others: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// Whether `path` is relative and stays below its starting folder.
pub(super) fn is_member(path: &str) -> bool {
    let fits = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', ':', '\0']);
    path.split('/').all(fits)
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub { repository, revision, path } => {
                write!(f, "hf:{repository}")?;
                revision.as_ref().map_or(Ok(()), |revision| write!(f, "@{revision}"))?;
                path.as_ref().map_or(Ok(()), |path| write!(f, "/{path}"))
            }
            Self::Wheel { package, version, member } => write!(f, "pypi:{package}=={version}/{member}"),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

impl TryFrom<String> for Uri {
    type Error = Error;

    fn try_from(uri: String) -> Result<Self> {
        uri.parse()
    }
}

impl From<Uri> for String {
    fn from(uri: Uri) -> Self {
        uri.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_comes_back_as_it_was_written() {
        for uri in [
            "hf:sentence-transformers/all-MiniLM-L6-v2",
            "hf:a/b@v1.0",
            "hf:a/b@main/onnx/model.onnx",
            "pypi:onnxruntime==1.32.0/onnxruntime/capi/onnxruntime.dll",
            "pypi:a==1!2.0+cpu/b",
            "../data/corpus",
            "C:\\models\\teacher",
        ] {
            assert_eq!(uri.parse::<Uri>().unwrap().to_string(), uri);
        }
        let folder = "pypi:a==1/data/".parse::<Uri>().unwrap();
        assert_eq!(folder, "pypi:a==1/data".parse().unwrap());
        assert!(matches!("hf.txt".parse(), Ok(Uri::Path(_))));
    }

    #[test]
    fn a_malformed_uri_is_refused() {
        for uri in [
            "hf:gpt2",
            "hf:a/b@",
            "hf:a/b/../c",
            "hf:../b",
            "pypi:a/b",
            "pypi:a==1",
            "pypi:a==1/",
            "pypi:a==1/b/../../c",
            "pypi:a==1//etc/passwd",
            "pypi:--index-url==1/b",
            "https://example.org/x",
            "",
        ] {
            let error = uri.parse::<Uri>().unwrap_err();
            assert!(error.to_string().contains(&format!("`{uri}`")), "{error}");
        }
    }
}
