"""`Student`: texts to vectors."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np

from . import _limbeck
from ._quantise import PRECISIONS, Vectors, quantise
from ._texts import batches

# Between two calls of Rust Python looks whether Ctrl-C was pressed.
MOST_TEXTS_OF_A_CALL = 65_536


class Student:
    """A student, or a static model of Model2Vec's or sentence-transformers'.

    Students share nothing that changes, so all threads of a program may use one at once; a call lets the GIL go. A
    folded file is mapped: processes that load the same file share its memory. `pickle` carries the path.
    """

    _path: str | None
    _model: _limbeck.Model

    def __init__(self, path: str | os.PathLike[str], *, threads: int | None = None) -> None:
        """As `Student.load`."""
        self._path = os.path.abspath(os.fspath(path))
        self._threads = _threads(threads)
        self._model = _limbeck.Model.load(self._path, self._threads)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, threads: int | None = None) -> Student:
        """Opens a folded file (a run's `exports/student.int8.limbeck`), a student's folder, or a folder of Model2Vec's.

        A folder is folded in memory, in float32: each process has its own copy. `limbeck export --format folded`
        writes a file that processes share, in float32, float16 or int8.

        `threads` is the number of threads that a call of many texts uses: None or 1 the caller's alone, 0 one for each
        core. It changes no bit of the vectors.

        Raises FileNotFoundError for a missing file, ValueError for a file or folder of another kind or a damaged one.
        """
        return cls(path, threads=threads)

    @classmethod
    def from_pretrained(cls, path_or_uri: str | os.PathLike[str], *, threads: int | None = None) -> Student:
        """As `Student.load`, also of a URI that `limbeck fetch` brings to this machine once: `hf:owner/name`
        (or `owner/name`, where there is no such path), `pypi:package==version/path` or `https://host/file#sha256=HEX`.
        """
        name = os.fspath(path_or_uri)
        if os.path.exists(name):
            return cls(name, threads=threads)
        if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not name.startswith("."):
            name = f"hf:{name}"
        if not re.match(r"(hf|pypi|https?):", name):
            raise FileNotFoundError(
                f"{name}: there is no such file or folder\nhint: a model of the hub is hf:owner/name"
            )
        from ._command import fetch

        return cls(fetch(name), threads=threads)

    @classmethod
    def pocket(cls, *, threads: int | None = None) -> Student:
        """The general English student that comes with the package, a file of less than 5 MB: nothing is fetched."""
        return cls(Path(__file__).with_name("pocket.limbeck"), threads=threads)

    @classmethod
    def from_bytes(cls, data: bytes, *, threads: int | None = None) -> Student:
        """Opens the bytes of a folded file, which are copied. Such a student has no path, and can't be pickled."""
        student = cls.__new__(cls)
        student._path, student._threads = None, _threads(threads)
        student._model = _limbeck.Model.from_bytes(bytes(data), student._threads)
        return student

    def encode(
        self,
        sentences: Any,
        *,
        batch_size: int = 1024,
        show_progress_bar: bool = False,
        normalize_embeddings: bool = True,
        truncate_dim: int | None = None,
        precision: Literal["float32", "int8", "uint8", "binary", "ubinary"] = "float32",
        convert_to_tensor: bool = False,
        out: np.ndarray | None = None,
    ) -> Any:
        """The vectors of texts: an array of shape (texts, dimension), or of shape (dimension,) for a single `str`.

        `sentences` is a `str`, a sequence or iterator of `str`, a NumPy array, a pandas or Polars Series, or anything
        with `__arrow_c_array__` or `__arrow_c_stream__`, a table of one column too. A lone surrogate is read as U+FFFD.

        The keywords have the meanings of sentence-transformers' `encode`, but:

        - `normalize_embeddings` is True by default: a student's vectors have length 1 as they come. False leaves them
          so, and matters only with `truncate_dim`: the beginnings of vectors are then not scaled to length 1.
        - `precision` int8 and uint8 take their ranges from these very texts, as there. binary packs eight signs a
          byte, offset by 128; ubinary without the offset.
        - `batch_size` changes memory and speed only, never a vector.
        - `out` is an array of the result's shape and type, which is written and returned; a memory-mapped one holds
          more vectors than memory does.

        Raises ValueError with the row's number for a null, and TypeError for what is no text.
        """
        if precision not in PRECISIONS:
            raise ValueError(f"precision is {precision!r}, but must be one of {', '.join(PRECISIONS)}")
        if truncate_dim is not None and truncate_dim < 1:
            raise ValueError(f"truncate_dim is {truncate_dim}, but must be at least 1")
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, but must be at least 1")
        is_single = isinstance(sentences, str)
        if is_single and out is not None and out.ndim == 1:
            out = out[np.newaxis]
        parts, total = batches([sentences] if is_single else sentences, min(batch_size, MOST_TEXTS_OF_A_CALL))
        width = min(truncate_dim or self.dimension, self.dimension)
        kind = Vectors(precision, width, scaled=normalize_embeddings and width < self.dimension)
        bar = _bar(show_progress_bar, total)
        try:
            result = self._encode(parts, total, kind, out, bar)
        finally:
            bar.close()
        if is_single:
            result = result[0]
        return _tensor(result) if convert_to_tensor else result

    def _encode(self, parts: Any, total: int | None, kind: Vectors, out: np.ndarray | None, bar: Any) -> np.ndarray:
        if out is not None:
            kind.check(out, total)
        target = None if kind.needs_all else out
        if target is None and total is not None:
            target = np.empty((total, kind.columns), dtype=kind.held)
        made: list[np.ndarray] = []
        row = 0
        for texts in parts:
            end = row + len(texts)
            if target is None:
                made.append(self._batch(texts, kind, None, row))
            elif end > len(target):
                raise ValueError(f"out has {len(target)} rows, but there are more texts")
            else:
                self._batch(texts, kind, target[row:end], row)
            bar.update(len(texts))
            row = end
        if target is None:
            target = np.concatenate(made) if made else np.empty((0, kind.columns), dtype=kind.held)
        elif row != len(target):
            raise ValueError(f"out has {len(target)} rows, but there are {row} texts")
        if not kind.needs_all:
            return target
        quantised = quantise(target, kind.precision)
        if out is None:
            return quantised
        kind.check(out, len(quantised))
        out[:] = quantised
        return out

    def _batch(self, texts: Any, kind: Vectors, target: np.ndarray | None, row: int) -> np.ndarray:
        """Encodes a batch whose first text is the user's `row`, into `target` where that is given."""
        if kind.is_whole(self.dimension) and target is not None and target.flags.c_contiguous:
            self._model.encode_into(texts, target, row)
            return target
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        self._model.encode_into(texts, vectors, row)
        vectors = kind.finish(vectors)
        if target is None:
            return vectors
        target[:] = vectors
        return target

    def encode_query(self, sentences: Any, **keywords: Any) -> Any:
        """As `encode`: a student of one role for all texts encodes queries and documents alike."""
        return self.encode(sentences, **keywords)

    def encode_document(self, sentences: Any, **keywords: Any) -> Any:
        """As `encode`: a student of one role for all texts encodes queries and documents alike."""
        return self.encode(sentences, **keywords)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> np.ndarray:
        """The cosines of two lists of vectors, of shape (first, second), as a NumPy array."""
        first, second = (
            _unit(np.atleast_2d(np.asarray(each, dtype=np.float32))) for each in (embeddings1, embeddings2)
        )
        cosines: np.ndarray = first @ second.T
        return cosines

    def tokenize(self, sentences: Any) -> list[list[int]]:
        """The ids of each text's tokens, without special tokens and cut to `max_tokens`, as Model2Vec gives them; of a
        single `str` a list of one."""
        parts, _ = batches([sentences] if isinstance(sentences, str) else sentences, MOST_TEXTS_OF_A_CALL)
        ids: list[list[int]] = []
        for texts in parts:
            ids += self._model.tokenize(texts, len(ids))
        return ids

    @property
    def dimension(self) -> int:
        """The width of the vectors."""
        return self._model.dimension

    @property
    def max_tokens(self) -> int | None:
        """The tokens of a text that are read; None: all."""
        return self._model.max_tokens

    @property
    def precision(self) -> str:
        """The precision of the student's tables: f32, f16 or int8."""
        return self._model.precision

    @property
    def path(self) -> str | None:
        """The path that the student was loaded from; None for one of bytes."""
        return self._path

    def __reduce__(self) -> tuple[Any, ...]:
        if self._path is None:
            raise TypeError("a student of bytes can't be pickled\nhint: write the bytes to a file and load that")
        return _reopen, (type(self), self._path, self._threads)

    def __repr__(self) -> str:
        place = "bytes" if self._path is None else self._path
        return f"Student({place!r}, dimension={self.dimension}, precision={self.precision!r})"


def _reopen(kind: type[Student], path: str, threads: int) -> Student:
    return kind(path, threads=threads)


def _threads(threads: int | None) -> int:
    if threads is not None and threads < 0:
        raise ValueError(f"threads is {threads}, but must be 0 (one for each core) or more")
    return 1 if threads is None else threads


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths == 0, 1, lengths)


def _tensor(vectors: np.ndarray) -> Any:
    try:
        import torch
    except ImportError as error:
        raise ImportError("convert_to_tensor needs torch\nhint: pip install torch") from error
    return torch.from_numpy(vectors)


class _NoBar:
    def update(self, count: int) -> None:
        pass

    def close(self) -> None:
        pass


def _bar(is_shown: bool, total: int | None) -> Any:
    if not is_shown:
        return _NoBar()
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return _NoBar()
    return tqdm(total=total, unit=" texts", unit_scale=True, desc="encode")
