//! The key that a client has to send.

use std::fmt;
use std::path::Path;

use constant_time_eq::constant_time_eq;

use crate::error::{Error, Result};

/// The key that a client has to send as `Authorization: Bearer KEY`. No format of it shows it.
#[derive(Clone)]
pub struct Key(Box<[u8]>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// The key in a file, without the white space around it.
    ///
    /// # Errors
    /// The file can't be read, or holds no key.
    pub fn of_file(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(|source| Error::KeyFile { path: path.into(), source })?;
        Self::new(text.trim_ascii(), || path.display().to_string())
    }

    /// The key in an environment variable, without the white space around it.
    ///
    /// # Errors
    /// The variable is not set, or holds no key.
    pub fn of_variable(name: &str) -> Result<Self> {
        let value = std::env::var_os(name);
        let place = || format!("the environment variable {name}");
        let value = value.ok_or_else(|| Error::Key { place: place(), problem: "is not set" })?;
        Self::new(value.as_encoded_bytes().trim_ascii(), place)
    }

    fn new(bytes: &[u8], place: impl Fn() -> String) -> Result<Self> {
        let problem = match bytes {
            [] => "is empty",
            bytes if bytes.iter().all(u8::is_ascii_graphic) => return Ok(Self(bytes.into())),
            _ => "holds blanks or characters that no key has",
        };
        Err(Error::Key { place: place(), problem })
    }

    /// Whether the value of an `Authorization` header is this key. The time that this takes tells the key's length at
    /// most.
    pub(crate) fn is_in(&self, authorization: &[u8]) -> bool {
        let Some((scheme, given)) = authorization.split_at_checked("Bearer ".len()) else { return false };
        scheme.eq_ignore_ascii_case(b"Bearer ") && constant_time_eq(given.trim_ascii(), &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<Key> {
        Key::new(text.as_bytes(), || "a test".into())
    }

    #[test]
    fn the_key_itself_is_accepted_and_no_other() {
        let key = key("sk-0123").unwrap();
        assert!(key.is_in(b"Bearer sk-0123") && key.is_in(b"bearer sk-0123"));
        for other in ["", "Bearer", "Bearer ", "Bearer sk-012", "Bearer sk-01234", "Basic sk-0123", "sk-0123"] {
            assert!(!key.is_in(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn what_can_be_no_key_is_refused_and_not_shown() {
        for text in ["", "two words", "schlüssel"] {
            let error = key(text).unwrap_err().to_string();
            assert!(error.starts_with("the key in a test ") && (text.is_empty() || !error.contains(text)), "{error}");
        }
        assert_eq!(format!("{:?}", key("sk-0123").unwrap()), "Key(…)");
    }

    #[test]
    fn a_key_is_read_from_a_file_without_its_line_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "sk-0123\r\n").unwrap();
        assert!(Key::of_file(file.path()).unwrap().is_in(b"Bearer sk-0123"));
        let missing = file.path().with_extension("none");
        assert!(Key::of_file(&missing).unwrap_err().to_string().contains(&missing.display().to_string()));
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let error = Key::of_variable("LIMBECK_NO_SUCH_KEY").unwrap_err().to_string();
        assert_eq!(error, "the key in the environment variable LIMBECK_NO_SUCH_KEY is not set");
    }
}
