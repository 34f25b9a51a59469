//! [`Weights`]: the tensors of a model, by one set of names, read one at a time.

mod file;
mod names;
mod shards;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use limbeck_data::files::{sha256_file, sha256_reader};
use safetensors::Dtype;

use self::file::{Header, StoredTensor, header};
pub(crate) use self::names::LayerNames;
use crate::{Error, Pooler, Result};

/// Finds the tensor of a name and a shape.
pub type FindTensor<'p> = &'p mut dyn FnMut(&str, &[usize]) -> Result<Tensor>;

/// A `model.safetensors`, or the files that a `model.safetensors.index.json` names, opened and checked, and perhaps a
/// few tensors of another file. A tensor is read when it is asked for, so that no more than one is in memory.
///
/// Checkpoints name the same tensors differently: with or without `bert.` or `roberta.` in front, LayerNorm's as
/// `gamma` and `beta` or as `weight` and `bias`; DistilBERT and MPNet have names of their own. Here the names are those
/// of BERT, without a prefix. Errors name a tensor as the architecture does.
#[derive(Debug, Clone)]
pub struct Weights {
    /// The file that was opened: the tensors' or their index.
    path: PathBuf,
    /// The files of the tensors, each with its size.
    files: Vec<(PathBuf, u64)>,
    /// How many of the files are the model's own; the rest is another's.
    own_files: usize,
    names: LayerNames,
    tensors: BTreeMap<String, TensorEntry>,
}

#[derive(Debug, Clone)]
struct TensorEntry {
    /// The place of the tensor's file among the files.
    file: usize,
    stored: StoredTensor,
}

impl Weights {
    /// Opens the safetensors file at `path` and reads its header. A file that is shorter or longer than its header says
    /// is an error.
    pub fn open(path: &Path) -> Result<Self> {
        let Header { length, tensors } = header(path)?;
        Self::of(path, vec![(path.to_owned(), length)], tensors.into_iter().map(|(name, stored)| (name, 0, stored)))
    }

    /// Opens the files that the index at `path` (`model.safetensors.index.json`) names.
    ///
    /// # Errors
    /// As [`Weights::open`], and a file that is missing, that would lie outside the index's folder, or that lacks one
    /// of its tensors.
    pub fn open_index(path: &Path) -> Result<Self> {
        let (mut files, mut all) = (Vec::new(), Vec::new());
        for (shard, names) in shards::shards(path)? {
            let Header { length, mut tensors } = header(&shard)?;
            for name in names {
                let Some(stored) = tensors.remove(&name) else {
                    return Err(Error::MissingTensor { path: shard, name });
                };
                all.push((name, files.len(), stored));
            }
            files.push((shard, length));
        }
        Self::of(path, files, all.into_iter())
    }

    /// The tensors of `files`, each with its name there and the place of its file.
    fn of(
        path: &Path,
        files: Vec<(PathBuf, u64)>,
        stored: impl Iterator<Item = (String, usize, StoredTensor)>,
    ) -> Result<Self> {
        let stored: Vec<_> = stored.collect();
        let names = LayerNames::of(stored.iter().map(|(name, ..)| name.as_str()));
        let mut tensors = BTreeMap::new();
        for (name, file, stored) in stored {
            let usual = names.bert_name(&name);
            if tensors.insert(usual.clone(), TensorEntry { file, stored }).is_some() {
                let what = format!("the tensor `{usual}` is there twice, once of them as `{name}`");
                let hint = "save the model again with save_pretrained: one of both is left from something else";
                return Err(Error::Unsupported { path: path.to_owned(), what, hint: hint.to_owned() });
            }
        }
        Ok(Self { path: path.to_owned(), own_files: files.len(), files, names, tensors })
    }

