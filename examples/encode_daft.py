"""Encodes a folder of Parquet with Daft: an output file for each input file, ids and all other columns kept.

    pip install daft ./python
    python examples/encode_daft.py STUDENT INPUT OUTPUT [COLUMN]

STUDENT is a folded file or a student's folder. What stands in OUTPUT is not made again: killed, run it again
(one process a folder). A file of the input has to fit into memory.
"""

import sys
from pathlib import Path

import daft
import pyarrow as pa
import pyarrow.parquet as pq
from limbeck import Student


def encode_files(student_path, source, target, column="text"):
    student = Student.load(student_path, threads=1)  # the engine does the distributing
    vector = daft.DataType.fixed_size_list(daft.DataType.float32(), student.dimension)

    @daft.func.batch(return_dtype=vector)
    def encode(texts: daft.Series):
        vectors = student.encode(texts.to_arrow())
        return pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), student.dimension)

    Path(target).mkdir(parents=True, exist_ok=True)
    for path in sorted(Path(source).glob("*.parquet")):
        done = Path(target) / path.name
        if done.exists():
            continue
        rows = daft.read_parquet(str(path)).with_column("embedding", encode(daft.col(column)))
        unfinished = done.with_suffix(".tmp")
        pq.write_table(rows.to_arrow(), unfinished)
        unfinished.rename(done)


if __name__ == "__main__":
    encode_files(*sys.argv[1:])
