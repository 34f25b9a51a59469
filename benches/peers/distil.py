"""Distils a teacher into a Model2Vec model: distil.py TEACHER TO [DIMENSION]."""

import sys

from model2vec.distill import distill

teacher, to, *rest = sys.argv[1:]
distill(teacher, pca_dims=int(rest[0]) if rest else 256, device="cpu").save_pretrained(to)
