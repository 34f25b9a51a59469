"""Trains a Tokenlearn model on texts, a line each: distil_tokenlearn.py TEACHER TEXTS TO [DIMENSION].

The two steps of the package, by its own functions and defaults: the teacher's token means of each text, then Model2Vec
with a vocabulary of the texts' words, trained on those means.
"""

import sys
import tempfile
from pathlib import Path

from model2vec.distill import distill
from sentence_transformers import SentenceTransformer
from tokenlearn.featurize import featurize
from tokenlearn.train import train_model
from tokenlearn.utils import collect_means_and_texts, create_vocab

teacher, texts, to, *rest = sys.argv[1:]
dimension = int(rest[0]) if rest else 256
texts = open(texts, encoding="utf-8").read().split("\n")[:-1]
with tempfile.TemporaryDirectory() as features:
    rows = ({"text": text} for text in texts)
    featurize(rows, SentenceTransformer(teacher, device="cpu"), features, len(texts), 32, "text")
    texts, vectors = collect_means_and_texts(sorted(Path(features).glob("*.json")))
model = distill(teacher, vocabulary=create_vocab(texts), pca_dims=dimension, quantize_to="float32", device="cpu")
train_model(model, texts, vectors, device="cpu", pca_dims=dimension).save_pretrained(to)
