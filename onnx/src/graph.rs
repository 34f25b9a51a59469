//! A graph of ONNX operators being built, and its writing.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use limbeck_data::files::write_atomically;

use crate::Error;
use crate::proto::Message;

/// ONNX Runtime 1.17 reads IR versions up to 9; 8 is what opset 17 came with.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;
/// The most bytes a protobuf message may have.
const MAX_BYTES: u64 = i32::MAX as u64;

/// The types of ONNX tensors that occur here, with their numbers in `TensorProto.DataType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    F32 = 1,
    I8 = 3,
    I64 = 7,
}

impl Kind {
    fn size(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::I8 => 1,
            Self::I64 => 8,
        }
    }
}

/// The name of a tensor in the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value(String);

/// An operator's setting.
pub enum Attribute<'a> {
    Int(&'a str, i64),
    Ints(&'a str, &'a [i64]),
    Float(&'a str, f32),
}

impl Attribute<'_> {
    /// An `AttributeProto`: name = 1, f = 2, i = 3, ints = 8, type = 20.
    fn encode(&self) -> Message {
        match *self {
            Self::Float(name, value) => Message::new().text(1, name).float(2, value).int(20, 1),
            Self::Int(name, value) => Message::new().text(1, name).int(3, value).int(20, 2),
            Self::Ints(name, values) => Message::new().text(1, name).ints(8, values).int(20, 7),
        }
    }
}

/// What writes the bytes of a tensor, little-endian and row-major, when its turn comes.
type Fill<'a, E> = Box<dyn Fn(&mut dyn Write) -> Result<(), FillError<E>> + 'a>;

/// A tensor's bytes couldn't be had, or couldn't be written.
#[derive(Debug)]
pub enum FillError<E> {
    /// Where the numbers come from failed.
    Source(Box<E>),
    /// The file failed.
    Sink(io::Error),
}

impl<E> FillError<E> {
    /// For `map_err`.
    pub fn source(error: E) -> Self {
        Self::Source(Box::new(error))
    }
}

impl<E> From<io::Error> for FillError<E> {
    fn from(error: io::Error) -> Self {
        Self::Sink(error)
    }
}

/// A constant tensor.
struct Initializer<'a, E> {
    /// A `TensorProto` up to its bytes: dims = 1, data_type = 2, name = 8, raw_data = 9.
    head: Message,
    bytes: u64,
    fill: Fill<'a, E>,
}

/// Operators and constants, in the order in which they are added, which has to be one in which they can be computed.
/// `E` is the error of those who make the tensors' bytes.
pub struct Graph<'a, E> {
    name: &'static str,
    /// Encoded `NodeProto`s, `ValueInfoProto`s.
    nodes: Vec<Message>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
    initializers: Vec<Initializer<'a, E>>,
    /// Small constants that are there already.
    constants: BTreeMap<String, Value>,
    scope: String,
    counts: BTreeMap<String, usize>,
}

