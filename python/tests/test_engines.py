"""The examples for engines, over folders of Parquet: Daft's always, the others' where LIMBECK_ENGINES names them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import WORDS, call, make_teacher
from limbeck import Student

EXAMPLES = Path(__file__).parents[2] / "examples"
# local[2,4]: a task is tried four times, as on a cluster; local[2] alone tries it once.
SPARK_SUBMIT = [str(Path(sys.executable).parent / "spark-submit"), "--master", "local[2,4]"]
STARTERS = {"daft": [sys.executable], "ray": [sys.executable], "spark": SPARK_SUBMIT}
NEEDS = {
    "ray": "LIMBECK_ENGINES=ray runs it; pip install 'ray[data]'",
    "spark": "LIMBECK_ENGINES=spark runs it; pip install pyspark, and Java 17 (Debian: openjdk-17-jre-headless)",
}


@pytest.fixture(params=STARTERS)
def engine(request):
    if request.param in NEEDS and request.param not in os.environ.get("LIMBECK_ENGINES", "").split(","):
        pytest.skip(NEEDS[request.param])
    return request.param


@pytest.fixture
def documents(tmp_path):
    """A folder with 20 thousand texts, their ids and addresses in two files."""
    return make_documents(tmp_path / "documents", 10_000)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher") / "teacher"
    make_teacher(folder)
    return folder


def make_documents(folder, rows):
    random = np.random.default_rng(3)
    folder.mkdir()
    for part in range(2):
        ids = range(part * rows, (part + 1) * rows)
        texts = [" ".join(random.choice(WORDS[1:], size=random.integers(0, 9))) for _ in ids]
        table = pa.table({"id": list(ids), "text": texts, "address": [f"at/{row}" for row in ids]})
        pq.write_table(table, folder / f"part-{part}.parquet")
    return folder


def encode_folder(engine, *arguments):
    command = [*STARTERS[engine], str(EXAMPLES / f"encode_{engine}.py"), *map(str, arguments)]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable}
    process = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr


def rows(folder):
    """The columns of all files, in the order of ids, and the vectors."""
    table = pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("*.parquet"))]).sort_by("id")
    return table.drop(["embedding"]), np.array(table["embedding"].to_pylist(), dtype=np.float32)


def test_columns_are_kept_beside_the_students_vectors(engine, folded, documents, tmp_path):
    encode_folder(engine, folded, documents, tmp_path / "vectors")
    columns, vectors = rows(tmp_path / "vectors")
    assert columns.to_pydict() == pq.read_table(documents).to_pydict()
    assert vectors.tobytes() == Student.load(folded).encode(columns["text"]).tobytes()


def test_a_teachers_cache_is_filled_and_distilled(engine, teacher, tmp_path):
    documents, cache = make_documents(tmp_path / "documents", 1_000), tmp_path / "cache"
    encode_folder(engine, teacher, documents, cache)
    columns, vectors = rows(cache)
    assert columns.to_pydict() == pq.read_table(documents).to_pydict()
    call("encode", "--model", teacher, "--input", documents, "--column", "text", "--to", tmp_path / "one.npy")
    assert np.allclose(vectors, np.load(tmp_path / "one.npy"), atol=1e-5)

    call("cache", "adopt", cache)
    tokenizer = teacher / "tokenizer.json"
    call("distil", "--cache", cache, "--tokenizer", tokenizer, "--to", tmp_path / "student", "--set", "distil.epochs=1")
    assert Student.load(tmp_path / "student").dimension == vectors.shape[1]


def test_daft_goes_on_where_it_was_killed(folded, documents, tmp_path):
    target = tmp_path / "vectors"
    encode_folder("daft", folded, documents, target)
    (target / "part-1.parquet").unlink()
    (target / "part-1.tmp").write_bytes(b"half a file")
    first = (target / "part-0.parquet").stat().st_mtime_ns
    encode_folder("daft", folded, documents, target)

    columns, vectors = rows(target)
    assert vectors.tobytes() == Student.load(folded).encode(columns["text"]).tobytes()
    assert (target / "part-0.parquet").stat().st_mtime_ns == first
    assert sorted(path.name for path in target.iterdir()) == ["part-0.parquet", "part-1.parquet"]
