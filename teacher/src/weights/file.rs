//! The header of one safetensors file (<https://github.com/huggingface/safetensors>).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::Metadata;

use crate::{Error, Result};

/// The longest header that is read, as in the safetensors crate: a header names tensors and holds no values.
const MAX_HEADER: u64 = 100_000_000;

/// A safetensors file whose header has been read.
pub(super) struct Header {
    /// The size of the file.
    pub length: u64,
    /// The tensors by their names in the file.
    pub tensors: BTreeMap<String, StoredTensor>,
}

/// Where and how a file holds a tensor.
#[derive(Debug, Clone)]
pub(super) struct StoredTensor {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// The place of the tensor's bytes.
    pub bytes: Range<u64>,
}

/// Reads the header of the file at `path`. A file that is shorter or longer than its header says is an error.
pub(super) fn header(path: &Path) -> Result<Header> {
    let broken = |what: String| Error::BrokenWeights { path: path.to_owned(), what };
    let mut file = File::open(path).map_err(limbeck_data::Error::io("open", path))?;
    let length = file.metadata().map_err(limbeck_data::Error::io("read", path))?.len();
    if length < 8 {
        return Err(broken(format!("it has {length} bytes, and the length of its header alone takes 8")));
    }
    let mut prefix = [0; 8];
    file.read_exact(&mut prefix).map_err(limbeck_data::Error::io("read", path))?;
    let header_length = u64::from_le_bytes(prefix);
    if header_length > MAX_HEADER || header_length > length - 8 {
        return Err(broken(format!("its header would take {header_length} of its {length} bytes")));
    }
    // Bounded by MAX_HEADER, so it fits a usize.
    let mut header = vec![0; header_length as usize];
    file.read_exact(&mut header).map_err(limbeck_data::Error::io("read", path))?;
    let metadata: Metadata = serde_json::from_slice(&header).map_err(|e| broken(format!("its header: {e}")))?;

    let start = 8 + header_length;
    let expected = start.saturating_add(metadata.data_len() as u64);
    if expected != length {
        return Err(broken(format!("it has {length} bytes, and by its header it should have {expected}")));
    }
    let mut tensors = BTreeMap::new();
    for (name, info) in metadata.tensors() {
        let (from, to) = info.data_offsets;
        let bits = info.shape.iter().try_fold(info.dtype.bitsize(), |product, &size| product.checked_mul(size));
        if to < from || bits != (to - from).checked_mul(8) || to > metadata.data_len() {
            return Err(broken(format!("the place of tensor `{name}` doesn't fit its shape {:?}", info.shape)));
        }
        let bytes = start + from as u64..start + to as u64;
        tensors.insert(name, StoredTensor { dtype: info.dtype, shape: info.shape.clone(), bytes });
    }
    Ok(Header { length, tensors })
}
