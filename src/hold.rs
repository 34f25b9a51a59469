//! A folder that one process at a time works in.

pub use limbeck_data::files::{FolderLock as Hold, lock_folder as hold};
