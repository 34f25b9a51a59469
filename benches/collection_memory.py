"""Shows that `limbeck collection` needs no more memory for more documents, and what appended documents cost.

Makes collections of two sizes for a tiny teacher of random weights (the figures of search mean nothing), runs
`limbeck collection` on each, then appends a thousand documents to the larger and runs it again. Prints a line for each
run: documents, seconds, CPU seconds, peak memory in MB, and the texts that were embedded anew.

    pip install numpy safetensors
    python benches/collection_memory.py target/release/limbeck --documents 1000 1000000
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

WIDTH, INNER, POSITIONS, WORDS = 32, 64, 64, 4_000


def words():
    """Words of three syllables."""
    syllables = [c + v for c in "bdfgklmnprst" for v in "aeiou"]
    random = np.random.default_rng(1)
    return sorted({"".join(random.choice(syllables, 3)) for _ in range(WORDS * 2)})[:WORDS]


def make_teacher(folder, vocabulary):
    """A BERT of one layer."""
    folder.mkdir()
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", *vocabulary]
    random = np.random.default_rng(2)
    shapes = {"embeddings.word_embeddings.weight": (len(tokens), WIDTH)}
    shapes |= {"embeddings.position_embeddings.weight": (POSITIONS, WIDTH)}
    shapes |= {"embeddings.token_type_embeddings.weight": (2, WIDTH)}
    layer = "encoder.layer.0."
    for name, rows, columns in [
        ("attention.self.query", WIDTH, WIDTH),
        ("attention.self.key", WIDTH, WIDTH),
        ("attention.self.value", WIDTH, WIDTH),
        ("attention.output.dense", WIDTH, WIDTH),
        ("intermediate.dense", INNER, WIDTH),
        ("output.dense", WIDTH, INNER),
    ]:
        shapes |= {f"{layer}{name}.weight": (rows, columns), f"{layer}{name}.bias": (rows,)}
    tensors = {name: random.normal(scale=0.3, size=shape) for name, shape in shapes.items()}
    for name in ["embeddings.LayerNorm", f"{layer}attention.output.LayerNorm", f"{layer}output.LayerNorm"]:
        tensors |= {f"{name}.weight": np.ones(WIDTH), f"{name}.bias": np.zeros(WIDTH)}
    save_file({name: array.astype(np.float32) for name, array in tensors.items()}, folder / "model.safetensors")
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": WIDTH,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "intermediate_size": INNER,
        "vocab_size": len(tokens),
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n")


def write_documents(path, vocabulary, first, count, mode):
    """Documents of a title and a sentence of eight words."""
    random = np.random.default_rng([3, first])
    with path.open(mode) as file:
        for start in range(first, first + count, 10_000):
            drawn = random.zipf(1.3, size=(min(10_000, first + count - start), 10)) % len(vocabulary)
            for number, row in enumerate(drawn, start):
                text = [vocabulary[at] for at in row]
                sentence = " ".join(text[2:]).capitalize() + "."
                document = {"_id": str(number), "title": f"{text[0]} {text[1]}", "text": sentence}
                file.write(json.dumps(document) + "\n")


def run(command, folder, corpus, name, log):
    asked = [command, "collection", corpus, "--teacher", "teacher", "--to", name]
    shape = ["student.embedding=16", "student.attention={heads=2,filters=8,values=8}", "distil.batch=1024"]
    asked += [word for setting in [*shape, "student.lexical=32", "bench.rounds=1"] for word in ("--set", setting)]
    start = time.monotonic()
    with log.open("w") as file:
        process = subprocess.Popen(asked, cwd=folder, stdout=file, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"limbeck failed:\n{log.read_text()[-3000:]}")
    told = log.read_text()
    new = re.search(r"embed: train, ([\d,]+) of [\d,]+ texts are new", told)
    new = new or re.search(r"embed: train, (\d+)", told)
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, new[1].replace(",", "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", type=Path, help="the command limbeck")
    parser.add_argument("--documents", type=int, nargs="+", default=[1_000, 1_000_000])
    parser.add_argument("--folder", type=Path, help="where the runs stay; a temporary folder by default")
    arguments = parser.parse_args()
    command, vocabulary = arguments.command.resolve(), words()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        make_teacher(folder / "teacher", vocabulary)
        print("documents\tseconds\tCPU seconds\tpeak MB\ttexts embedded")

        def show(count, corpus, name):
            seconds, cpu, peak, new = run(command, folder, corpus, name, folder / f"{name}.log")
            print(f"{count}\t{seconds:.0f}\t{cpu:.0f}\t{peak:.0f}\t{new}", flush=True)

        for count in arguments.documents:
            write_documents(folder / f"{count}.jsonl", vocabulary, 0, count, "w")
            show(count, f"{count}.jsonl", f"of-{count}")
        most = arguments.documents[-1]
        write_documents(folder / f"{most}.jsonl", vocabulary, most, 1_000, "a")
        show(most + 1_000, f"{most}.jsonl", f"of-{most}")


if __name__ == "__main__":
    main()
