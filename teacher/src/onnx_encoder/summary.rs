//! The number of parameters of an ONNX file and their precision, read from its bytes without loading the model.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::{Error, Result};

/// The facts of a model file that the tables of a report show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ModelSummary {
    pub parameters: u64,
    pub precision: &'static str,
}

// Field numbers and element types of onnx.proto.
const MODEL_GRAPH: u64 = 7;
const GRAPH_INITIALIZER: u64 = 5;
const TENSOR_DIMS: u64 = 1;
const TENSOR_DATA_TYPE: u64 = 2;
const TYPES_OF_WEIGHTS: [(u64, &str); 6] =
    [(1, "f32"), (11, "f32"), (10, "f16"), (16, "bf16"), (2, "int8"), (3, "int8")];

/// Reads the initializers' shapes and types and skips their data. Scalars and integers other than int8 are shapes and
/// indices, not parameters. A model with an int8 matrix is int8, whatever else it has.
pub(super) fn read(path: &Path) -> Result<ModelSummary> {
    let file = File::open(path).map_err(Error::io(path, "open"))?;
    let length = file.metadata().map_err(Error::io(path, "open"))?.len();
    summarise(&mut ProtobufReader { from: BufReader::new(file), at: 0 }, length)
        .map_err(Error::io(path, "read as ONNX"))
}

fn summarise(reader: &mut ProtobufReader<impl Skip>, length: u64) -> io::Result<ModelSummary> {
    let (mut parameters, mut narrow, mut half) = (0, false, false);
    while reader.at < length {
        match reader.field()? {
            ProtobufField::Bytes { number: MODEL_GRAPH, length } => {
                let end = reader.at + length;
                while reader.at < end {
                    match reader.field()? {
                        ProtobufField::Bytes { number: GRAPH_INITIALIZER, length } => {
                            let (kind, count, rank) = tensor(reader, length)?;
                            let Some((_, name)) = TYPES_OF_WEIGHTS.iter().find(|(number, _)| *number == kind) else {
                                continue;
                            };
                            parameters += if rank > 0 { count } else { 0 };
                            narrow |= *name == "int8" && rank > 1;
                            half |= *name == "f16" && rank > 1;
                        }
                        other => reader.skip(other)?,
                    }
                }
            }
            other => reader.skip(other)?,
        }
    }
    let precision = if narrow {
        "int8"
    } else if half {
        "f16"
    } else {
        "f32"
    };
    Ok(ModelSummary { parameters, precision })
}

/// The type, the number of elements and the rank of a tensor of `length` bytes.
fn tensor(reader: &mut ProtobufReader<impl Skip>, length: u64) -> io::Result<(u64, u64, usize)> {
    let (end, mut kind, mut dims) = (reader.at + length, 0, Vec::new());
    while reader.at < end {
        match reader.field()? {
            ProtobufField::Number { number: TENSOR_DIMS, value } => dims.push(value),
            ProtobufField::Number { number: TENSOR_DATA_TYPE, value } => kind = value,
            ProtobufField::Bytes { number: TENSOR_DIMS, length } => {
                let end = reader.at + length;
                while reader.at < end {
                    dims.push(reader.varint()?);
                }
            }
            other => reader.skip(other)?,
        }
    }
    Ok((kind, dims.iter().fold(1, |product: u64, &dim| product.saturating_mul(dim)), dims.len()))
}

/// A field of a protobuf message. The bytes of its value, if it has any, are not read yet.
enum ProtobufField {
    Number { number: u64, value: u64 },
    Bytes { number: u64, length: u64 },
    Fixed { length: u64 },
}

/// A source of bytes that can skip some.
trait Skip: Read {
    fn skip(&mut self, bytes: u64) -> io::Result<()>;
}

impl Skip for BufReader<File> {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        self.seek_relative(i64::try_from(bytes).map_err(|_| broken())?)
    }
}

struct ProtobufReader<R> {
    from: R,
    at: u64,
}

impl<R: Skip> ProtobufReader<R> {
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

    fn field(&mut self) -> io::Result<ProtobufField> {
        let key = self.varint()?;
        let number = key >> 3;
        match key & 7 {
            0 => Ok(ProtobufField::Number { number, value: self.varint()? }),
            1 => Ok(ProtobufField::Fixed { length: 8 }),
            2 => Ok(ProtobufField::Bytes { number, length: self.varint()? }),
            5 => Ok(ProtobufField::Fixed { length: 4 }),
            _ => Err(broken()),
        }
    }

    fn skip(&mut self, field: ProtobufField) -> io::Result<()> {
        if let ProtobufField::Bytes { length, .. } | ProtobufField::Fixed { length } = field {
            self.from.skip(length)?;
            self.at = self.at.checked_add(length).ok_or_else(broken)?;
        }
        Ok(())
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the file is no protobuf message")
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Skip for &[u8] {
        fn skip(&mut self, bytes: u64) -> io::Result<()> {
            let bytes = usize::try_from(bytes).map_err(|_| broken())?;
            *self = self.get(bytes..).ok_or_else(broken)?;
            Ok(())
        }
    }

    fn summary(bytes: &[u8]) -> io::Result<ModelSummary> {
        summarise(&mut ProtobufReader { from: bytes, at: 0 }, bytes.len() as u64)
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
        assert_eq!(summary(&model).unwrap(), ModelSummary { parameters: 17, precision: "f32" });
        assert!(summary(&model[..model.len() - 1]).is_err());
    }

    #[test]
    fn a_model_with_an_int8_matrix_is_int8() {
        let matrix = [1 << 3 | 2, 2, 3, 4, 2 << 3, 3];
        let other = [1 << 3 | 2, 2, 3, 4, 2 << 3, 1];
        let model = message(7, &[message(5, &matrix), message(5, &other)].concat());
        assert_eq!(summary(&model).unwrap(), ModelSummary { parameters: 24, precision: "int8" });
    }
}
