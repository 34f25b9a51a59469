"""The blocks of docs/bridges.md, each in turn, where its library is installed."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "bridges.md").read_text(encoding="utf-8")
BEGINNING = re.search(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE).group(1)
SECTIONS = re.findall(r"^## (.+?)$.*?^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def beside_the_student(folded, tmp_path, monkeypatch):
    """A working folder with the files that the page names, and no network."""
    (tmp_path / "student.int8.limbeck").write_bytes(folded.read_bytes())
    pairs = ["a dog sees\tthe dog hears\t4.0", "old house\tnew house\t3.0", "a cat\tthe river\t0.5", "a\tthe\t2.0"]
    (tmp_path / "pairs.tsv").write_text("sentence1\tsentence2\tscore\n" + "\n".join(pairs) + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HAYSTACK_TELEMETRY_ENABLED", "False")


@pytest.mark.parametrize("name, code", SECTIONS, ids=[name for name, _ in SECTIONS])
def test_a_bridge_works_as_it_is_written(name, code, beside_the_student):
    names = {}
    exec(BEGINNING, names)
    try:
        exec(code, names)
    except ModuleNotFoundError as error:
        pytest.skip(f"{error.name} is not installed")


def test_the_page_has_blocks():
    assert len(SECTIONS) >= 15
