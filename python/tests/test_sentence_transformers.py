"""The export to sentence-transformers of a student with attention heads, by the package limbeck and by PyTorch."""

import json
import sys

import numpy as np
import pytest
from conftest import call, make_student
from limbeck import Student

torch = pytest.importorskip("torch")
SentenceTransformer = pytest.importorskip("sentence_transformers").SentenceTransformer


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    place = tmp_path_factory.mktemp("export")
    make_student(place / "student", attention={"heads": 2, "width": 3, "filters": 6}, max_tokens=9)
    call("export", "--model", place / "student", "--format", "sentence-transformers", "--to", place / "folder")
    return place / "folder"


@pytest.fixture
def opened(exported, monkeypatch):
    """Opens the export; without limbeck as if it weren't installed."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def open_export(*, has_limbeck):
        model = SentenceTransformer(str(exported), device="cpu", trust_remote_code=True)
        if not has_limbeck:
            monkeypatch.setattr(sys.modules[type(model[0]).__module__], "Student", None)
        return model

    return open_export


def test_both_ways_give_the_same_vectors(opened, exported, texts):
    fast = opened(has_limbeck=True)
    by_limbeck = fast.encode(texts)
    assert fast[0].student is not None
    slow = opened(has_limbeck=False)
    by_torch = slow.encode(texts)
    assert slow[0].student is None
    assert abs(by_limbeck - by_torch).max() < 1e-6
    assert abs(by_limbeck - Student.load(exported).encode(texts)).max() < 1e-6


def test_a_prompt_stands_before_each_text(opened, texts):
    by_limbeck = opened(has_limbeck=True).encode(texts, prompt="old river ")
    assert abs(by_limbeck - opened(has_limbeck=False).encode(texts, prompt="old river ")).max() < 1e-6


def test_weights_that_were_changed_stay_in_torch(opened, texts):
    model = opened(has_limbeck=True)
    before = model.encode(texts)
    with torch.no_grad():
        model[0].skip_weight.mul_(-1)
    after = model.encode(texts)
    assert abs(before - after).max() > 0.1
    with torch.no_grad():
        model[0].skip_weight.mul_(-1)
    assert abs(model.encode(texts) - before).max() < 1e-6


def test_another_length_stays_in_torch(opened, texts):
    model = opened(has_limbeck=True)
    whole = model.encode(texts)
    model.max_seq_length = 2
    first_words = [" ".join(text.split()[:2]) for text in texts]
    cut = model.encode(texts)
    assert abs(cut - whole).max() > 0.1
    assert abs(cut - model.encode(first_words)).max() < 1e-6


def test_training_gets_tokens(opened):
    model = opened(has_limbeck=True)
    features = model[0].preprocess(["a dog", "the old house"])
    assert features["input_ids"].tolist() == [[1, 2, 0], [6, 9, 8]]
    model[0](features)["sentence_embedding"].sum().backward()
    assert np.abs(model[0].skip_weight.grad.numpy()).max() > 0


def test_modules_and_card_tell_what_trust_remote_code_runs(exported):
    modules = json.loads((exported / "modules.json").read_text(encoding="utf-8"))
    card = (exported / "README.md").read_text(encoding="utf-8")
    for text in (modules[0]["about"], card):
        assert "trust_remote_code=True runs limbeck_student.py" in text
