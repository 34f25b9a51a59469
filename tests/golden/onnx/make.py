"""Writes the small ONNX models beside it, as other exporters might: `python make.py` with the package onnx.

Token `i` has the vector [i + 1, 1, 0, -i]; every model looks it up and differs in names, types and shapes.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TABLE = np.array([[i + 1, 1, 0, -i] for i in range(8)], dtype=np.float32)
BATCH, LENGTH = "batch", "length"


def model(name, inputs, nodes, outputs, table=TABLE):
    graph = helper.make_graph(nodes, name, inputs, outputs, [numpy_helper.from_array(table, "table")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    Path(__file__).with_name(f"{name}.onnx").write_bytes(model.SerializeToString())


def tensor(name, kind, *shape):
    return helper.make_tensor_value_info(name, kind, shape)


def inputs(names, kind=TensorProto.INT64, shape=(BATCH, LENGTH)):
    return [tensor(name, kind, *shape) for name in names]


gather = helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])
mean = helper.make_node("ReduceMean", ["last_hidden_state"], ["pooler_output"], axes=[1], keepdims=0)
usual = ["input_ids", "attention_mask"]

# Token vectors, and a matrix that is not to be mistaken for the texts' vectors.
model("tokens", inputs(usual), [gather, mean], [
    tensor("pooler_output", TensorProto.FLOAT, BATCH, 4),
    tensor("last_hidden_state", TensorProto.FLOAT, BATCH, LENGTH, 4),
])

# Pooled inside, here by taking the first token; the mask comes first.
model("pooled", inputs(["attention_mask", "token_type_ids", "input_ids"]), [
    gather,
    helper.make_node("Constant", [], ["zero"], value_int=0),
    helper.make_node("Gather", ["last_hidden_state", "zero"], ["sentence_embedding"], axis=1),
], [
    tensor("last_hidden_state", TensorProto.FLOAT, BATCH, LENGTH, 4),
    tensor("sentence_embedding", TensorProto.FLOAT, BATCH, 4),
])

# Names that say nothing, 32-bit integers.
model("odd", inputs(["input.1", "2", "onnx::3"], TensorProto.INT32), [
    helper.make_node("Add", ["input.1", "onnx::3"], ["ids"]),
    helper.make_node("Gather", ["table", "ids"], ["out"]),
], [tensor("out", TensorProto.FLOAT, BATCH, LENGTH, 4)])

# One text of six tokens at a time.
model("fixed", inputs(usual, shape=(1, 6)), [gather], [tensor("last_hidden_state", TensorProto.FLOAT, 1, 6, 4)])

# Half precision.
model("half", inputs(usual), [gather], [tensor("last_hidden_state", TensorProto.FLOAT16, BATCH, LENGTH, 4)],
      TABLE.astype(np.float16))

# A vector a text, the first token's, as the only output and under a name of its own; three texts at a time.
model("rows", inputs(usual, shape=(3, LENGTH)), [
    helper.make_node("Gather", ["table", "input_ids"], ["states"]),
    helper.make_node("Constant", [], ["zero"], value_int=0),
    helper.make_node("Gather", ["states", "zero"], ["text_vector"], axis=1),
], [tensor("text_vector", TensorProto.FLOAT, 3, 4)])

# Texts of six tokens.
model("length", inputs(usual, shape=(BATCH, 6)), [gather], [tensor("last_hidden_state", TensorProto.FLOAT, BATCH, 6, 4)])

# No text encoder.
model("picture", [tensor("pixels", TensorProto.FLOAT, BATCH, 4)],
      [helper.make_node("Add", ["pixels", "pixels"], ["out"])], [tensor("out", TensorProto.FLOAT, BATCH, 4)])

# Two batches of matrices; the first is not the tokens' states.
negative = helper.make_node("Neg", ["last_hidden_state"], ["attentions"])
both = [tensor(name, TensorProto.FLOAT, BATCH, LENGTH, 4) for name in ("attentions", "last_hidden_state")]
model("several", inputs(usual), [gather, negative], both)

# The same under names that say nothing.
model("unnamed", inputs(usual), [
    helper.make_node("Gather", ["table", "input_ids"], ["b"]), helper.make_node("Neg", ["b"], ["a"]),
], [tensor(name, TensorProto.FLOAT, BATCH, LENGTH, 4) for name in ("a", "b")])

# One text at a time, though the declared batch is dynamic.
model("single", inputs(usual), [
    helper.make_node("Constant", [], ["one_text"], value_ints=[1, -1, 4]),
    helper.make_node("Gather", ["table", "input_ids"], ["states"]),
    helper.make_node("Reshape", ["states", "one_text"], ["last_hidden_state"]),
], [tensor("last_hidden_state", TensorProto.FLOAT, BATCH, LENGTH, 4)])

# The mean over padding too: a text's vector depends on the texts beside it.
model("padded", inputs(usual), [
    helper.make_node("Gather", ["table", "input_ids"], ["states"]),
    helper.make_node("ReduceMean", ["states"], ["sentence_embedding"], axes=[1], keepdims=0),
], [tensor("sentence_embedding", TensorProto.FLOAT, BATCH, 4)])

# Six positions, and a limit that no file states.
model("short", inputs(usual), [
    helper.make_node("Gather", ["table", "input_ids"], ["words"]),
    helper.make_node("Constant", [], ["zero"], value_int=0),
    helper.make_node("Constant", [], ["one"], value_int=1),
    helper.make_node("Shape", ["input_ids"], ["shape"]),
    helper.make_node("Gather", ["shape", "one"], ["length"]),
    helper.make_node("Range", ["zero", "length", "one"], ["places"]),
    helper.make_node("Mul", ["table", "table"], ["squares"]),
    helper.make_node("Sub", ["squares", "squares"], ["zeros"]),
    helper.make_node("Constant", [], ["six"], value_ints=[6]),
    helper.make_node("Constant", [], ["start"], value_ints=[0]),
    helper.make_node("Slice", ["zeros", "start", "six"], ["positions"]),
    helper.make_node("Gather", ["positions", "places"], ["added"]),
    helper.make_node("Add", ["words", "added"], ["last_hidden_state"]),
], [tensor("last_hidden_state", TensorProto.FLOAT, BATCH, LENGTH, 4)])

# Vectors of six of the tokenizer's eight tokens.
model("few", inputs(usual), [gather], [tensor("last_hidden_state", TensorProto.FLOAT, BATCH, LENGTH, 4)], TABLE[:6])

# Scores of words.
model("scores", inputs(usual), [helper.make_node("Gather", ["table", "input_ids"], ["logits"])],
      [tensor("logits", TensorProto.FLOAT, BATCH, LENGTH, 4)])
