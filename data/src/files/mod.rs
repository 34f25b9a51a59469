//! Files that appear whole or not at all, locks on folders, and hashes of bytes.
//!
//! A file is written under a temporary name in its own folder, synced and renamed, and the folder is synced: at every
//! moment the path holds the old file or the new one. A killed process leaves the temporary file behind, and
//! [`remove_leftovers`] deletes it; the lock on a temporary file marks those that a living process still writes.

mod hash;
mod lock;
mod pending;
mod walk;

pub(crate) use hash::write_hashed;
pub use hash::{hex, sha256_bytes, sha256_file, sha256_reader};
pub(crate) use lock::lock_part;
pub use lock::{FolderLock, lock_folder};
pub use pending::{PendingFile, folder_of, remove_leftovers, sync_folder, write_atomically, write_bytes, write_json};
pub(crate) use walk::visible_files;
pub use walk::{read_if_present, remove};
