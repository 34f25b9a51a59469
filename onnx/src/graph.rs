//! A graph of ONNX operators: building and writing.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use limbeck_data::files::write_atomically;

use crate::Error;
use crate::fields::{
    attribute, dimension, graph, model, node, operator_set_id, string_string_entry, tensor, tensor_shape, tensor_type,
    type_, value_info,
};
use crate::proto::Message;

/// The IR version that opset 17 came with; ONNX Runtime 1.17 reads versions up to 9.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;
/// The most bytes a protobuf message may have.
const MAX_BYTES: u64 = i32::MAX as u64;

/// The element types of ONNX tensors that occur here, with their numbers in `TensorProto.DataType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementType {
    /// 32-bit floats.
    F32 = 1,
    /// 8-bit integers.
    I8 = 3,
    /// 64-bit integers.
    I64 = 7,
}

impl ElementType {
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

/// A named attribute of an operator.
pub enum Attribute<'a> {
    /// An integer.
    Int(&'a str, i64),
    /// A list of integers.
    Ints(&'a str, &'a [i64]),
    /// A number.
    Float(&'a str, f32),
}

impl Attribute<'_> {
    fn encode(&self) -> Message {
        /// `AttributeProto.AttributeType`
        const FLOAT: i64 = 1;
        const INT: i64 = 2;
        const INTS: i64 = 7;
        let named = |name| Message::default().text(attribute::NAME, name);
        match *self {
            Self::Float(name, value) => named(name).float(attribute::F, value).int(attribute::TYPE, FLOAT),
            Self::Int(name, value) => named(name).int(attribute::I, value).int(attribute::TYPE, INT),
            Self::Ints(name, values) => named(name).ints(attribute::INTS, values).int(attribute::TYPE, INTS),
        }
    }
}

/// A function that writes the bytes of a tensor, little-endian and row-major.
type FillTensor<'a, E> = Box<dyn Fn(&mut dyn Write) -> Result<(), FillError<E>> + 'a>;

/// Why a tensor could not be written.
#[derive(Debug)]
pub enum FillError<E> {
    /// The source of the tensor's values failed.
    Source(Box<E>),
    /// The file could not be written.
    Sink(io::Error),
}

impl<E> FillError<E> {
    /// Wraps the error of a tensor's source, for `map_err`.
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
    /// The field of the `GraphProto` up to the tensor's bytes.
    head: Message,
    bytes: u64,
    fill: FillTensor<'a, E>,
}

/// A graph of operators and constants, written in the order in which they were added; they must be added in an order in
/// which they can be computed. `E` is the error of the functions that write tensors.
pub struct Graph<'a, E> {
    name: &'static str,
    /// Encoded `NodeProto`s, `ValueInfoProto`s.
    nodes: Vec<Message>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
    initializers: Vec<Initializer<'a, E>>,
    /// The small constants that were added, by name.
    constants: BTreeMap<String, Value>,
    scope: String,
    counts: BTreeMap<String, usize>,
}

impl<'a, E> Graph<'a, E> {
    /// An empty graph with the name `name` in the file.
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

    /// The names of nodes that are added from now on begin with `scope`.
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

    /// Adds an operator with one output, whose name is `name`.
    pub fn named(&mut self, name: &str, operator: &str, inputs: &[&Value], attributes: &[Attribute]) -> Value {
        self.add(operator, inputs, &[name.to_owned()], attributes);
        Value(name.to_owned())
    }

    /// Declares an f32 output of these dimensions; each is a number, or a name where the dimension is dynamic.
    pub fn output(&mut self, value: &Value, dims: &[&str]) {
        self.outputs.push(value_info(&value.0, ElementType::F32, dims));
    }

    /// Declares an input, with dimensions as in [`Graph::output`].
    pub fn input(&mut self, name: &str, element: ElementType, dims: &[&str]) -> Value {
        self.inputs.push(value_info(name, element, dims));
        Value(name.to_owned())
    }

    /// A constant list of integers.
    pub fn ints(&mut self, values: &[i64]) -> Value {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let name = format!("ints{values:?}").replace([' ', '[', ']'], "_").replace(',', "");
        self.small(name, ElementType::I64, &[values.len()], bytes)
    }

    /// A constant integer, without dimensions.
    pub fn index(&mut self, value: i64) -> Value {
        self.small(format!("int_{value}"), ElementType::I64, &[], value.to_le_bytes().to_vec())
    }

    /// A constant float, without dimensions.
    pub fn float(&mut self, value: f32) -> Value {
        self.small(format!("float_{value}"), ElementType::F32, &[], value.to_le_bytes().to_vec())
    }

    /// A constant tensor of values in memory.
    pub fn floats(&mut self, name: &str, dims: &[usize], values: Vec<f32>) -> Value {
        self.tensor(name, ElementType::F32, dims, move |to| write_f32(to, &values))
    }

    /// [`Graph::floats`] in one dimension, with a name chosen by the graph.
    pub fn unnamed_floats(&mut self, values: Vec<f32>) -> Value {
        let name = self.fresh("constant");
        self.floats(&name, &[values.len()], values)
    }

