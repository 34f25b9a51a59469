//! [`Remote`]: the files of a repository at one revision, fetched one by one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ureq::http::Method;

use super::cache::CachedRepository;
use super::failure::hub_error;
use super::files::Files;
use super::repository::Repository;
use crate::assets::AssetError;
use crate::assets::http::{Client, Follow, HttpFailure, Query, header, is_redirect, tag};
use crate::assets::transfer::Transfer;
use crate::assets::uri::is_member;
use crate::error::{Error, Result};
use crate::files::{remove, sha256_file};

/// The files of a repository at one revision.
pub(super) struct Remote<'h> {
    pub client: &'h Client<'h>,
    pub endpoint: &'h str,
    pub repository: &'h Repository,
    pub cached: &'h CachedRepository,
    /// A commit where the hub lists its files, else the branch or tag asked for.
    pub revision: String,
    /// The names of all files at that commit.
    pub listed: Option<BTreeSet<String>>,
}

/// What the hub tells of a file before its bytes.
struct FileFacts {
    commit: String,
    /// The sha256 of a large file, the git hash of a small one.
    tag: String,
    size: Option<u64>,
}

impl Files for Remote<'_> {
    fn repository(&self) -> &str {
        &self.repository.name
    }

    fn names(&self) -> Option<&BTreeSet<String>> {
        self.listed.as_ref()
    }

    fn may_lack(&self) -> bool {
        false
    }

    fn file(&self, name: &str) -> Result<Option<PathBuf>> {
        if let Some(listed) = &self.listed {
            let path = self.cached.snapshot(&self.revision).join(name);
            if !listed.contains(name) || path.is_file() {
                return Ok(listed.contains(name).then_some(path));
            }
        }
        let what = format!("{}/{name}", self.repository.full_name());
        let failed = |failure| hub_error(self.endpoint, &what, failure);
        self.client.monitor.check()?;
        let facts = match self.facts(name) {
            Ok(facts) => facts,
            Err(HttpFailure::Status(404 | 410)) => return Ok(None),
            Err(failure) => return Err(failed(failure)),
        };
        let pointer = self.cached.snapshot(&facts.commit).join(name);
        if pointer.is_file() {
            return Ok(Some(pointer));
        }
        let _lock = self.cached.lock(&facts.tag)?;
        // The process that had the lock may have fetched it.
        if !pointer.is_file() {
            let blob = self.blob(name, &facts, &failed)?;
            self.cached.link(&blob, &pointer)?;
        }
        Ok(Some(pointer))
    }
}

impl Remote<'_> {
    /// Asks for the facts about a file: with HEAD, or on a server that doesn't know it, for the file's first byte.
    fn facts(&self, name: &str) -> std::result::Result<FileFacts, HttpFailure> {
        let url = self.repository.file_url(self.endpoint, &self.revision, name);
        let head = Query { method: Method::HEAD, follow: Follow::UntilTagged, ..Query::get(&url) };
        let mut response = self.client.send(&head)?;
        if matches!(response.status().as_u16(), 405 | 501) {
            let first = Query { method: Method::GET, range: Some("bytes=0-0".into()), ..head };
            response = self.client.send(&first)?;
        }
        let status = response.status().as_u16();
        if !response.status().is_success() && !is_redirect(status) {
            return Err(HttpFailure::Status(status));
        }
        let commit = header(&response, "x-repo-commit").map(str::to_owned);
        let commit = commit.or_else(|| self.listed.as_ref().map(|_| self.revision.clone()));
        let tag = tag(&response).filter(|tag| is_member(tag) && !tag.contains('/'));
        // Of a redirect, the length is that of its own text.
        let length = if status == 200 { header(&response, "content-length") } else { None };
        let whole = || header(&response, "content-range")?.rsplit_once('/').map(|(_, total)| total);
        let size = header(&response, "x-linked-size").or(length).or_else(whole);
        Ok(FileFacts {
            // Both become parts of paths, so they must not leave the folder.
            commit: commit.filter(|commit| is_member(commit)).ok_or(HttpFailure::Header("x-repo-commit"))?,
            tag: tag.ok_or(HttpFailure::Header("etag"))?,
            size: size.and_then(|size| size.parse().ok()),
        })
    }

    /// The bytes of a file, fetched unless another commit's file has the same.
    fn blob(&self, name: &str, facts: &FileFacts, failed: &dyn Fn(HttpFailure) -> Error) -> Result<PathBuf> {
        let blob = self.cached.blob(&facts.tag);
        if blob.is_file() && check(&blob, name, facts).is_ok() {
            return Ok(blob);
        }
        remove(&blob)?;
        let part = blob.with_file_name(format!("{}.incomplete", facts.tag));
        let url = self.repository.file_url(self.endpoint, &self.revision, name);
        let transfer = Transfer { client: self.client, url: &url, name, size: facts.size };
        let resumed = part.is_file();
        transfer.save(&part, failed)?;
        if let Err(error) = check(&part, name, facts) {
            // What lay there may have been wrong from its beginning.
            remove(&part)?;
            if !resumed {
                return Err(error);
            }
            transfer.save(&part, failed)?;
            check(&part, name, facts).inspect_err(|_| drop(remove(&part)))?;
        }
        fs::rename(&part, &blob).map_err(Error::io("put in place", &blob))?;
        Ok(blob)
    }
}

/// Checks that a file has the announced size, and the announced sha256 where the hub's tag is one.
fn check(path: &Path, name: &str, facts: &FileFacts) -> Result<()> {
    let wrong =
        |expected: String, found: String| Err(AssetError::Download { file: name.to_owned(), expected, found }.into());
    let size = fs::metadata(path).map_err(Error::io("read", path))?.len();
    if let Some(expected) = facts.size.filter(|&expected| expected != size) {
        return wrong(format!("{expected} bytes"), format!("{size} bytes"));
    }
    if facts.tag.len() == 64 {
        let found = sha256_file(path)?;
        if found != facts.tag {
            return wrong(format!("sha256 {}", facts.tag), format!("sha256 {found}"));
        }
    }
    Ok(())
}
