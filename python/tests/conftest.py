"""A small student, written by hand, and its folded file."""

import json
import struct
import subprocess

import limbeck
import numpy as np
import pytest

WORDS = ["[UNK]", "a", "dog", "cat", "sees", "hears", "the", "river", "house", "old", "new", "gütig"]
TOKENIZER = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None,
    "decoder": None,
    "model": {"type": "WordLevel", "vocab": {word: at for at, word in enumerate(WORDS)}, "unk_token": "[UNK]"},
}


def save_tensors(path, tensors):
    header, data = {}, b""
    for name, array in tensors.items():
        values = np.ascontiguousarray(array, dtype="<f4").tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(values)],
        }
        data += values
    head = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)


def make_student(folder, *, convolution=True, attention=None, dimension=16, max_tokens=None):
    """A student's folder of random weights; returns its embedding table and the weights of its skip."""
    random = np.random.default_rng(7)
    rows, width = len(WORDS) + 1, 8
    config = {
        "architecture": "limbeck-textcnn",
        "vocabulary": rows,
        "embedding": width,
        "dimension": dimension,
        "convolutions": [{"width": 3, "filters": 5}] if convolution else [],
        "attention": attention,
        "skip": True,
        "max_tokens": max_tokens,
        "origin": {},
    }
    shapes = {"embedding.weight": (rows, width), "skip.weight": (dimension, width)}
    if convolution:
        shapes |= {"conv3.weight": (5, width, 3), "conv3.bias": (5,)}
        shapes |= {"linear.weight": (dimension, 5), "linear.bias": (dimension,)}
    if attention:
        heads, filters = attention["heads"], attention["filters"]
        shapes |= {"score_conv.weight": (filters, width, attention["width"]), "score_conv.bias": (filters,)}
        shapes |= {"score.weight": (heads, filters), "score.bias": (heads,)}
        shapes |= {"heads.weight": (dimension, heads * width)}
    tensors = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    tensors["embedding.weight"][0] = 0  # as in every student
    folder.mkdir()
    save_tensors(folder / "model.safetensors", tensors)
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return tensors["embedding.weight"], tensors["skip.weight"]


def make_teacher(folder):
    """A BERT's folder of random weights, with one layer and a tokenizer of the student's words."""
    random = np.random.default_rng(11)
    width, inner, positions = 16, 32, 32
    shapes = {
        "embeddings.word_embeddings.weight": (len(WORDS), width),
        "embeddings.position_embeddings.weight": (positions, width),
        "embeddings.token_type_embeddings.weight": (2, width),
    }
    linears = {f"attention.self.{name}": (width, width) for name in ("query", "key", "value")}
    linears |= {"attention.output.dense": (width, width), "intermediate.dense": (inner, width)}
    linears |= {"output.dense": (width, inner)}
    for name, (outputs, inputs) in linears.items():
        shapes |= {f"encoder.layer.0.{name}.weight": (outputs, inputs), f"encoder.layer.0.{name}.bias": (outputs,)}
    tensors = {name: random.normal(scale=0.5, size=shape).astype(np.float32) for name, shape in shapes.items()}
    for norm in ("embeddings", "encoder.layer.0.attention.output", "encoder.layer.0.output"):
        tensors[f"{norm}.LayerNorm.weight"] = np.ones(width, dtype=np.float32)
        tensors[f"{norm}.LayerNorm.bias"] = np.zeros(width, dtype=np.float32)
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "hidden_size": width,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": inner,
        "vocab_size": len(WORDS),
        "max_position_embeddings": positions,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    }
    folder.mkdir()
    save_tensors(folder / "model.safetensors", tensors)
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def call(*arguments):
    process = subprocess.run([limbeck.command(), *map(str, arguments)], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("student") / "student"
    make_student(folder)
    return folder


@pytest.fixture(scope="session")
def folded(folder):
    path = folder.parent / "student.int8.limbeck"
    call("export", "--model", folder, "--format", "folded", "--precision", "int8", "--to", path)
    return path


@pytest.fixture(scope="session")
def student(folded):
    return limbeck.Student.load(folded)


@pytest.fixture(scope="session")
def texts():
    random = np.random.default_rng(3)
    return [" ".join(random.choice(WORDS, size=size)) for size in random.integers(0, 12, size=700)]


@pytest.fixture(scope="session")
def expected(folded, texts, tmp_path_factory):
    """The vectors of the command, which is Rust alone."""
    place = tmp_path_factory.mktemp("expected")
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    (place / "texts.jsonl").write_text(lines, encoding="utf-8")
    call("encode", "--model", folded, "--input", place / "texts.jsonl", "--to", place / "vectors.npy")
    return np.load(place / "vectors.npy")
