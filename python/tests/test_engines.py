"""The examples for engines, over folders of Parquet."""

import runpy
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import WORDS
from limbeck import Student

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def documents(tmp_path):
    """A folder with 20 thousand texts and their ids in two files."""
    random = np.random.default_rng(3)
    folder = tmp_path / "documents"
    folder.mkdir()
    for part in range(2):
        ids = range(part * 10_000, (part + 1) * 10_000)
        texts = [" ".join(random.choice(WORDS[1:], size=random.integers(0, 9))) for _ in ids]
        pq.write_table(pa.table({"id": list(ids), "text": texts}), folder / f"part-{part}.parquet")
    return folder


def rows(folder):
    tables = [pq.read_table(path) for path in sorted(folder.iterdir())]
    vectors = [np.array(table["embedding"].to_pylist(), dtype=np.float32) for table in tables]
    texts = [text for table in tables for text in table["text"].to_pylist()]
    return [at for table in tables for at in table["id"].to_pylist()], texts, np.concatenate(vectors)


def test_daft_keeps_ids_gives_the_students_vectors_and_goes_on(folded, documents, tmp_path):
    encode_files = runpy.run_path(str(EXAMPLES / "encode_daft.py"))["encode_files"]
    target = tmp_path / "vectors"
    encode_files(folded, documents, target)
    (target / "part-1.parquet").unlink()
    (target / "part-1.tmp").write_bytes(b"half a file")
    first = (target / "part-0.parquet").stat().st_mtime_ns
    encode_files(folded, documents, target)

    ids, texts, vectors = rows(target)
    assert ids == list(range(20_000))
    assert vectors.tobytes() == Student.load(folded).encode(texts).tobytes()
    assert (target / "part-0.parquet").stat().st_mtime_ns == first
    assert sorted(path.name for path in target.iterdir()) == ["part-0.parquet", "part-1.parquet"]
