"""What starts the command."""

import json
import subprocess
import sys

import limbeck
import pytest
from limbeck._command import _table
from limbeck._toml import toml


def test_the_command_is_started_by_the_module_too():
    by_module = subprocess.run([sys.executable, "-m", "limbeck", "--version"], capture_output=True, text=True)
    by_name = subprocess.run([limbeck.command(), "--version"], capture_output=True, text=True)
    assert by_module.stdout == by_name.stdout and by_name.stdout.startswith("limbeck ")


def test_values_become_toml():
    section = {"epochs": 3, "rate": 1e-05, "on": True, "uri": 'a "b"\\c\n', "source": [{"uri": "x", "split": False}]}
    assert toml(section["uri"]) == '"a \\"b\\"\\\\c\\n"'
    text = "".join(_table({"distil": section, "name": "mine"}))
    assert text.startswith('"name" = "mine"\n\n["distil"]\n"epochs" = 3\n"rate" = 1e-05\n"on" = true\n')
    assert '"source" = [{"uri" = "x", "split" = false}]' in text
    with pytest.raises(TypeError, match="recipe"):
        toml(None)


def test_a_model_is_evaluated(student, tmp_path):
    lines = ["a dog sees\tthe dog hears\t4.0", "old house\tnew house\t3.0", "a cat\tthe river\t0.5", "a\tthe\t2.0"]
    (tmp_path / "pairs.tsv").write_text("sentence1\tsentence2\tscore\n" + "\n".join(lines) + "\n")
    found = limbeck.evaluate(student, sts=tmp_path / "pairs.tsv")
    assert "pairs" in json.dumps(found)


def test_errors_of_the_command_are_exceptions(student, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        limbeck.run(tmp_path / "nowhere.toml")
    (tmp_path / "wrong.toml").write_text("[distill]\nepochs = 3\n")
    with pytest.raises(limbeck.CommandError, match="distil"):
        limbeck.run(tmp_path / "wrong.toml", runs=tmp_path)
    with pytest.raises(ValueError, match="nonsense"):
        limbeck.evaluate(student, nonsense=3)
    with pytest.raises(FileNotFoundError, match="missing.tsv"):
        limbeck.evaluate(student, sts=tmp_path / "missing.tsv")
    with pytest.raises(FileNotFoundError, match="hf:owner/name"):
        limbeck.Student.from_pretrained("no-such-model")
    with pytest.raises(TypeError, match="row 1"):
        limbeck.distil("teacher", ["a", None], tmp_path / "run")
