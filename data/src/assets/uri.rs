//! [`Uri`]: the name of an asset.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::AssetError;
use super::http::{is_loopback, origin};
use crate::error::{Error, Result};

/// The name of an asset, which says where it comes from. Written and read as a string.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Uri {
    /// `hf:owner/name[@revision][/path]`: a model on the Hugging Face hub, or one file of its repository. An ONNX file
    /// brings its external data, its tokenizer and its settings. A revision is a branch, tag or commit without a slash,
    /// or `refs/convert/NAME` or `refs/pr/NUMBER`; without one, `main` is meant as it was at the first fetch.
    Hub {
        /// `owner/name`.
        repository: String,
        /// The branch, tag or commit.
        revision: Option<String>,
        /// One file instead of the model.
        path: Option<String>,
    },
    /// `hf:datasets/owner/name[@revision]/path`: files of a data set on the Hugging Face hub.
    DataSet {
        /// `owner/name`.
        repository: String,
        /// The branch, tag or commit.
        revision: Option<String>,
        /// A file, a folder, or a pattern of files' paths: `data/*.parquet`, `**/*.jsonl`.
        path: String,
    },
    /// `https://host/path[#sha256=HEX]`: one file. `http:` reaches this machine only.
    Web {
        /// The address, without a fragment.
        url: String,
        /// The sha256 that the file must have, in lower-case hexadecimal.
        sha256: Option<String>,
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
        let (parsed, why) = if let Some(rest) = uri.strip_prefix("hf:datasets/") {
            (
                data_set(rest),
                "`hf:datasets/owner/name[@revision]/path` is expected, where the path is a file, folder or pattern",
            )
        } else if let Some(rest) = uri.strip_prefix("hf:") {
            (hub(rest), "`hf:owner/name`, `hf:owner/name@revision` or `hf:owner/name/path` is expected")
        } else if let Some(rest) = uri.strip_prefix("pypi:") {
            (wheel(rest), "`pypi:package==version/path/in/the/wheel` is expected")
        } else if uri.starts_with("https://") || uri.starts_with("http://") {
            (
                web(uri),
                "`https://host/path#sha256=HEX` is expected, without a password; `http:` reaches this machine only",
            )
        } else if uri.contains("://") {
            (None, "only `hf:`, `pypi:`, `https:` and paths are known")
        } else {
            ((!uri.is_empty()).then(|| Self::Path(uri.into())), "it's empty")
        };
        parsed.ok_or_else(|| {
            let without_owner = uri.strip_prefix("hf:").filter(|name| !name.contains('/'));
            let hint = without_owner.map(|name| format!("name the owner too, as in hf:google-bert/{name}"));
            let whole = uri.strip_prefix("hf:datasets/").is_some_and(|rest| repository(rest).is_some());
            let hint = hint.or_else(|| whole.then(|| format!("name its files, as in {uri}/**/*.parquet")));
            AssetError::BadUri { uri: uri.to_owned(), why, hint }.into()
        })
    }
}

fn hub(rest: &str) -> Option<Uri> {
    let (repository, revision, path) = repository(rest)?;
    // The hub has no such owners: they are other kinds of repositories.
    let is_model = !["models/", "spaces/", "kernels/", "buckets/"].iter().any(|kind| repository.starts_with(kind));
    (is_model && path.as_deref().is_none_or(is_member)).then_some(Uri::Hub { repository, revision, path })
}

fn data_set(rest: &str) -> Option<Uri> {
    let (repository, revision, path) = repository(rest)?;
    let path = path?.trim_end_matches('/').to_owned();
    is_member(&path).then_some(Uri::DataSet { repository, revision, path })
}

/// The parts of `owner/name[@revision][/path]`.
fn repository(rest: &str) -> Option<(String, Option<String>, Option<String>)> {
    let (owner, rest) = rest.split_once('/')?;
    let (name, revision, path) = match rest.find(['/', '@']) {
        Some(at) if rest[at..].starts_with('@') => {
            let (revision, path) = revision(&rest[at + 1..])?;
            (&rest[..at], Some(revision), path)
        }
        Some(at) => (&rest[..at], None, Some(&rest[at + 1..])),
        None => (rest, None, None),
    };
    let word = |text: &str| is_word(text, "-._");
    let owned = |text: &str| text.to_owned();
    (word(owner) && word(name)).then(|| (format!("{owner}/{name}"), revision.map(owned), path.map(owned)))
}

/// Divides `revision[/path]`.
fn revision(text: &str) -> Option<(&str, Option<&str>)> {
    let is_long = ["refs/convert/", "refs/pr/"].iter().any(|start| text.starts_with(start));
    let mut slashes = text.match_indices('/').map(|(at, _)| at);
    let end = if is_long { slashes.nth(2) } else { slashes.next() };
    let (revision, path) = end.map_or((text, None), |end| (&text[..end], Some(&text[end + 1..])));
    revision.split('/').all(|part| is_word(part, "-._")).then_some((revision, path))
}

fn web(uri: &str) -> Option<Uri> {
    let (url, fragment) = uri.split_once('#').map_or((uri, None), |(url, fragment)| (url, Some(fragment)));
    let sha256 = match fragment {
        Some(fragment) => Some(fragment.strip_prefix("sha256=").filter(|hash| is_sha256(hash))?.to_lowercase()),
        None => None,
    };
    let server = origin(url);
    let is_safe = url.starts_with("https://") || is_loopback(url);
    let has_path = url[server.len()..].len() > 1 && !server.ends_with("//");
    let is_plain = url.chars().all(|c| c.is_ascii_graphic()) && !server.contains('@');
    (is_safe && has_path && is_plain).then(|| Uri::Web { url: url.to_owned(), sha256 })
}

/// Whether `text` is a sha256 in hexadecimal.
pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
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
            Self::DataSet { repository, revision, path } => {
                write!(f, "hf:datasets/{repository}")?;
                revision.as_ref().map_or(Ok(()), |revision| write!(f, "@{revision}"))?;
                write!(f, "/{path}")
            }
            Self::Web { url, sha256 } => {
                write!(f, "{url}")?;
                sha256.as_ref().map_or(Ok(()), |sha256| write!(f, "#sha256={sha256}"))
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
            "hf:a/b@refs/pr/1/onnx/model.onnx",
            "hf:datasets/a/b/data/*.parquet",
            "hf:datasets/a/b@refs/convert/parquet/x/train/0000.parquet",
            "https://example.org/x.jsonl?v=1",
            "https://example.org/x.jsonl#sha256=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "http://127.0.0.1:80/x.jsonl",
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
    fn a_data_set_is_no_model() {
        let uri: Uri = "hf:datasets/a/b@v1/data/**".parse().unwrap();
        let (repository, revision, path) = ("a/b".to_owned(), Some("v1".to_owned()), "data/**".to_owned());
        assert_eq!(uri, Uri::DataSet { repository, revision, path });
        let error = "hf:datasets/a/b".parse::<Uri>().unwrap_err();
        assert_eq!(error.hint().unwrap(), "name its files, as in hf:datasets/a/b/**/*.parquet");
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
            "hf:spaces/a/b",
            "hf:datasets/a/b",
            "hf:datasets/a/b/../c",
            "hf:datasets/a/b@refs/convert/../x",
            "http://example.org/x",
            "https://example.org/",
            "https://me:secret@example.org/x",
            "https://example.org/x#sha256=12",
            "https://example.org/x#part",
            "ftp://example.org/x",
            "",
        ] {
            let error = uri.parse::<Uri>().unwrap_err();
            assert!(error.to_string().contains(&format!("`{uri}`")), "{error}");
        }
    }
}
