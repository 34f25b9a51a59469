"""Encodes a folder of Parquet with Daft by a student, or by a teacher; ids and all other columns are kept.

    pip install daft ./python
    python examples/encode_daft.py MODEL INPUT OUTPUT [COLUMN]
    limbeck cache adopt OUTPUT

MODEL is a student's folded file, or a teacher, which the command limbeck runs; its OUTPUT is adopted as a cache. Each
input file has an output file, and one that stands there is not made again: killed, run it again (one process a folder).
A file of the input has to fit into memory.
"""

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import daft
import limbeck
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def encode_by_command(model, texts):
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pa.table({"text": texts}), f"{folder}/texts.parquet")
        files = ["--input", f"{folder}/texts.parquet", "--to", f"{folder}/vectors.npy"]
        subprocess.run([limbeck.command(), "encode", "--model", model, "--threads", "1", "--quiet", *files], check=True)
        return np.load(f"{folder}/vectors.npy")


def encode_folder(model, source, target, column="text"):
    is_student = model.endswith(".limbeck")
    encode = limbeck.Student.load(model, threads=1).encode if is_student else partial(encode_by_command, model)
    dimension = encode(pa.array(["a"])).shape[1]

    @daft.func.batch(return_dtype=daft.DataType.fixed_size_list(daft.DataType.float32(), dimension))
    def vectors(texts: daft.Series):
        return pa.FixedSizeListArray.from_arrays(pa.array(encode(texts.to_arrow()).reshape(-1)), dimension)

    Path(target).mkdir(parents=True, exist_ok=True)
    for path in sorted(Path(source).glob("*.parquet")):
        done = Path(target) / path.name
        if done.exists():
            continue
        rows = daft.read_parquet(str(path)).with_column("embedding", vectors(daft.col(column)))
        unfinished = done.with_suffix(".tmp")
        pq.write_table(rows.to_arrow(), unfinished)
        unfinished.rename(done)


if __name__ == "__main__":
    encode_folder(*sys.argv[1:])
