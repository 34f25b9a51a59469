"""Compares limbeck's students of a collection with what its users know: search in the collection, in one table.

A collection is a folder in BEIR's layout: corpus, queries and judgements. Beside BM25 stand the teacher, Model2Vec
distilled from it, Tokenlearn trained on the collection's own text (its documents, titles and sentences), and limbeck's
folded files. nDCG@10 is trec_eval's; the second figure is of the ranks fused with BM25's: the sum of 1 / (60 + rank)
over both full rankings. Each model is a process of its own, held to the same cores, one at a time.

The seconds: of training, with the teacher's work where it has some; of giving all documents a vector, or indexing
them; of a search, which encodes all queries and compares them with all documents (the median of three). `README.md`
says how to get the parts.
"""

import argparse
import csv
import gzip
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bm25s
import ir_measures
import numpy as np
import Stemmer
from ir_measures import nDCG

from run import HERE, environment_of, hold_to_cores, worker

FUSION_K, MEASURE, SEARCHES = 60, nDCG @ 10, 3


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("collections", nargs="+", type=Path, metavar="COLLECTION", help="a folder in BEIR's layout")
    parser.add_argument("--teacher", metavar="DIR", help="the teacher as a Hugging Face folder")
    parser.add_argument(
        "--student", action="append", default=[], metavar="NAME=FILE[=STAGES]",
        help="a folded file, {set} in FILE being the collection's name; its training is these stages (embed,distil) of "
        "the run that FILE lies in; more than once",
    )
    parser.add_argument("--limbeck", default="target/release/limbeck", metavar="FILE", help="the program")
    parser.add_argument("--work", metavar="DIR", help="keeps the peers' trained models there")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="writes the figures there too")
    return parser.parse_args()


class Collection:
    def __init__(self, folder, to):
        self.name = folder.name
        documents = {row["_id"]: f"{row.get('title') or ''} {row['text']}" for row in rows_of(folder, "corpus")}
        judged, self.judgements = set(), []
        for query, document, grade in judgements_of(folder):
            judged.add(query)
            self.judgements.append(ir_measures.Qrel(query, document, grade))
        queries = {row["_id"]: row["text"] for row in rows_of(folder, "queries") if row["_id"] in judged}
        self.document_ids, self.documents = list(documents), [line(text) for text in documents.values()]
        self.query_ids, self.queries = list(queries), [line(text) for text in queries.values()]
        titles = [line(row.get("title") or "") for row in rows_of(folder, "corpus")]
        sentences = [part for text in self.documents for part in re.split(r"(?<=[.!?]) +(?=[^a-z])", text)]
        self.units = [text for text in dict.fromkeys(self.documents + titles + sentences) if text]
        self.files = {part: to / f"{self.name}.{part}.txt" for part in ("documents", "queries", "units")}
        for part, file in self.files.items():
            file.write_text("".join(f"{text}\n" for text in getattr(self, part)), encoding="utf-8")

    def ndcg(self, order):
        """nDCG@10 times 100, of the places of documents in their order a query."""
        run = (
            ir_measures.ScoredDoc(query, self.document_ids[document], -place)
            for query, places in zip(self.query_ids, order) for place, document in enumerate(places[:100])
        )
        return 100 * ir_measures.calc_aggregate([MEASURE], self.judgements, run)[MEASURE]


def line(text):
    return " ".join(text.split())


def opened(path):
    """The text file, or the one with .gz behind its name."""
    return open(path, encoding="utf-8") if path.exists() else gzip.open(f"{path}.gz", "rt", encoding="utf-8")


def rows_of(folder, name):
    """The rows of NAME.jsonl or NAME.jsonl.gz."""
    with opened(folder / f"{name}.jsonl") as file:
        yield from map(json.loads, file)


def judgements_of(folder):
    """Query, document and grade of each row of qrels.tsv, or of the first of qrels/{test,dev,train}.tsv."""
    files = [folder / "qrels.tsv", *(folder / f"qrels/{part}.tsv" for part in ("test", "dev", "train"))]
    with open(next(filter(Path.exists, files)), encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(rows)
        yield from ((query, document, int(grade)) for query, document, grade in rows)


class LimbeckEncode:
    """Answers as a Contestant does, by `limbeck encode`: each order starts the program."""

    def __init__(self, name, file, options):
        self.name, self.file, self.program, self.threads = name, file, options.limbeck, options.threads
        self.error = None if Path(file).is_file() else f"there is no {file}"

    def ask(self, order, source, to):
        with tempfile.TemporaryDirectory() as folder:
            vectors = Path(folder) / "vectors.npy"
            files = ["--model", self.file, "--input", source, "--to", vectors]
            command = [self.program, "encode", *files, "--threads", str(self.threads)]
            ended = subprocess.run(command, capture_output=True, text=True, env=environment_of(self.threads))
            if ended.returncode:
                raise RuntimeError(f"{self.name}: {ended.stderr}")
            vectors = np.load(vectors)
        vectors.astype("<f4").tofile(to)
        return {"dimension": vectors.shape[1]}

    def close(self):
        pass


def timed(work):
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def order_of(scores):
    return np.argsort(-scores, axis=1, kind="stable")


def fused(*orders):
    """The order by the sum of 1 / (k + rank) over full rankings."""
    sums = 0
    for order in orders:
        ranks = np.empty_like(order)
        np.put_along_axis(ranks, order, np.arange(1, order.shape[1] + 1)[None], axis=1)
        sums = sums + 1 / (FUSION_K + ranks)
    return order_of(sums)


def bm25(collection):
    """BM25's row, and its order of the documents a query."""
    stemmer = Stemmer.Stemmer("english")
    words = lambda texts: bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False, return_ids=False)

    def index():
        retriever = bm25s.BM25(k1=1.5, b=0.75)
        retriever.index(words(collection.documents), show_progress=False)
        return retriever

    retriever, seconds = timed(index)
    search = lambda: order_of(np.stack([retriever.get_scores(query) for query in words(collection.queries)]))
    searches = [timed(search) for _ in range(SEARCHES)]
    order = searches[0][0]
    row = {
        "model": "BM25 (bm25s)", "dimension": None, "ndcg_at_10": collection.ndcg(order), "fused_ndcg_at_10": None,
        "training": None, "documents": seconds, "search": statistics.median(seconds for _, seconds in searches),
    }
    return row, order


