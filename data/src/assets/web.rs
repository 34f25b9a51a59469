//! Fetches one file from the web, which is known by its sha256.

use std::path::Path;

use super::AssetError;
use super::http::{Client, HttpFailure};
use super::transfer::Transfer;
use crate::error::{Error, Result};
use crate::files::sha256_file;
use crate::monitor::Monitor;

/// Fetches the file at `url` into `folder`, and returns its name there, which is the last part of the address.
///
/// # Errors
/// The file can't be fetched, or has another sha256 than `expected`.
pub(super) fn fetch(url: &str, expected: &str, folder: &Path, monitor: Monitor) -> Result<String> {
    let name = file_name(url);
    let path = folder.join(name);
    let client = Client::new(monitor);
    let failed = |failure| match failure {
        HttpFailure::Interrupted(interrupted) => Error::from(interrupted),
        failure => AssetError::Web { url: url.to_owned(), source: Box::new(failure) }.into(),
    };
    Transfer { client: &client, url, name, size: None }.save(&path, &failed)?;
    let found = sha256_file(&path)?;
    if found != expected {
        return Err(AssetError::Hash { uri: url.to_owned(), expected: expected.to_owned(), found }.into());
    }
    Ok(name.to_owned())
}

/// The last part of a URL's path, whose ending tells the file's format.
fn file_name(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or_default();
    let is_safe = name.chars().all(|c| c.is_ascii_alphanumeric() || "-._%+~".contains(c)) && !name.starts_with('.');
    if is_safe && name.len() <= 200 { name } else { "file" }
}

#[cfg(test)]
#[path = "web_tests.rs"]
mod tests;
