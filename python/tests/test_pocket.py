import pickle
from pathlib import Path

import limbeck
import numpy as np
from limbeck import Student


def test_the_student_in_the_box_knows_what_is_alike():
    student = Student.pocket()
    music, instrument, weather = student.encode(
        ["A man is playing a guitar.", "Someone plays an instrument.", "It will rain in the north tomorrow."]
    )
    assert music @ instrument > music @ weather + 0.2


def test_the_student_in_the_box_is_small_and_pickled_by_its_path():
    assert Path(limbeck.__file__).with_name("pocket.limbeck").stat().st_size < 5_000_000
    student = Student.pocket()
    copied = pickle.loads(pickle.dumps(student))
    assert np.array_equal(copied.encode(["a text"]), student.encode(["a text"]))
