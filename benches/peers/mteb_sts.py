"""Evaluates an exported folder by the mteb package on STS files of one's own: mteb_sts.py FOLDER FILE.tsv...

The files are those of `limbeck evaluate --sts`: a header `sentence1 sentence2 score`, then a pair a line. Nothing is
asked of the hub. A line of JSON a file is printed, scores times 100.
"""

import json
import sys
import tempfile
from pathlib import Path

import mteb
from datasets import Dataset
from mteb.abstasks.sts import AbsTaskSTS
from mteb.abstasks.task_metadata import TaskMetadata
from sentence_transformers import SentenceTransformer


def task(path):
    """A task of mteb on the pairs in the file at `path`."""
    lines = open(path, encoding="utf-8").read().split("\n")
    columns = lines[0].split("\t")
    rows = [dict(zip(columns, line.split("\t"))) for line in lines[1:] if line]
    dataset = Dataset.from_dict({
        "sentence1": [row["sentence1"] for row in rows],
        "sentence2": [row["sentence2"] for row in rows],
        "score": [float(row["score"]) for row in rows],
    })
    scores = dataset["score"]

    class LocalSts(AbsTaskSTS):
        min_score, max_score = min(scores), max(scores)
        metadata = TaskMetadata(
            name=Path(path).stem, description="Graded sentence pairs of a local file.", reference=None, type="STS",
            dataset={"path": str(path), "revision": "local"}, category="t2t", modalities=["text"], eval_splits=["test"],
            eval_langs=["eng-Latn"], main_score="cosine_spearman", date=None, domains=None, task_subtypes=None, license=None,
            annotations_creators=None, dialect=None, sample_creation=None, bibtex_citation=None,
        )

        def load_data(self, num_proc=None, *, timer=None, **kwargs):
            self.dataset, self.data_loaded = {"test": dataset}, True

    return LocalSts()


def main():
    folder, *files = sys.argv[1:]
    # The folder of a student with attention heads has a module file of its own, which runs only when it is trusted.
    own = "limbeck_student" not in (Path(folder) / "modules.json").read_text(encoding="utf-8")
    model = SentenceTransformer(folder, device="cpu", trust_remote_code=not own)
    with tempfile.TemporaryDirectory() as cache:
        for file in files:
            result = mteb.evaluate(
                model, task(file), cache=mteb.ResultCache(cache), show_progress_bar=False, overwrite_strategy="always"
            )
            scores = result.task_results[0].scores["test"][0]
            print(json.dumps({
                "set": Path(file).stem,
                "spearman": 100 * scores["cosine_spearman"],
                "pearson": 100 * scores["cosine_pearson"],
            }))


if __name__ == "__main__":
    main()
