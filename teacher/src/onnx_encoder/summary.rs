//! The number of parameters of an ONNX file and their precision, read from its bytes without loading the model.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use crate::Result;

/// The facts of a model file that the tables of a report show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ModelSummary {
    pub parameters: u64,
    pub precision: &'static str,
    /// Whether the file is one of limbeck's exports, whose metadata states all settings.
    pub is_own: bool,
}

// Field numbers and element types of onnx.proto.
const MODEL_GRAPH: u64 = 7;
const MODEL_METADATA: u64 = 14;
const ENTRY_KEY: u64 = 1;
const GRAPH_INITIALIZER: u64 = 5;
const TENSOR_DIMS: u64 = 1;
const TENSOR_DATA_TYPE: u64 = 2;
const TYPES_OF_WEIGHTS: [(u64, &str); 6] =
    [(1, "f32"), (11, "f32"), (10, "f16"), (16, "bf16"), (2, "int8"), (3, "int8")];

/// The beginning of the metadata's keys in limbeck's exports.
const OWN_KEY: &[u8] = b"limbeck.";

/// Reads the initializers' shapes and types and skips their data. Scalars and integers other than int8 are shapes and
/// indices, not parameters. A model with an int8 matrix is int8, whatever else it has.
pub(super) fn read(path: &Path) -> Result<ModelSummary> {
    let file = File::open(path).map_err(limbeck_data::Error::io("open", path))?;
    let length = file.metadata().map_err(limbeck_data::Error::io("open", path))?.len();
    Ok(summarise(BufReader::new(file), length).map_err(limbeck_data::Error::io("read as ONNX", path))?)
}

fn summarise(from: impl Read + Seek, length: u64) -> io::Result<ModelSummary> {
    let mut reader = ProtobufReader { from, at: 0, length };
    let (mut parameters, mut matrices, mut is_own) = (0, Vec::new(), false);
    reader.fields(length, &mut |reader, field| match field {
        (MODEL_GRAPH, FieldValue::Bytes(length)) => reader.fields(length, &mut |reader, field| match field {
            (GRAPH_INITIALIZER, FieldValue::Bytes(length)) => {
                let (kind, dims) = tensor(reader, length)?;
                let kind = TYPES_OF_WEIGHTS.iter().find(|(number, _)| *number == kind);
                if let Some((_, name)) = kind.filter(|_| !dims.is_empty()) {
                    parameters += dims.iter().fold(1, |product: u64, &dim| product.saturating_mul(dim));
                    matrices.extend((dims.len() > 1).then_some(*name));
                }
                Ok(())
            }
            (_, value) => reader.skip(value),
        }),
        (MODEL_METADATA, FieldValue::Bytes(length)) => reader.fields(length, &mut |reader, field| match field {
            (ENTRY_KEY, FieldValue::Bytes(length)) => {
                is_own |= reader.starts_with(OWN_KEY, length)?;
                Ok(())
            }
            (_, value) => reader.skip(value),
        }),
        (_, value) => reader.skip(value),
    })?;
    let precision = ["int8", "f16"].into_iter().find(|precision| matrices.contains(precision)).unwrap_or("f32");
    Ok(ModelSummary { parameters, precision, is_own })
}

/// The type and the dimensions of a tensor of `length` bytes.
fn tensor(reader: &mut ProtobufReader<impl Read + Seek>, length: u64) -> io::Result<(u64, Vec<u64>)> {
    let (mut kind, mut dims) = (0, Vec::new());
    reader.fields(length, &mut |reader, field| {
        match field {
            (TENSOR_DIMS, FieldValue::Number(value)) => dims.push(value),
            (TENSOR_DATA_TYPE, FieldValue::Number(value)) => kind = value,
            (TENSOR_DIMS, FieldValue::Bytes(length)) => {
                let end = reader.end_of(length)?;
                while reader.at < end {
                    dims.push(reader.varint()?);
                }
            }
            (_, value) => reader.skip(value)?,
        }
        Ok(())
    })?;
    Ok((kind, dims))
}

/// The value of a field of a protobuf message: a number, or so many bytes that are not read yet.
enum FieldValue {
    Number(u64),
    Bytes(u64),
    Fixed(u64),
}

struct ProtobufReader<R> {
    from: R,
    at: u64,
    length: u64,
}