    /// Takes the tensors `names.0` of the file at `path` under the names `names.1`, and drops tensors that have these
    /// names here. Tensors can be taken from one other file; a second call drops those of the first.
    pub(crate) fn adopt(&mut self, path: &Path, names: &[(&str, &str)]) -> Result<()> {
        let Header { length, mut tensors } = header(path)?;
        self.files.truncate(self.own_files);
        self.tensors.retain(|_, entry| entry.file < self.own_files);
        for &(from, to) in names {
            let Some(stored) = tensors.remove(from) else {
                return Err(Error::MissingTensor { path: path.to_owned(), name: from.to_owned() });
            };
            self.tensors.insert(to.to_owned(), TensorEntry { file: self.own_files, stored });
        }
        self.files.push((path.to_owned(), length));
        Ok(())
    }

    /// The file that was opened, `model.safetensors` or its index.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The size of its files in bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|&(_, length)| length).sum()
    }

    /// The hash that identifies these weights, in hexadecimal: the sha256 of the file or, of several files, the sha256
    /// of their hashes one after another.
    pub fn sha256(&self) -> Result<String> {
        let hashes = self.files.iter().map(|(path, _)| sha256_file(path)).collect::<limbeck_data::Result<Vec<_>>>()?;
        match &hashes[..] {
            [own] => Ok(own.clone()),
            all => {
                Ok(sha256_reader(&mut all.concat().as_bytes()).map_err(limbeck_data::Error::io("hash", &self.path))?)
            }
        }
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
        let floats = self.tensors.values().map(|entry| &entry.stored).filter(|stored| is_float(stored.dtype));
        floats.map(|stored| stored.shape.iter().map(|&size| size as u64).product::<u64>()).sum()
    }

    /// The tensor `name`, which has to have the shape `shape`, as f32.
    pub fn f32(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        to_f32(&self.tensor(name, shape, DType::F32, &Device::Cpu)?)
    }

    /// Some rows of the matrix `name`, which has to have the shape `shape`, as f32, so that a large table can be read
    /// in pieces. Rows past its end are left out.
    pub fn f32_rows(&self, name: &str, shape: [usize; 2], rows: Range<usize>) -> Result<Vec<f32>> {
        let entry = self.entry(name, &shape)?;
        let row = (shape[1] * (entry.stored.dtype.bitsize() / 8)) as u64;
        let start = entry.stored.bytes.start;
        let from = start + row * rows.start.min(shape[0]) as u64;
        let to = start + row * rows.end.min(shape[0]) as u64;
        to_f32(&self.read(entry, from..to.max(from), DType::F32)?)
    }

    /// The tensor `name`, which has to have the shape `shape`, as a tensor of candle on `device`, in `dtype`.
    pub fn tensor(&self, name: &str, shape: &[usize], dtype: DType, device: &Device) -> Result<Tensor> {
        let entry = self.entry(name, shape)?;
        // Converted on the CPU: some devices have no f64 or bf16.
        let values = self.read(entry, entry.stored.bytes.clone(), dtype)?;
        values.reshape(shape).and_then(|tensor| tensor.to_device(device)).map_err(Error::candle("loading a tensor"))
    }

    fn file_of(&self, entry: &TensorEntry) -> &Path {
        &self.files[entry.file].0
    }

    fn entry(&self, name: &str, shape: &[usize]) -> Result<&TensorEntry> {
        let own_name = || self.names.own_name(name);
        let Some(entry) = self.tensors.get(name) else {
            return Err(Error::MissingTensor { path: self.path.clone(), name: own_name() });
        };
        let path = self.file_of(entry).to_owned();
        let StoredTensor { shape: found, dtype, .. } = &entry.stored;
        if found != shape {
            let (expected, found) = (shape.to_vec(), found.clone());
            return Err(Error::TensorShape { path, name: own_name(), expected, found });
        }
        if !is_float(*dtype) {
            return Err(Error::TensorType { path, name: own_name(), found: format!("{dtype:?}") });
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
        let stored = entry.stored.dtype;
        let count = buffer.len() / (stored.bitsize() / 8);
        DType::try_from(stored)
            .and_then(|stored| Tensor::from_raw_buffer(&buffer, stored, &[count], &Device::Cpu)?.to_dtype(dtype))
            .map_err(Error::candle("loading a tensor"))
    }
}

fn is_float(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F64)
}

fn to_f32(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all().and_then(|tensor| tensor.to_vec1()).map_err(Error::candle("loading a tensor"))
}
