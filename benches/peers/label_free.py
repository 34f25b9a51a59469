"""Shows how well the measure without judgements foretells nDCG, over runs of `limbeck collection`.

A point is a model and a collection: across, the share of the teacher's ten first documents that the model finds among
its own ten, of queries that the collection gives itself; upwards, the model's nDCG@10 by judgements, as a share of the
teacher's. Both stand in each run's summary.json. Prints the points as tab-separated values and Spearman's rank
correlation of the two, over all points and over each kind of model, and writes the plot.

    benches/peers/.venv/bin/python benches/peers/label_free.py runs/* --to docs/label-free.svg
"""

import argparse
import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt
from scipy.stats import spearmanr

KINDS = {"student": "student", "static, trained": "static student", "bm25": "BM25"}


def points_of(run):
    """The (kind, collection, found, share) of a run's models in f32, and of BM25."""
    models = json.loads((run / "summary.json").read_text())["models"]
    # The teacher that made the targets: in int8 where the run has that, else in f32.
    teachers = [model for model in models if model["role"] == "teacher" and model.get("retrieval")]
    if not teachers:
        return
    teacher = teachers[-1]["retrieval"]
    for model in models:
        measured = (model.get("extra") or {}).get("label_free")
        if model["name"] not in KINDS or not measured:
            continue
        for collection, figures in model["retrieval"].items():
            of_teacher = teacher[collection]["ndcg_at_10"]
            yield model["name"], collection, measured["found_at_10"], figures["ndcg_at_10"] / of_teacher
            if model["role"] == "student":
                yield "bm25", collection, measured["bm25_found_at_10"], figures["bm25_ndcg_at_10"] / of_teacher


def tell_correlation(name, found, share):
    print(f"# Spearman of {name}: {spearmanr(found, share).statistic:.2f} ({len(found)} points)", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run's folder")
    parser.add_argument("--to", required=True, type=Path, metavar="FILE", help="the plot, as SVG")
    given = parser.parse_args()
    points = []
    for run in given.runs:
        if (run / "summary.json").is_file():
            points += points_of(run)
        else:
            print(f"# {run}: no summary.json, so left out", file=sys.stderr)
    if len(points) < 3:
        sys.exit("label_free.py: three points are wanted; name runs of `limbeck collection` over judged collections")
    print("model\tcollection\tfound_at_10\tshare_of_ndcg")
    for kind, collection, found, share in points:
        print(f"{KINDS[kind]}\t{collection}\t{found:.1f}\t{share:.3f}")
    plt.rcParams.update({"svg.hashsalt": "limbeck", "font.size": 11})
    figure, axes = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    for (kind, name), mark in zip(KINDS.items(), "osx"):
        found, share = ([point[at] for point in points if point[0] == kind] for at in (2, 3))
        axes.scatter(found, share, marker=mark, label=name)
        # A collection's name once, where it has several runs.
        for own, place in {point[1]: point[2:] for point in points if point[0] == kind}.items():
            axes.annotate(own, place, (4, 4), textcoords="offset points", fontsize=7, color="0.35")
        if len(found) > 2:
            tell_correlation(name, found, share)
    found, share = ([point[at] for point in points] for at in (2, 3))
    tell_correlation("all", found, share)
    axes.axhline(1.0, color="0.8", linewidth=1, zorder=0)
    axes.set_xlabel("the teacher's first ten documents found, without judgements, %")
    axes.set_ylabel("nDCG@10, share of the teacher's")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(given.to, metadata={"Date": None})


if __name__ == "__main__":
    main()
