"""Vectors, whatever holds the texts and wherever they are written."""

import numpy as np
import pytest
from conftest import make_student
from limbeck import Student


class Drawn:
    """A sequence that is neither a list nor a tuple."""

    def __init__(self, texts):
        self.texts = texts

    def __len__(self):
        return len(self.texts)

    def __getitem__(self, at):
        return self.texts[at]


def kinds(texts):
    yield "list", texts
    yield "tuple", tuple(texts)
    yield "sequence", Drawn(texts)
    yield "iterator", iter(texts)
    yield "objects", np.array(texts, dtype=object)
    yield "fixed width", np.array(texts)


def test_every_way_of_giving_texts_gives_the_bits_of_rust(student, texts, expected):
    for name, given in kinds(texts):
        vectors = student.encode(given, batch_size=100)
        assert vectors.dtype == np.float32 and np.array_equal(vectors, expected), name


def test_threads_and_batches_change_no_bit(folded, texts, expected):
    for threads in (0, 3):
        student = Student.load(folded, threads=threads)
        for size in (1, 257, 10_000):
            assert np.array_equal(student.encode(texts, batch_size=size), expected)


def test_a_student_of_bytes_is_the_student_of_the_file(folded, texts, expected):
    assert np.array_equal(Student.from_bytes(folded.read_bytes()).encode(texts), expected)


def test_a_single_text_has_one_vector(student, texts, expected):
    assert np.array_equal(student.encode(texts[5]), expected[5])
    assert student.encode([]).shape == (0, student.dimension)


def test_a_folder_is_folded_when_it_is_loaded(folder, student, texts):
    vectors = Student.load(folder).encode(texts)
    cosines = (vectors * student.encode(texts)).sum(axis=1)
    assert cosines.min() > 0.99


def test_queries_and_documents_are_encoded_alike(student, texts, expected):
    assert np.array_equal(student.encode_query(texts), expected)
    assert np.array_equal(student.encode_document(texts, batch_size=7), expected)


def test_vectors_are_written_to_memory_that_is_given(student, texts, expected, tmp_path):
    for out in (
        np.empty(expected.shape, dtype=np.float32),
        np.empty(expected.shape, dtype=np.float32, order="F"),
        np.memmap(tmp_path / "out", dtype=np.float32, mode="w+", shape=expected.shape),
    ):
        assert student.encode(texts, out=out, batch_size=300) is out
        assert np.array_equal(out, expected)
    out = np.zeros(expected.shape, dtype=np.float32)
    assert np.array_equal(student.encode(iter(texts), out=out), expected)


def test_memory_of_another_shape_or_type_is_refused(student, texts):
    good = (len(texts), student.dimension)
    for shape, dtype in [((3, 3), np.float32), (good, np.float64), (good[:1], np.float32)]:
        with pytest.raises(ValueError, match="out has"):
            student.encode(texts, out=np.empty(shape, dtype=dtype))
    with pytest.raises(ValueError, match="out"):
        out = np.empty(good, dtype=np.float32)
        out.flags.writeable = False
        student.encode(texts, out=out)
    for rows in (1, len(texts) + 1):
        with pytest.raises(ValueError, match="rows"):
            student.encode(iter(texts), out=np.empty((rows, student.dimension), dtype=np.float32))


def test_vectors_are_cut_and_scaled(student, texts, expected):
    cut = student.encode(texts, truncate_dim=5)
    lengths = np.linalg.norm(expected[:, :5], axis=1, keepdims=True)
    assert np.allclose(cut, expected[:, :5] / lengths, atol=1e-6)
    assert np.array_equal(student.encode(texts, truncate_dim=5, normalize_embeddings=False), expected[:, :5])
    assert student.encode(texts, truncate_dim=99).shape == expected.shape