    /// A constant tensor, whose bytes `fill` writes when the tensor's turn comes. Each call of [`Graph::write`] calls
    /// `fill`, which must write the same bytes each time.
    pub fn tensor(
        &mut self,
        name: &str,
        element: ElementType,
        dims: &[usize],
        fill: impl Fn(&mut dyn Write) -> Result<(), FillError<E>> + 'a,
    ) -> Value {
        let bytes = dims.iter().map(|&size| size as u64).product::<u64>() * element.size();
        let dims: Vec<i64> = dims.iter().map(|&size| size as i64).collect();
        let head = Message::default().ints(tensor::DIMS, &dims).int(tensor::DATA_TYPE, element as i64);
        let head = head.text(tensor::NAME, name).length_of(tensor::RAW_DATA, bytes);
        let head = Message::default().length_of(graph::INITIALIZER, head.len() + bytes).then(&head);
        self.initializers.push(Initializer { head, bytes, fill: Box::new(fill) });
        Value(name.to_owned())
    }

    fn small(&mut self, name: String, element: ElementType, dims: &[usize], bytes: Vec<u8>) -> Value {
        if let Some(value) = self.constants.get(&name) {
            return value.clone();
        }
        let value = self.tensor(&name, element, dims, move |to| Ok(to.write_all(&bytes)?));
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

    fn add(&mut self, operator: &str, inputs: &[&Value], outputs: &[String], attributes: &[Attribute]) {
        let message = inputs.iter().fold(Message::default(), |message, input| message.text(node::INPUT, &input.0));
        let message = outputs.iter().fold(message, |message, output| message.text(node::OUTPUT, output));
        let message = message.text(node::NAME, &outputs[0]).text(node::OP_TYPE, operator);
        let add = |message: Message, attribute: &Attribute| message.message(node::ATTRIBUTE, &attribute.encode());
        self.nodes.push(attributes.iter().fold(message, add));
    }

    /// Writes the model to `path`, whole or not at all.
    ///
    /// # Errors
    /// When the file can't be written or would be larger than protobuf allows, or a tensor's source fails.
    pub fn write(&self, metadata: &[(&str, String)], path: &Path) -> Result<(), E>
    where
        E: From<Error> + From<limbeck_data::Error>,
    {
        let all = |messages: &[Message], field: u32| {
            messages.iter().fold(Message::default(), |all, message| all.message(field, message))
        };
        let before = all(&self.nodes, graph::NODE).text(graph::NAME, self.name);
        let after = all(&self.inputs, graph::INPUT).then(&all(&self.outputs, graph::OUTPUT));
        let tensors: u64 = self.initializers.iter().map(|tensor| tensor.head.len() + tensor.bytes).sum();
        let length = before.len() + tensors + after.len();

        let start = Message::default()
            .int(model::IR_VERSION, IR_VERSION)
            .text(model::PRODUCER_NAME, "limbeck")
            .text(model::PRODUCER_VERSION, env!("CARGO_PKG_VERSION"))
            .message(model::OPSET_IMPORT, &Message::default().int(operator_set_id::VERSION, OPSET));
        let entry = |(key, value): &(&str, String)| {
            Message::default().text(string_string_entry::KEY, key).text(string_string_entry::VALUE, value)
        };
        let start = metadata.iter().map(entry).fold(start, |start, entry| start.message(model::METADATA_PROPS, &entry));
        let start = start.length_of(model::GRAPH, length);
        let bytes = start.len() + length;
        if bytes > MAX_BYTES {
            return Err(Error::TooBig { path: path.to_owned(), bytes }.into());
        }
        write_atomically(path, |file| {
            let mut write = || -> Result<(), FillError<E>> {
                file.write_all(start.as_bytes())?;
                file.write_all(before.as_bytes())?;
                for tensor in &self.initializers {
                    file.write_all(tensor.head.as_bytes())?;
                    let mut counted = ByteCounter { to: &mut *file, bytes: 0 };
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

/// Counts the bytes that pass through.
struct ByteCounter<W> {
    to: W,
    bytes: u64,
}

impl<W: Write> Write for ByteCounter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// The `ValueInfoProto` of a tensor.
fn value_info(name: &str, element: ElementType, dims: &[&str]) -> Message {
    let shape = dims.iter().fold(Message::default(), |shape, dim| {
        let dim = match dim.parse() {
            Ok(size) => Message::default().int(dimension::DIM_VALUE, size),
            Err(_) => Message::default().text(dimension::DIM_PARAM, dim),
        };
        shape.message(tensor_shape::DIM, &dim)
    });
    let tensor = Message::default().int(tensor_type::ELEM_TYPE, element as i64).message(tensor_type::SHAPE, &shape);
    let tensor = Message::default().message(type_::TENSOR_TYPE, &tensor);
    Message::default().text(value_info::NAME, name).message(value_info::TYPE, &tensor)
}

/// Writes floats, little-endian.
///
/// # Errors
/// When `to` fails.
pub fn write_f32<E>(to: &mut dyn Write, values: &[f32]) -> Result<(), FillError<E>> {
    let mut block = Vec::with_capacity(1 << 16);
    for values in values.chunks(1 << 14) {
        block.clear();
        block.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        to.write_all(&block)?;
    }
    Ok(())
}
