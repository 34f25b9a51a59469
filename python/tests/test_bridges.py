"""The blocks of docs/bridges.md, each in turn, where its library is installed."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "bridges.md"
SECTIONS = re.findall(r"^## (.+?)$.*?^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name, code", SECTIONS, ids=[name for name, _ in SECTIONS])
def test_a_bridge_works_as_it_is_written(name, code, student):
    texts = ["a dog sees the cat", "the old house", "a new river", "the cat hears a dog"]
    labels = ["animal", "place", "place", "animal"]
    try:
        exec(code, {"student": student, "texts": texts, "labels": labels})
    except ModuleNotFoundError as error:
        pytest.skip(f"{error.name} is not installed")


def test_the_page_has_blocks():
    assert len(SECTIONS) >= 5
