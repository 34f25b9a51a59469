//! [`MappedSection`]: a section of a file that stays mapped as long as the section is in use.

use std::{ops::Range, sync::Arc};

use memmap2::Mmap;

/// A mapped section that may outlive its [`FoldedFile`](super::file::FoldedFile).
pub(super) struct MappedSection {
    pub(super) map: Arc<Mmap>,
    pub(super) bytes: Range<usize>,
}

impl AsRef<[u8]> for MappedSection {
    fn as_ref(&self) -> &[u8] {
        &self.map[self.bytes.clone()]
    }
}
