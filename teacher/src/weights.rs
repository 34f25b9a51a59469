//! [`Weights`]: the tensors of a `model.safetensors`, by one set of names, read one at a time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use limbeck_data::files::{sha256_file, sha256_reader};
use safetensors::Dtype;
use safetensors::tensor::Metadata;

use crate::{Error, Pooler, Result};

/// Finds the tensor of a name and a shape.
pub type FindTensor<'p> = &'p mut dyn FnMut(&str, &[usize]) -> Result<Tensor>;

/// The longest header that is read, as in the safetensors crate: a header names tensors and holds no values.
const MAX_HEADER: u64 = 100_000_000;

/// A `model.safetensors`, opened and checked, and perhaps a few tensors of another file. A tensor is read when it is
/// asked for, so that no more than one is in memory.
///
/// Checkpoints name the same tensors differently: with or without `bert.` in front, LayerNorm's as `gamma` and `beta`
/// or as `weight` and `bias`. Here the names have no prefix, and LayerNorm's are `weight` and `bias`.
#[derive(Debug, Clone)]
pub struct Weights {
    path: PathBuf,
    tensors: BTreeMap<String, TensorEntry>,
    length: u64,
    /// The other file, and its size.
    adopted: Option<(PathBuf, u64)>,
}

#[derive(Debug, Clone)]
struct TensorEntry {
    /// Whether the tensor lies in the other file.
    adopted: bool,
    dtype: Dtype,
    shape: Vec<usize>,
    /// Where the tensor's bytes lie in the file.
    bytes: Range<u64>,
}

