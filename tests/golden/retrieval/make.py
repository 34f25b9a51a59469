"""Writes collection.json: a made-up collection, its vectors, and what ir-measures (trec_eval) makes of their ranking.

Needs numpy, ir-measures, bm25s and PyStemmer. BM25's scores come from bm25s with the stop words and the stemmer that
limbeck has; the fusion is by reciprocal ranks over the documents that each search ranks.
"""
import json
from pathlib import Path

import bm25s
import ir_measures
import numpy as np
import Stemmer
from ir_measures import RR, R, nDCG

WORDS = "wing lift drag heat flow shock wave layer plate nose body speed mach tunnel panel shell buckling stress".split()
random = np.random.default_rng(25)


def text(least, most):
    return " ".join(random.choice(WORDS, random.integers(least, most)))


def vector():
    return [round(float(value), 3) for value in random.normal(size=6)]


documents = [
    {"_id": f"d{i}", "title": text(1, 4) if i % 3 else "", "text": text(3, 12), "vector": vector()} for i in range(150)
]
queries = [{"_id": f"q{i}", "text": text(2, 5), "vector": vector()} for i in range(12)]


def unit(rows):
    matrix = np.array([row["vector"] for row in rows], dtype=np.float64)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


scores = unit(queries) @ unit(documents).T
qrels = []
for i, query in enumerate(queries):
    if i == 5:  # judged, but nothing is relevant
        qrels.append((query["_id"], "d3", 0))
        continue
    if i == 6:  # not judged at all
        continue
    # Half of them near the query, half anywhere, so that figures lie between 0 and 1.
    near = np.argsort(-scores[i])[: 12 + 60 * (i % 2)]
    chosen = {*random.choice(near, 4, replace=False).tolist(), *random.choice(150, 4, replace=False).tolist()}
    qrels += [(query["_id"], f"d{d}", int(random.integers(0, 4))) for d in sorted(chosen)]
    if i == 7:  # the collection lacks it
        qrels.append((query["_id"], "gone", 2))
judged = sorted({q for q, _, grade in qrels if grade > 0})

full = [f"{d['title']} {d['text']}".strip() for d in documents]
tokenise = dict(stopwords="en", stemmer=Stemmer.Stemmer("english"), show_progress=False)
index = bm25s.BM25(k1=1.5, b=0.75)
index.index(bm25s.tokenize(full, **tokenise), show_progress=False)
tokens = bm25s.tokenize([q["text"] for q in queries], return_ids=False, **tokenise)
words = np.stack([index.get_scores(of_query) for of_query in tokens])


def ranking(values, wanted=None):
    order = np.argsort(-values, kind="stable")
    return order if wanted is None else order[wanted[order]]


def run(rankings):
    return {
        q["_id"]: {documents[d]["_id"]: float(len(order) - rank) for rank, d in enumerate(order)}
        for q, order in zip(queries, rankings)
        if q["_id"] in judged
    }


dense = [ranking(row) for row in scores]
by_words = [ranking(row, row > 0) for row in words]
fused = []
for a, b in zip(dense, by_words):
    total = np.zeros(len(documents))
    total[a] += 1 / (60 + np.arange(1, len(a) + 1))
    total[b] += 1 / (60 + np.arange(1, len(b) + 1))
    fused.append(ranking(total))
wanted = [(q, d, grade) for q, d, grade in qrels if q in judged]
judgements = [ir_measures.Qrel(*line) for line in wanted]


def measured(rankings, *measures):
    found = ir_measures.calc_aggregate(measures, judgements, run(rankings))
    return [round(100 * found[measure], 8) for measure in measures]


ndcg, recall, mrr = measured(dense, nDCG @ 10, R @ 100, RR @ 10)
expected = {
    "ndcg_at_10": ndcg,
    "recall_at_100": recall,
    "mrr_at_10": mrr,
    "fused_ndcg_at_10": measured(fused, nDCG @ 10)[0],
    "bm25_ndcg_at_10": measured(by_words, nDCG @ 10)[0],
    "queries": len(judged),
    "documents": len(documents),
}
golden = {"documents": documents, "queries": queries, "qrels": qrels, "expected": expected}
Path(__file__).with_name("collection.json").write_text(json.dumps(golden, indent=None, separators=(",", ":")) + "\n")
print(expected)