def vectors_of(model, source, count, to):
    """The vectors of the lines of `source`, scaled to length one."""
    dimension = model.ask("vectors", source, to)["dimension"]
    vectors = np.fromfile(to, dtype="<f4").reshape(count, dimension)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def dense(model, training, collection, lexical, to):
    """The row of a model that gives vectors."""
    row = {"model": model.name, "training": training}
    if model.error:
        return row | {"skipped": model.error}
    file = collection.files
    documents, seconds = timed(lambda: vectors_of(model, file["documents"], len(collection.documents), to))

    def search():
        return vectors_of(model, file["queries"], len(collection.queries), to) @ documents.T

    searches = [timed(lambda: order_of(search())) for _ in range(SEARCHES)]
    order = searches[0][0]
    return row | {
        "dimension": documents.shape[1], "ndcg_at_10": collection.ndcg(order),
        "fused_ndcg_at_10": collection.ndcg(fused(order, lexical)), "documents": seconds,
        "search": statistics.median(seconds for _, seconds in searches),
    }


def trained(script, arguments, to, threads):
    """Runs the script, which writes a model to `to`, unless it has; the seconds that it took."""
    note = to.with_suffix(".seconds")
    if not note.exists():
        command, environment = [sys.executable, HERE / script, *arguments, to], environment_of(threads)
        _, seconds = timed(lambda: subprocess.run(command, check=True, env=environment, stdout=sys.stderr))
        note.write_text(f"{seconds}\n")
    return float(note.read_text())


def seconds_of_stages(file, stages):
    """The seconds that these stages took in the run whose folder holds the file; None without a finished run."""
    summaries = (folder / "summary.json" for folder in Path(file).parents)
    summary = next(filter(Path.exists, summaries), None)
    if summary is None:
        return None
    found = {stage["name"]: stage["seconds"] for stage in json.loads(summary.read_text())["stages"]}
    return sum(found[stage] for stage in stages.split(","))


def models(options, collection, work):
    """Each model that gives vectors, opened when its turn comes, and the seconds of its training."""
    threads = options.threads
    start = lambda name, kind, model: worker(name, kind, model, collection.files["queries"], threads)
    if options.teacher:
        yield start("the teacher", "sentence-transformers", options.teacher), None
        to = work / "model2vec"
        seconds = trained("distil.py", [options.teacher], to, threads)
        yield start("Model2Vec", "model2vec", to), seconds
        to = work / f"tokenlearn-{collection.name}"
        seconds = trained("distil_tokenlearn.py", [options.teacher, collection.files["units"]], to, threads)
        yield start("Tokenlearn", "model2vec", to), seconds
    for student in options.student:
        name, file, *stages = student.split("=")
        file = file.replace("{set}", collection.name)
        yield LimbeckEncode(name, file, options), seconds_of_stages(file, stages[0] if stages else "embed,distil")


def main():
    options = arguments()
    hold_to_cores(options.threads)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        work = Path(options.work) if options.work else folder / "work"
        work.mkdir(parents=True, exist_ok=True)
        for path in options.collections:
            collection = Collection(path, folder)
            row, lexical = bm25(collection)
            rows.append({"collection": collection.name} | row)
            print(line_of(rows[-1]), file=sys.stderr, flush=True)
            for model, training in models(options, collection, work):
                row = dense(model, training, collection, lexical, folder / "vectors.f32")
                model.close()
                rows.append({"collection": collection.name} | row)
                print(line_of(rows[-1]), file=sys.stderr, flush=True)
    if options.json:
        report = {"threads": options.threads, "rows": rows}
        Path(options.json).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(table(rows))
    print(f"\nSeconds on {options.threads} threads; a search is of all queries.")


def table(rows):
    columns = ["collection", "model", "dimension", "nDCG@10", "with BM25", "training, s", "documents, s", "search, s"]
    head = ["| " + " | ".join(columns) + " |", "|---|---|" + "---:|" * (len(columns) - 2)]
    return "\n".join(head + [line_of(row) for row in rows])


def line_of(row):
    start = f"| {row['collection']} | {row['model']} | "
    if "skipped" in row:
        return start + f"skipped: {row['skipped']} |" + " |" * 5
    forms = {
        "dimension": "d", "ndcg_at_10": ".1f", "fused_ndcg_at_10": ".1f", "training": ",.1f", "documents": ",.2f",
        "search": ",.3f",
    }
    figures = ("" if row[name] is None else format(row[name], form) for name, form in forms.items())
    return start + " | ".join(figures) + " |"


if __name__ == "__main__":
    main()
