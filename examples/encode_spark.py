"""Encodes a folder of Parquet with Spark by a student, or by a teacher; ids and all other columns are kept.

    pip install pyspark ./python
    PYSPARK_PYTHON=python spark-submit --master 'local[*,4]' examples/encode_spark.py MODEL INPUT OUTPUT [COLUMN]
    limbeck cache adopt OUTPUT

MODEL is a student's folded file, or a teacher, which the command limbeck runs; its OUTPUT is adopted as a cache. Every
worker has the model at the same path. With `4`, a dead worker's task is tried four times in all, with `local[*]` once.
After a killed driver, remove OUTPUT and run again.
"""

import subprocess
import sys
import tempfile
from functools import partial

import limbeck
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql.types import ArrayType, FloatType, StructType


def encode_by_command(model, texts):
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pa.table({"text": texts}), f"{folder}/texts.parquet")
        files = ["--input", f"{folder}/texts.parquet", "--to", f"{folder}/vectors.npy"]
        subprocess.run([limbeck.command(), "encode", "--model", model, "--threads", "1", "--quiet", *files], check=True)
        return np.load(f"{folder}/vectors.npy")


def encode_folder(model, source, target, column="text"):
    is_student = model.endswith(".limbeck")
    encode = limbeck.Student.load(model, threads=1).encode if is_student else partial(encode_by_command, model)

    def add_vectors(batches):
        for batch in batches:
            vectors = encode(batch[column])
            offsets = pa.array(np.arange(len(vectors) + 1, dtype=np.int32) * vectors.shape[1])
            yield batch.append_column("embedding", pa.ListArray.from_arrays(offsets, pa.array(vectors.reshape(-1))))

    # So many bytes of the input are a task.
    spark = SparkSession.builder.config("spark.sql.files.maxPartitionBytes", "16m").getOrCreate()
    rows = spark.read.parquet(source)
    schema = StructType([*rows.schema, *StructType().add("embedding", ArrayType(FloatType()))])
    rows.mapInArrow(add_vectors, schema).write.parquet(target)


if __name__ == "__main__":
    encode_folder(*sys.argv[1:])
