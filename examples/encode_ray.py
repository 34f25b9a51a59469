"""Encodes a folder of Parquet with Ray Data by a student, or by a teacher; ids and all other columns are kept.

    pip install 'ray[data]' ./python
    python examples/encode_ray.py MODEL INPUT OUTPUT [COLUMN]
    limbeck cache adopt OUTPUT

MODEL is a student's folded file, or a teacher, which the command limbeck runs; its OUTPUT is adopted as a cache. Every
node has the model at the same path. Tasks read, encode and write; actors that took all CPUs would leave none to read.
A dead worker's task is done again. After an error or a killed driver, remove OUTPUT, which is not whole, and run again.
"""

import subprocess
import sys
import tempfile
from functools import partial

import limbeck
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import ray


def encode_by_command(model, texts):
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pa.table({"text": texts}), f"{folder}/texts.parquet")
        files = ["--input", f"{folder}/texts.parquet", "--to", f"{folder}/vectors.npy"]
        subprocess.run([limbeck.command(), "encode", "--model", model, "--threads", "1", "--quiet", *files], check=True)
        return np.load(f"{folder}/vectors.npy")


def encode_folder(model, source, target, column="text"):
    is_student = model.endswith(".limbeck")
    encode = limbeck.Student.load(model, threads=1).encode if is_student else partial(encode_by_command, model)

    def add_vectors(batch):
        vectors = encode(batch[column])
        lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
        return batch.append_column("embedding", lists)

    ray.data.DataContext.get_current().target_max_block_size = 16 << 20  # so many bytes of the input are a task
    rows = ray.data.read_parquet(source)
    rows = rows.map_batches(add_vectors, batch_format="pyarrow", batch_size=16_384)
    rows.write_parquet(target, mode="error")


if __name__ == "__main__":
    encode_folder(*sys.argv[1:])