impl<'a, E> Graph<'a, E> {
    /// An empty graph, called `name` in the file.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            nodes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            initializers: Vec::new(),
            constants: BTreeMap::new(),
            scope: String::new(),
            counts: BTreeMap::new(),
        }
    }

    /// Nodes added from now on have names that begin with `scope`.
    pub fn scope(&mut self, scope: &str) {
        self.scope = scope.to_owned();
    }

    /// Adds an operator with one output.
    pub fn node(&mut self, operator: &str, inputs: &[&Value], attributes: &[Attribute]) -> Value {
        let name = self.fresh(operator);
        self.add(operator, inputs, std::slice::from_ref(&name), attributes);
        Value(name)
    }

    /// Adds an operator with three outputs.
    pub fn node3(&mut self, operator: &str, inputs: &[&Value]) -> [Value; 3] {
        let name = self.fresh(operator);
        let outputs = [0, 1, 2].map(|index| format!("{name}.{index}"));
        self.add(operator, inputs, &outputs, &[]);
        outputs.map(Value)
    }

    /// Adds an operator with one output, which is called `name`.
    pub fn named(&mut self, name: &str, operator: &str, inputs: &[&Value], attributes: &[Attribute]) -> Value {
        self.add(operator, inputs, &[name.to_owned()], attributes);
        Value(name.to_owned())
    }

    /// Declares an f32 output of these dimensions (a number, or a name where they are dynamic).
    pub fn output(&mut self, value: &Value, dims: &[&str]) {
        self.outputs.push(value_info(&value.0, Kind::F32, dims));
    }

    /// Declares an input.
    pub fn input(&mut self, name: &str, kind: Kind, dims: &[&str]) -> Value {
        self.inputs.push(value_info(name, kind, dims));
        Value(name.to_owned())
    }

    /// A constant list of whole numbers.
    pub fn ints(&mut self, values: &[i64]) -> Value {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let name = format!("ints{values:?}").replace([' ', '[', ']'], "_").replace(',', "");
        self.small(name, Kind::I64, &[values.len()], bytes)
    }

    /// A constant whole number, without dimensions.
    pub fn index(&mut self, value: i64) -> Value {
        self.small(format!("int_{value}"), Kind::I64, &[], value.to_le_bytes().to_vec())
    }

    /// A constant number.
    pub fn float(&mut self, value: f32) -> Value {
        self.small(format!("float_{value}"), Kind::F32, &[], value.to_le_bytes().to_vec())
    }

    /// A constant tensor that is in memory.
    pub fn floats(&mut self, name: &str, dims: &[usize], values: Vec<f32>) -> Value {
        self.tensor(name, Kind::F32, dims, move |to| write_f32(to, &values))
    }

    /// [`Graph::floats`] in one dimension, with a name made up.
    pub fn unnamed_floats(&mut self, values: Vec<f32>) -> Value {
        let name = self.fresh("constant");
        self.floats(&name, &[values.len()], values)
    }

    /// A constant tensor whose bytes are written by `fill` when its turn comes; it may be asked once more by another
    /// writing and has to write the same.
    pub fn tensor(
        &mut self,
        name: &str,
        kind: Kind,
        dims: &[usize],
        fill: impl Fn(&mut dyn Write) -> Result<(), FillError<E>> + 'a,
    ) -> Value {
        let bytes = dims.iter().map(|&size| size as u64).product::<u64>() * kind.size();
        let dims: Vec<i64> = dims.iter().map(|&size| size as i64).collect();
        let head = Message::new().ints(1, &dims).int(2, kind as i64).text(8, name).length_of(9, bytes);
        self.initializers.push(Initializer { head, bytes, fill: Box::new(fill) });
        Value(name.to_owned())
    }

    fn small(&mut self, name: String, kind: Kind, dims: &[usize], bytes: Vec<u8>) -> Value {
        if let Some(value) = self.constants.get(&name) {
            return value.clone();
        }
        let value = self.tensor(&name, kind, dims, move |to| Ok(to.write_all(&bytes)?));
        self.constants.insert(name, value.clone());
        value
    }

    fn fresh(&mut self, operator: &str) -> String {
        let stem = format!("{}/{operator}", self.scope);
        let count = self.counts.entry(stem.clone()).or_default();
        *count += 1;
        match *count {
            1 => stem,
            n => format!("{stem}_{n}"),
        }
    }

    /// A `NodeProto`: input = 1, output = 2, name = 3, op_type = 4, attribute = 5.
    fn add(&mut self, operator: &str, inputs: &[&Value], outputs: &[String], attributes: &[Attribute]) {
        let mut node = Message::new();
        for input in inputs {
            node = node.text(1, &input.0);
        }
        for output in outputs {
            node = node.text(2, output);
        }
        node = node.text(3, &outputs[0]).text(4, operator);
        for attribute in attributes {
            node = node.message(5, &attribute.encode());
        }
        self.nodes.push(node);
    }

    /// Writes the model to `path`, whole or not at all.
    ///
    /// # Errors
    /// A file that can't be written, or would be larger than protobuf allows; what a tensor's source gives.
    pub fn write(&self, metadata: &[(&str, String)], path: &Path) -> Result<(), E>
    where
        E: From<Error> + From<limbeck_data::Error>,
    {
        // A GraphProto: node = 1, name = 2, initializer = 5, input = 11, output = 12.
        let mut before = Message::new();
        for node in &self.nodes {
            before = before.message(1, node);
        }
        before = before.text(2, self.name);
        let heads: Vec<Message> = self.initializers.iter().map(Initializer::encode_head).collect();
        let mut after = Message::new();
        for input in &self.inputs {
            after = after.message(11, input);
        }
        for output in &self.outputs {
            after = after.message(12, output);
        }
        let tensors: u64 = heads.iter().zip(&self.initializers).map(|(head, tensor)| head.len() + tensor.bytes).sum();
        let length = before.len() + tensors + after.len();

        // A ModelProto: ir_version = 1, producer_name = 2, producer_version = 3, graph = 7, opset_import = 8,
        // metadata_props = 14.
        let start = Message::new()
            .int(1, IR_VERSION)
            .text(2, "limbeck")
            .text(3, env!("CARGO_PKG_VERSION"))
            .message(8, &Message::new().int(2, OPSET));
        let start = metadata
            .iter()
            .fold(start, |start, (key, value)| start.message(14, &Message::new().text(1, key).text(2, value)))
            .length_of(7, length);
        let bytes = start.len() + length;
        if bytes > MAX_BYTES {
            return Err(Error::TooBig { path: path.to_owned(), bytes }.into());
        }
        write_atomically(path, |file| {
            let mut write = || -> Result<(), FillError<E>> {
                file.write_all(start.as_bytes())?;
                file.write_all(before.as_bytes())?;
                for (head, tensor) in heads.iter().zip(&self.initializers) {
                    file.write_all(head.as_bytes())?;
                    let mut counted = Counted { to: &mut *file, bytes: 0 };
                    (tensor.fill)(&mut counted)?;
                    if counted.bytes != tensor.bytes {
                        let what =
                            format!("a tensor came out with {} bytes instead of {}", counted.bytes, tensor.bytes);
                        return Err(FillError::Sink(io::Error::other(what)));
                    }
                }
                Ok(file.write_all(after.as_bytes())?)
            };
            write().map_err(|error| match error {
                FillError::Source(error) => *error,
                FillError::Sink(source) => limbeck_data::Error::io("write", path)(source).into(),
            })
        })
    }
}

