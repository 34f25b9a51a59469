"""Vectors in fewer bits, with the meanings of sentence-transformers' `quantize_embeddings`."""

from __future__ import annotations

import warnings

import numpy as np

PRECISIONS = ("float32", "int8", "uint8", "binary", "ubinary")
FEW_VECTORS = 100


class Vectors:
    """What the vectors of a call are to be: their precision, the first `width` values of each, scaled or not."""

    def __init__(self, precision: str, width: int, scaled: bool) -> None:
        self.precision, self.width, self.scaled = precision, width, scaled
        # The ranges of int8 and uint8 come from all vectors, so these are float32 until the last is there.
        self.needs_all = precision in ("int8", "uint8")
        self.is_packed = precision in ("binary", "ubinary")
        self.dtype = np.dtype("int8" if precision == "binary" else "uint8" if precision == "ubinary" else precision)
        # Of the vectors that the ranges come from.
        self.held = np.dtype(np.float32) if self.needs_all else self.dtype
        self.columns = (width + 7) // 8 if self.is_packed else width

    def is_whole(self, dimension: int) -> bool:
        """Whether the vectors are those of the model, unchanged."""
        return self.width == dimension and not self.is_packed

    def finish(self, vectors: np.ndarray) -> np.ndarray:
        """From the model's vectors to these, but for the steps that need all vectors."""
        vectors = vectors[:, : self.width]
        if self.scaled:
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors = vectors / np.where(lengths == 0, 1, lengths)
        return quantise(vectors, self.precision) if self.is_packed else vectors

    def check(self, out: np.ndarray, total: int | None) -> None:
        """Refuses an array of another shape or type than the result's."""
        rows = out.shape[0] if total is None and out.ndim == 2 else total
        if out.shape != (rows, self.columns) or out.dtype != self.dtype:
            found = f"shape {out.shape} and type {out.dtype}"
            raise ValueError(f"out has {found}, the result has shape ({rows}, {self.columns}) and type {self.dtype}")


def quantise(vectors: np.ndarray, precision: str) -> np.ndarray:
    """float32 vectors in another precision."""
    if precision == "float32":
        return vectors
    if precision in ("binary", "ubinary"):
        bits: np.ndarray = np.packbits(vectors > 0, axis=-1)
        return bits if precision == "ubinary" else (bits - 128).astype(np.int8)
    if len(vectors) == 1:
        raise ValueError(f"{precision} takes its ranges from the texts, and one text has none\nhint: give more texts")
    if 0 < len(vectors) < FEW_VECTORS:
        warnings.warn(f"{precision} takes its ranges from only {len(vectors)} texts", stacklevel=4)
    if not len(vectors):
        return np.zeros(vectors.shape, dtype=precision)
    starts, ends = vectors.min(axis=0), vectors.max(axis=0)
    steps = (ends - starts) / 255
    values: np.ndarray = np.clip(np.floor((vectors - starts) / np.where(steps == 0, 1, steps)), 0, 255)
    return values.astype(np.uint8) if precision == "uint8" else (values - 128).astype(np.int8)
