//! The field numbers of `onnx.proto` that are written here, a module for each message.

/// A declaration of modules of field numbers.
macro_rules! messages {
    ($($(#[$doc:meta])* $message:ident { $($field:ident = $number:literal),* $(,)? })*) => {
        $($(#[$doc])* pub(crate) mod $message { $(pub(crate) const $field: u32 = $number;)* })*
    };
}

messages! {
    /// `ModelProto`
    model { IR_VERSION = 1, PRODUCER_NAME = 2, PRODUCER_VERSION = 3, GRAPH = 7, OPSET_IMPORT = 8, METADATA_PROPS = 14 }
    /// `OperatorSetIdProto`
    operator_set_id { VERSION = 2 }
    /// `StringStringEntryProto`
    string_string_entry { KEY = 1, VALUE = 2 }
    /// `GraphProto`
    graph { NODE = 1, NAME = 2, INITIALIZER = 5, INPUT = 11, OUTPUT = 12 }
    /// `NodeProto`
    node { INPUT = 1, OUTPUT = 2, NAME = 3, OP_TYPE = 4, ATTRIBUTE = 5 }
    /// `AttributeProto`
    attribute { NAME = 1, F = 2, I = 3, INTS = 8, TYPE = 20 }
    /// `TensorProto`
    tensor { DIMS = 1, DATA_TYPE = 2, NAME = 8, RAW_DATA = 9 }
    /// `ValueInfoProto`
    value_info { NAME = 1, TYPE = 2 }
    /// `TypeProto`
    type_ { TENSOR_TYPE = 1 }
    /// `TypeProto.Tensor`
    tensor_type { ELEM_TYPE = 1, SHAPE = 2 }
    /// `TensorShapeProto`
    tensor_shape { DIM = 1 }
    /// `TensorShapeProto.Dimension`
    dimension { DIM_VALUE = 1, DIM_PARAM = 2 }
}