impl Weights {
    /// Opens the file at `path` and reads its header. A file that is shorter or longer than its header says is an
    /// error.
    pub fn open(path: &Path) -> Result<Self> {
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
            let entry = TensorEntry { adopted: false, dtype: info.dtype, shape: info.shape.clone(), bytes };
            tensors.insert(usual_name(&name), entry);
        }
        Ok(Self { path: path.to_owned(), tensors, length, adopted: None })
    }

    /// Takes the tensors `names.0` of the file at `path` under the names `names.1`, and drops tensors that have these
    /// names here. Tensors can be taken from one other file; a second call drops those of the first.
    pub(crate) fn adopt(&mut self, path: &Path, names: &[(&str, &str)]) -> Result<()> {
        let mut other = Self::open(path)?;
        self.tensors.retain(|_, entry| !entry.adopted);
        for &(from, to) in names {
            let Some(entry) = other.tensors.remove(from) else {
                return Err(Error::MissingTensor { path: path.to_owned(), name: from.to_owned() });
            };
            self.tensors.insert(to.to_owned(), TensorEntry { adopted: true, ..entry });
        }
        self.adopted = Some((other.path, other.length));
        Ok(())
    }

    /// The file, `model.safetensors`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The size of its files in bytes.
    pub fn bytes(&self) -> u64 {
        self.length + self.adopted.as_ref().map_or(0, |&(_, length)| length)
    }

    /// The hash that identifies these weights, in hexadecimal: the sha256 of the file or, where tensors come from
    /// another file too, the sha256 of both files' hashes.
    pub fn sha256(&self) -> Result<String> {
        let own = sha256_file(&self.path)?;
        let Some((other, _)) = &self.adopted else { return Ok(own) };
        let both = own + &sha256_file(other)?;
        Ok(sha256_reader(&mut both.as_bytes()).map_err(limbeck_data::Error::io("hash", other))?)
    }

    /// Whether there is a tensor of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Refuses the pooler `cls` where its dense layer is missing.
    ///
    /// # Errors
    /// [`Error::NoPoolerWeights`].
    pub(crate) fn check_pooler(&self, pooler: Pooler) -> Result<()> {
        match pooler == Pooler::Cls && !self.contains("pooler.dense.weight") {
            true => Err(Error::NoPoolerWeights { path: self.path.clone() }),
            false => Ok(()),
        }
    }

    /// An error unless there is a tensor `name` of this shape; nothing is read.
    pub fn check(&self, name: &str, shape: &[usize]) -> Result<()> {
        self.entry(name, shape).map(|_| ())
    }

    /// How many parameters the model has; integers, such as `position_ids`, don't count.
    pub fn parameters(&self) -> u64 {
        let floats = self.tensors.values().filter(|entry| is_float(entry.dtype));
        floats.map(|entry| entry.shape.iter().map(|&size| size as u64).product::<u64>()).sum()
    }

    /// The tensor `name`, which has to have the shape `shape`, as f32.
    pub fn f32(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        to_f32(&self.tensor(name, shape, DType::F32, &Device::Cpu)?)
    }

    /// Some rows of the matrix `name`, which has to have the shape `shape`, as f32, so that a large table can be read
    /// in pieces. Rows past its end are left out.
    pub fn f32_rows(&self, name: &str, shape: [usize; 2], rows: Range<usize>) -> Result<Vec<f32>> {
        let entry = self.entry(name, &shape)?;
        let row = (shape[1] * (entry.dtype.bitsize() / 8)) as u64;
        let from = entry.bytes.start + row * rows.start.min(shape[0]) as u64;
        let to = entry.bytes.start + row * rows.end.min(shape[0]) as u64;
        to_f32(&self.read(entry, from..to.max(from), DType::F32)?)
    }

    /// The tensor `name`, which has to have the shape `shape`, as a tensor of candle on `device`, in `dtype`.
    pub fn tensor(&self, name: &str, shape: &[usize], dtype: DType, device: &Device) -> Result<Tensor> {
        let entry = self.entry(name, shape)?;
        // Converted on the CPU: some devices have no f64 or bf16.
        let values = self.read(entry, entry.bytes.clone(), dtype)?;
        values.reshape(shape).and_then(|tensor| tensor.to_device(device)).map_err(Error::candle("loading a tensor"))
    }

    fn file_of(&self, entry: &TensorEntry) -> &Path {
        self.adopted.as_ref().filter(|_| entry.adopted).map_or(&self.path, |(path, _)| path)
    }

    fn entry(&self, name: &str, shape: &[usize]) -> Result<&TensorEntry> {
        let Some(entry) = self.tensors.get(name) else {
            return Err(Error::MissingTensor { path: self.path.clone(), name: name.to_owned() });
        };
        let (path, name) = (self.file_of(entry).to_owned(), name.to_owned());
        if entry.shape != shape {
            return Err(Error::TensorShape { path, name, expected: shape.to_vec(), found: entry.shape.clone() });
        }
        if !is_float(entry.dtype) {
            return Err(Error::TensorType { path, name, found: format!("{:?}", entry.dtype) });
        }
        Ok(entry)
    }

    /// The values in the range `bytes` of a tensor's file, in one dimension.
    fn read(&self, entry: &TensorEntry, bytes: Range<u64>, dtype: DType) -> Result<Tensor> {
        let path = self.file_of(entry);
        let mut file = File::open(path).map_err(limbeck_data::Error::io("open", path))?;
        // A tensor of a file that exists on this machine fits its address space.
        let mut buffer = vec![0; (bytes.end - bytes.start) as usize];
        file.seek(SeekFrom::Start(bytes.start))
            .and_then(|_| file.read_exact(&mut buffer))
            .map_err(limbeck_data::Error::io("read", path))?;
        let count = buffer.len() / (entry.dtype.bitsize() / 8);
        DType::try_from(entry.dtype)
            .and_then(|stored| Tensor::from_raw_buffer(&buffer, stored, &[count], &Device::Cpu)?.to_dtype(dtype))
            .map_err(Error::candle("loading a tensor"))
    }
}

fn is_float(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F64)
}

/// `bert.encoder.layer.0.output.LayerNorm.gamma` as `encoder.layer.0.output.LayerNorm.weight`.
fn usual_name(name: &str) -> String {
    let name = name.strip_prefix("bert.").unwrap_or(name);
    name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
}

fn to_f32(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all().and_then(|tensor| tensor.to_vec1()).map_err(Error::candle("loading a tensor"))
}