def test_precisions_have_the_meanings_of_sentence_transformers(student, texts, expected):
    bits = np.packbits(expected > 0, axis=-1)
    starts, ends = expected.min(axis=0), expected.max(axis=0)
    steps = np.clip(np.floor((expected - starts) / ((ends - starts) / 255)), 0, 255)
    of_precision = {
        "ubinary": bits,
        "binary": (bits - 128).astype(np.int8),
        "uint8": steps.astype(np.uint8),
        "int8": (steps - 128).astype(np.int8),
    }
    for precision, values in of_precision.items():
        found = student.encode(texts, precision=precision, batch_size=100)
        assert found.dtype == values.dtype and np.array_equal(found, values), precision
        out = np.empty_like(values)
        assert student.encode(texts, precision=precision, out=out) is out
        assert np.array_equal(out, values), precision
    with pytest.raises(ValueError, match="int4"):
        student.encode(texts, precision="int4")
    with pytest.raises(ValueError, match="one text"):
        student.encode("a dog", precision="int8")


def test_a_lone_surrogate_is_replaced(student):
    vectors = student.encode(["a \ud800 dog", "a \ufffd dog", "\ud83d\ude00", "😀"])
    assert np.array_equal(vectors[0], vectors[1])
    assert np.array_equal(vectors[2], vectors[3])


def test_what_is_no_text_is_an_error_that_names_the_row(student):
    texts = ["a dog"] * 10
    for missing in (None, float("nan")):
        with pytest.raises(ValueError, match="row 7 is null"):
            student.encode([*texts[:7], missing], batch_size=4)
    with pytest.raises(TypeError, match="row 3 is of type int"):
        student.encode([*texts[:3], 3])
    for wrong in (b"bytes", 3, None, {"a": "b"}):
        with pytest.raises(TypeError, match="no texts"):
            student.encode(wrong)
    with pytest.raises(ValueError, match="shape"):
        student.encode(np.array([["a"], ["b"]]))


def test_a_file_that_is_missing_or_of_another_kind_is_pythons_error(tmp_path, folded):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Student.load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="hint: name a student's folder"):
        Student.load(tmp_path)
    other = tmp_path / "other.limbeck"
    other.write_bytes(b"something else")
    with pytest.raises(ValueError, match="not a folded student(?s:.)*hint: "):
        Student.load(other)
    with pytest.raises(ValueError, match="in memory"):
        Student.from_bytes(folded.read_bytes()[:-1])
    with pytest.raises(ValueError, match="threads"):
        Student.load(folded, threads=-1)


def test_tokens_are_cut_to_the_most_that_are_read(tmp_path):
    make_student(tmp_path / "student", max_tokens=2)
    student = Student.load(tmp_path / "student")
    assert student.max_tokens == 2
    assert student.tokenize(["a dog sees", "the", ""]) == [[1, 2], [6], []]
    assert student.tokenize("cat") == [[3]]


def test_similarity_is_the_cosine(student):
    vectors = student.encode(["a dog", "the old house", "a dog"])
    cosines = student.similarity(vectors, vectors[:2] * 3)
    assert cosines.shape == (3, 2)
    assert np.allclose(cosines[[0, 2], [0, 0]], 1, atol=1e-6) and abs(cosines[1, 0]) < 0.999


def test_a_static_model_of_model2vec_is_opened(tmp_path):
    import json

    from conftest import TOKENIZER, WORDS, save_tensors

    table = np.random.default_rng(1).normal(size=(len(WORDS), 6)).astype(np.float32)
    save_tensors(tmp_path / "model.safetensors", {"embeddings": table})
    (tmp_path / "tokenizer.json").write_text(json.dumps(TOKENIZER), encoding="utf-8")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": True}))
    mean = (table[1] + table[2]) / 2
    found = Student.from_pretrained(tmp_path).encode("a dog unheard")
    assert np.allclose(found, mean / np.linalg.norm(mean), atol=1e-6)


def test_progress_is_shown_where_tqdm_is_installed(student, texts, capsys):
    pytest.importorskip("tqdm")
    student.encode(texts, show_progress_bar=True, batch_size=10)
    assert "texts" in capsys.readouterr().err
