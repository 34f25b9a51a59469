"""Draws what more text is worth to a student: shares of the teacher's means over the number of training texts.

Runs a recipe with several values of `text.limit`, the largest first: the smaller samples are parts of it, so its
teacher's vectors serve them all. Then measures each run's student and its static control, and the teacher unless a
summary has its figures, on the sets of the recipe's `[evaluate]`, and plots the mean of each kind of task (search:
nDCG@10; classes: accuracy; clusters: V-measure; STS: Spearman) as a share of the teacher's. Prints the figures as
tab-separated values.

    pip install matplotlib
    python benches/curve.py target/release/limbeck pipelines/general-m.toml --limits 100000 200000 400000 \\
        --to docs/curve.svg
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt

KINDS = {
    "search": ("retrieval", "ndcg_at_10"),
    "classes": ("classification", "accuracy"),
    "clusters": ("clustering", "v_measure"),
    "STS": ("scores", "spearman"),
}
MODELS = {"student": "student", "static": "baselines/static-trained"}


def evaluated(recipe):
    """The [evaluate] section of a recipe, of its base where it has none."""
    tables = tomllib.loads(recipe.read_text())
    if "evaluate" in tables or "base" not in tables:
        return tables.get("evaluate", {})
    return evaluated(recipe.parent / tables["base"])


def train(command, recipe, name, limit, runs, vectors):
    """Runs the recipe with so much text, and gives the run's folder."""
    run = runs / name
    if vectors is not None and not (run / "cache").exists():
        run.mkdir(parents=True, exist_ok=True)
        shutil.copytree(vectors, run / "cache", copy_function=os.link)
    keys = ["--set", f"name={name}", "--set", f"text.limit={limit}"]
    subprocess.run([command, "run", recipe, *keys, "--to", "baselines", "--runs", runs], check=True)
    return run


def means(figures):
    """The mean of each kind of task."""
    found = {}
    for kind, (key, measure) in KINDS.items():
        sets = figures.get(key) or {}
        if sets:
            found[kind] = sum(of_set[measure] for of_set in sets.values()) / len(sets)
    return found


def measure(command, models, sets):
    """The means of each of these models on the sets that lie here."""
    given = [f"--model={model}" for model in models]
    for key in ("sts", "retrieval", "classification", "clustering"):
        there = [path for path in sets.get(key, []) if Path(path).exists()]
        given += [f"--{key}", *there] if there else []
    done = subprocess.run([command, "evaluate", *given, "--json"], check=True, stdout=subprocess.PIPE, text=True)
    return [means(json.loads(line)) for line in done.stdout.splitlines()]


def of_teacher(summary):
    """The means of the teacher that made the targets, the last one that the run measured."""
    teachers = [model for model in json.loads(summary.read_text())["models"] if model["role"] == "teacher"]
    return means(teachers[-1])


def plot(points, to):
    """A panel a kind of task."""
    plt.rcParams.update({"svg.hashsalt": "limbeck", "font.size": 10})
    kinds = [kind for kind in KINDS if all(kind in shares for _, _, shares in points)]
    # One scale for all: differences between kinds are larger than those that the noise of a seed makes within one.
    grid = {"sharey": True, "layout": "constrained", "squeeze": False}
    figure, panels = plt.subplots(1, len(kinds), figsize=(2.3 * len(kinds), 2.9), **grid)
    for kind, axes in zip(kinds, panels[0]):
        for name, mark in zip(MODELS, "os"):
            of_model = sorted((texts, shares[kind]) for model, texts, shares in points if model == name)
            axes.plot(*zip(*of_model), marker=mark, label=name)
        axes.set_xscale("log")
        axes.minorticks_off()
        limits = sorted({texts for _, texts, _ in points})
        axes.set_xticks(limits, [f"{texts / 1000:.0f}k" for texts in limits], fontsize=8)
        axes.set_title(kind, fontsize=10)
        axes.set_xlabel("training texts, at most")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0][0].set_ylabel("share of the teacher's mean, %")
    panels[0][0].legend(frameon=False)
    figure.savefig(to, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", help="the binary `limbeck`")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--limits", required=True, type=int, nargs="+", metavar="TEXTS")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="the folder of all runs")
    parser.add_argument("--vectors", type=Path, metavar="DIR", help="the cache of a run that has the vectors already")
    parser.add_argument("--summary", type=Path, metavar="FILE", help="summary.json of a run that measured the teacher")
    parser.add_argument("--to", required=True, type=Path, metavar="FILE", help="the plot, as SVG")
    given = parser.parse_args()
    vectors, runs = given.vectors, []
    for limit in sorted(given.limits, reverse=True):
        name = f"{given.recipe.stem}-{limit}"
        runs.append((limit, train(given.command, given.recipe, name, limit, given.runs, vectors)))
        vectors = vectors or runs[0][1] / "cache"
    models = [(name, limit, run / path) for limit, run in runs for name, path in MODELS.items()]
    folders = [model for _, _, model in models]
    if given.summary is None:
        folders.insert(0, runs[0][1] / "teacher")
    figures = measure(given.command, folders, evaluated(given.recipe))
    teacher = figures.pop(0) if given.summary is None else of_teacher(given.summary)
    kinds = [kind for kind in KINDS if kind in teacher]
    line = lambda model, texts, of_model: "\t".join([model, str(texts), *(f"{of_model[kind]:.2f}" for kind in kinds)])
    points = []
    print("\t".join(["model", "texts", *kinds]))
    print(line("teacher", "", teacher))
    for (name, texts, _), of_model in zip(models, figures):
        points.append((name, texts, {kind: 100 * of_model[kind] / teacher[kind] for kind in kinds}))
        print(line(name, texts, of_model))
    sys.stdout.flush()
    plot(points, given.to)


if __name__ == "__main__":
    main()