impl<E> Initializer<'_, E> {
    /// The field of the `GraphProto` up to the tensor's bytes.
    fn encode_head(&self) -> Message {
        let field = Message::new().length_of(5, self.head.len() + self.bytes);
        field.then(&self.head)
    }
}

/// Counts what is written through it.
struct Counted<W> {
    to: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// A `ValueInfoProto` (name = 1, type = 2) of a `TypeProto` (tensor_type = 1) of a tensor (elem_type = 1, shape = 2) of
/// dimensions (dim = 1: dim_value = 1 or dim_param = 2).
fn value_info(name: &str, kind: Kind, dims: &[&str]) -> Message {
    let shape = dims.iter().fold(Message::new(), |shape, dim| {
        let dim = match dim.parse() {
            Ok(size) => Message::new().int(1, size),
            Err(_) => Message::new().text(2, dim),
        };
        shape.message(1, &dim)
    });
    let tensor = Message::new().int(1, kind as i64).message(2, &shape);
    Message::new().text(1, name).message(2, &Message::new().message(1, &tensor))
}

/// Writes numbers little-endian, a block at a time.
pub fn write_f32<E>(to: &mut dyn Write, values: &[f32]) -> Result<(), FillError<E>> {
    let mut block = Vec::with_capacity(1 << 16);
    for values in values.chunks(1 << 14) {
        block.clear();
        block.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        to.write_all(&block)?;
    }
    Ok(())
}
