"""Kills `encode --each`, `embed`, `embed --each` and `distil` at random moments, and compares what they leave.

For each command, one undisturbed run is kept. Then the command is started again and again in a new folder, each start
killed by SIGKILL after a random time, until a start reaches its end: the files must be those of the undisturbed run,
byte for byte, with none more. After every kill each Parquet file that can be seen must be whole already. Texts and
teacher are made here: a tiny BERT of random weights. Prints a line for each command: its kills, how many of them left
unfinished work (a temporary file or a checkpoint), and how often it was brought to its end.

    pip install numpy safetensors
    python benches/kills.py target/release/limbeck --kills 100
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from collection_memory import make_teacher, words

FILES = 12
TINY = ["student.embedding=16", "student.attention={heads=2,filters=8,values=8}"]
SHORT = ["distil.batch=256", "distil.epochs=1", "distil.checkpoint_every=20"]
SETTINGS = [word for setting in TINY + SHORT for word in ("--set", setting)]
# ONNX Runtime 1.32 keeps a file of this name in the folder for temporary files, one for all processes.
OF_ONNX_RUNTIME = {".ses"}
COMMANDS = {
    "embed": ["embed", "--teacher", "teacher", "--input", "texts"],
    "embed --each": ["embed", "--teacher", "teacher", "--input", "texts", "--each"],
    "distil": ["distil", "--cache", "of-embed", *SETTINGS],
    "encode --each": ["encode", "--model", "of-distil", "--input", "texts", "--each"],
}


def write_texts(folder, count):
    """Sentences of eight words, in several files."""
    folder.mkdir()
    vocabulary, drawn = words(), np.random.default_rng(5)
    for number in range(FILES):
        rows = drawn.zipf(1.3, size=(count // FILES, 8)) % len(vocabulary)
        sentences = (" ".join(vocabulary[at] for at in row) + ".\n" for row in rows)
        (folder / f"part-{number:02}.txt").write_text("".join(sentences))


def contents(folder):
    """The bytes of all files below a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check(name, found, undisturbed, is_end):
    """Ends the program where files are not those of the undisturbed run; before the end only Parquet is compared."""
    for path, data in found.items():
        is_hidden = Path(path).name.startswith(".")
        if is_end and path not in undisturbed:
            sys.exit(f"{name} left {path}")
        if (is_end or path.endswith(".parquet") and not is_hidden) and data != undisturbed.get(path):
            sys.exit(f"{name}: {path} is not the undisturbed run's")
    if is_end and len(found) < len(undisturbed):
        sys.exit(f"{name}: missing are {sorted(undisturbed.keys() - found.keys())}")


class Bench:
    def __init__(self, command, folder, seed):
        self.command, self.folder, self.random = command, folder, random.Random(seed)
        # Whatever is left in the system's folder for temporary files is found too.
        self.temporary = folder / "temporary"
        self.temporary.mkdir()

    def start(self, name, to, log):
        asked = [self.command, *COMMANDS[name], "--to", to]
        environment = {**os.environ, "TMPDIR": str(self.temporary)}
        return subprocess.Popen(asked, cwd=self.folder, stdout=log, stderr=log, env=environment)

    def end(self, name, process):
        if process.wait() != 0:
            sys.exit(f"{name} failed:\n{(self.folder / 'log').read_text()[-3000:]}")
        left = [path.name for path in self.temporary.iterdir() if path.name not in OF_ONNX_RUNTIME]
        if left:
            sys.exit(f"{name} left {left}")

    def undisturbed(self, name):
        """Makes the undisturbed run's folder. Returns its seconds."""
        start = time.monotonic()
        with (self.folder / "log").open("w") as log:
            self.end(name, self.start(name, f"of-{name.replace(' --', '-')}", log))
        return time.monotonic() - start

    def round(self, name, seconds, undisturbed):
        """Kills one run until it ends. Returns how many kills there were, and how many left unfinished work."""
        to, kills, unfinished = self.folder / "killed", 0, 0
        shutil.rmtree(to, ignore_errors=True)
        while True:
            with (self.folder / "log").open("w") as log:
                process = self.start(name, to.name, log)
                try:
                    process.wait(self.random.uniform(0, seconds))
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
            if process.returncode != -signal.SIGKILL:
                self.end(name, process)
                check(name, contents(to), undisturbed, is_end=True)
                return kills, unfinished
            found = contents(to)
            check(name, found, undisturbed, is_end=False)
            kills, unfinished = kills + 1, unfinished + any(path not in undisturbed for path in found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", type=Path, help="the command limbeck")
    parser.add_argument("--kills", type=int, default=20, help="at least so many of each command")
    parser.add_argument("--only", choices=COMMANDS, nargs="+", default=list(COMMANDS), help="kill these alone")
    parser.add_argument("--texts", type=int, default=120_000)
    parser.add_argument("--share", type=float, default=0.5, help="kill within this part of an undisturbed run's time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="an empty folder that stays; a temporary one by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).resolve()
        bench = Bench(arguments.command.resolve(), folder, arguments.seed)
        make_teacher(folder / "teacher", words())
        write_texts(folder / "texts", arguments.texts)
        print(
            "command\tkills\tof them with unfinished work\truns brought to their end\tseconds undisturbed", flush=True
        )
        for name in COMMANDS:
            # All run undisturbed, since one's output is the next one's input.
            seconds = bench.undisturbed(name)
            if name not in arguments.only:
                continue
            undisturbed = contents(folder / f"of-{name.replace(' --', '-')}")
            kills, unfinished, rounds = 0, 0, 0
            while kills < arguments.kills:
                of_round = bench.round(name, seconds * arguments.share, undisturbed)
                kills, unfinished, rounds = kills + of_round[0], unfinished + of_round[1], rounds + 1
            print(f"{name}\t{kills}\t{unfinished}\t{rounds}\t{seconds:.1f}", flush=True)


if __name__ == "__main__":
    main()
