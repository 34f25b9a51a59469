"""Texts of Arrow's libraries."""

import numpy as np
import pytest


def test_columns_of_pyarrow(student, texts, expected):
    pa = pytest.importorskip("pyarrow")
    array = pa.array(texts)
    for given in (
        array,
        array.cast(pa.large_string()),
        array.dictionary_encode(),
        array[3:],
        pa.chunked_array([texts[:10], texts[10:]]),
        pa.table({"text": texts}),
        pa.table({"text": texts}).to_reader(max_chunksize=50),
    ):
        wanted = expected[len(expected) - len(given) :] if hasattr(given, "__len__") else expected
        assert np.array_equal(student.encode(given, batch_size=64), wanted), type(given)
    if hasattr(pa, "string_view"):
        assert np.array_equal(student.encode(pa.array(texts, type=pa.string_view())), expected)


def test_a_stream_is_written_to_memory_that_is_given(student, texts, expected, tmp_path):
    pa = pytest.importorskip("pyarrow")
    out = np.memmap(tmp_path / "out", dtype=np.float32, mode="w+", shape=expected.shape)
    student.encode(pa.table({"text": texts}).to_reader(max_chunksize=50), out=out)
    assert np.array_equal(out, expected)


def test_nulls_and_other_types_of_arrow_are_errors(student):
    pa = pytest.importorskip("pyarrow")
    for array in (pa.array(["a"] * 5 + [None]), pa.array(["a"] * 5 + [None]).dictionary_encode()):
        with pytest.raises(ValueError, match="row 5 is null"):
            student.encode(array, batch_size=2)
    with pytest.raises(TypeError, match="Int64"):
        student.encode(pa.array([1, 2]))
    with pytest.raises(TypeError, match="2 columns"):
        student.encode(pa.table({"a": ["x"], "b": ["y"]}))


def test_series_of_polars(student, texts, expected):
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"text": texts})
    for given in (frame["text"], frame["text"].cast(pl.Categorical), frame):
        assert np.array_equal(student.encode(given), expected)
    with pytest.raises(ValueError, match="row 1 is null"):
        student.encode(pl.Series(["a", None]))


def test_series_of_pandas(student, texts, expected):
    pd = pytest.importorskip("pandas")
    series = pd.Series(texts)
    for given in (
        series,
        series.astype(object),
        pd.Index(texts),
        series.astype("category"),
        series.iloc[::-1].iloc[::-1],
    ):
        assert np.array_equal(student.encode(given), expected)
    for missing in (None, float("nan"), pd.NA):
        with pytest.raises(ValueError, match="row 1 is null"):
            student.encode(pd.Series(["a", missing], dtype=object))
    with pytest.raises(TypeError, match="DataFrame"):
        student.encode(pd.DataFrame({"text": texts}))
