"""Threads and processes."""

import multiprocessing
import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from limbeck import Student


def encode(student, texts, to):
    to.put(student.encode(texts))


def test_pickle_carries_the_path(folded, texts, expected):
    student = pickle.loads(pickle.dumps(Student.load(folded, threads=2)))
    assert student.path == str(folded)
    assert np.array_equal(student.encode(texts), expected)
    assert len(pickle.dumps(student)) < 1000
    with pytest.raises(TypeError, match="bytes"):
        pickle.dumps(Student.from_bytes(folded.read_bytes()))


def test_eight_threads_encode_at_once(student, texts, expected):
    out = np.empty((8, *expected.shape), dtype=np.float32)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda part: student.encode(texts, out=part, batch_size=50), out))
    assert all(np.array_equal(part, expected) for part in out)


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_process_of_each_kind_encodes(folded, texts, expected, method, threads):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    student = Student.load(folded, threads=threads)
    # The threads of the parent are at work once; a fork doesn't copy them.
    student.encode(texts)
    context = multiprocessing.get_context(method)
    found = context.Queue()
    process = context.Process(target=encode, args=(student, texts, found))
    process.start()
    vectors = found.get(timeout=60)
    process.join(60)
    assert process.exitcode == 0 and np.array_equal(vectors, expected)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_stops_an_encoding(student):
    import signal
    import threading

    def endless():
        while True:
            yield "a dog sees the old house"

    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        student.encode(endless(), out=None)