/// Reads or skips one field, of a number and a value.
type VisitField<'v, R> = &'v mut dyn FnMut(&mut ProtobufReader<R>, (u64, FieldValue)) -> io::Result<()>;

impl<R: Read + Seek> ProtobufReader<R> {
    /// Calls `visit` for each field of a message of `length` bytes.
    fn fields(&mut self, length: u64, visit: VisitField<R>) -> io::Result<()> {
        let end = self.end_of(length)?;
        while self.at < end {
            let key = self.varint()?;
            let value = match key & 7 {
                0 => FieldValue::Number(self.varint()?),
                1 => FieldValue::Fixed(8),
                2 => FieldValue::Bytes(self.varint()?),
                5 => FieldValue::Fixed(4),
                _ => return Err(broken()),
            };
            visit(self, (key >> 3, value))?;
        }
        Ok(())
    }

    fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            self.from.read_exact(&mut byte)?;
            self.at += 1;
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(broken())
    }

    /// Whether the next `length` bytes begin with `expected`; all of them are read.
    fn starts_with(&mut self, expected: &[u8], length: u64) -> io::Result<bool> {
        let mut beginning = vec![0; expected.len().min(length as usize)];
        let rest = self.end_of(length)? - self.at - beginning.len() as u64;
        self.from.read_exact(&mut beginning)?;
        self.at += beginning.len() as u64;
        self.skip(FieldValue::Fixed(rest))?;
        Ok(beginning == expected)
    }

    fn skip(&mut self, value: FieldValue) -> io::Result<()> {
        if let FieldValue::Bytes(length) | FieldValue::Fixed(length) = value {
            self.at = self.end_of(length)?;
            self.from.seek_relative(length as i64)?;
        }
        Ok(())
    }

    /// Where the next `length` bytes end, which is within the file.
    fn end_of(&self, length: u64) -> io::Result<u64> {
        self.at.checked_add(length).filter(|&end| end <= self.length).ok_or_else(broken)
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the file is no protobuf message")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(bytes: &[u8]) -> io::Result<ModelSummary> {
        summarise(io::Cursor::new(bytes), bytes.len() as u64)
    }

    fn message(number: u8, inside: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, inside.len() as u8], inside].concat()
    }

    #[test]
    fn initializers_are_counted_and_shapes_are_not() {
        // dims 3 and 4 packed, f32, 2 bytes of data.
        let matrix = [1 << 3 | 2, 2, 3, 4, 2 << 3, 1, 9 << 3 | 2, 2, 0, 0];
        // dims 5 unpacked, f32.
        let bias = [1 << 3, 5, 2 << 3, 1];
        // dims 2, i64: a shape.
        let shape = [1 << 3, 2, 2 << 3, 7];
        let graph = [message(5, &matrix), message(1, b"a node"), message(5, &bias), message(5, &shape)].concat();
        let model = [vec![1 << 3, 8], message(7, &graph)].concat();
        assert_eq!(summary(&model).unwrap(), ModelSummary { parameters: 17, precision: "f32", is_own: false });
        assert!(summary(&model[..model.len() - 1]).is_err());
    }

    #[test]
    fn a_length_past_the_end_of_the_file_is_an_error() {
        let longest = [&[0xff; 9][..], &[1]].concat();
        assert!(summary(&[&[7 << 3 | 2], &longest[..]].concat()).is_err());
    }

    #[test]
    fn a_model_with_an_int8_matrix_is_int8() {
        let matrix = [1 << 3 | 2, 2, 3, 4, 2 << 3, 3];
        let other = [1 << 3 | 2, 2, 3, 4, 2 << 3, 1];
        let model = message(7, &[message(5, &matrix), message(5, &other)].concat());
        assert_eq!(summary(&model).unwrap(), ModelSummary { parameters: 24, precision: "int8", is_own: false });
    }

    #[test]
    fn limbecks_exports_are_known_by_their_metadata() {
        let entry = |key: &[u8]| message(14, &[message(1, key), message(2, b"mean")].concat());
        assert!(summary(&[entry(b"onnx"), entry(b"limbeck.pooler")].concat()).unwrap().is_own);
        assert!(!summary(&[entry(b"limbeck"), entry(b"")].concat()).unwrap().is_own);
    }
}
