"""Small, fast students of BERT sentence encoders.

    from limbeck import Student
    student = Student.load("student.int8.limbeck")
    vectors = student.encode(["A man is playing a guitar.", "Someone makes music."])

A student of your own, from a teacher and a list of texts, in three lines:

    import limbeck
    student = limbeck.distil("hf:sentence-transformers/all-MiniLM-L6-v2", texts, "runs/mine")
    vectors = student.encode(texts)
"""

from ._command import CommandError, command, distil, evaluate, run
from ._student import Student

__all__ = ["CommandError", "Student", "command", "distil", "evaluate", "run"]
__version__ = "0.1.0"
