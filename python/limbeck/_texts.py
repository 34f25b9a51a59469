"""Texts of every kind that Python's libraries hold, in batches that the module `_limbeck` takes."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from . import _limbeck

Batch = Any  # list[str] | _limbeck.ArrowTexts


def batches(sentences: Any, size: int) -> tuple[Iterator[Batch], int | None]:
    """Batches of at most `size` texts, and the number of texts where it is known beforehand."""
    if isinstance(sentences, (bytes, bytearray, memoryview, dict)) or sentences is None:
        raise TypeError(f"{type(sentences).__name__} holds no texts\nhint: give a str, or a sequence of str")
    if isinstance(sentences, (list, tuple)):
        return _slices(sentences, size), len(sentences)
    if isinstance(sentences, np.ndarray):
        if sentences.ndim != 1:
            raise ValueError(f"texts of shape {sentences.shape}, where one dimension is needed")
        starts = range(0, len(sentences), size)
        return (sentences[start : start + size].tolist() for start in starts), len(sentences)
    if (type(sentences).__module__ or "").partition(".")[0] == "pandas":
        return _of_pandas(sentences, size)
    if hasattr(sentences, "__arrow_c_array__"):
        array = _limbeck.array_of(sentences)
        return _parts([array], size), len(array)
    if hasattr(sentences, "__arrow_c_stream__"):
        # The length of a table is its number of rows; a reader of a stream has none.
        return _parts(_limbeck.stream_of(sentences), size), _length(sentences)
    if isinstance(sentences, Iterable) or hasattr(sentences, "__getitem__"):
        return _drawn(iter(sentences), size), _length(sentences)
    raise TypeError(f"{type(sentences).__name__} holds no texts\nhint: give a str, or a sequence of str")


def _length(sentences: Any) -> int | None:
    return len(sentences) if hasattr(sentences, "__len__") else None


def _slices(texts: Any, size: int) -> Iterator[Batch]:
    for start in range(0, len(texts), size):
        yield list(texts[start : start + size])


def _drawn(texts: Iterator[Any], size: int) -> Iterator[Batch]:
    while batch := list(islice(texts, size)):
        yield batch


def _parts(arrays: Iterable[Any], size: int) -> Iterator[Batch]:
    for array in arrays:
        for start in range(0, len(array), size):
            yield array.slice(start, min(size, len(array) - start))


def _of_pandas(sentences: Any, size: int) -> tuple[Iterator[Batch], int]:
    """A Series or an Index: by Arrow where its strings are Arrow's, otherwise as Python's objects."""
    if getattr(sentences, "ndim", 1) != 1:
        raise TypeError("a pandas DataFrame, where texts are needed\nhint: give the column of the texts alone")
    storage = getattr(sentences.dtype, "storage", "") or type(sentences.dtype).__name__
    if storage in ("pyarrow", "ArrowDtype") and hasattr(sentences.array, "__arrow_array__"):
        import pyarrow

        arrays = pyarrow.chunked_array([pyarrow.array(sentences.array)])
        return _parts(_limbeck.stream_of(arrays), size), len(sentences)
    return batches(sentences.to_numpy(dtype=object), size)[0], len(sentences)
