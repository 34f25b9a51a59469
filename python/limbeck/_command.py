"""What the command `limbeck` does, started from Python. The wheel carries the command."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ._student import Student
from ._toml import toml

# The exit code of arguments that make no sense.
USAGE = 2


class CommandError(RuntimeError):
    """The command `limbeck` failed: its message and its hint."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message if hint is None else f"{message}\nhint: {hint}")
        self.hint = hint


def command() -> str:
    """The path of the command `limbeck`: the wheel's, or the first on PATH. `LIMBECK` names another one."""
    name = "limbeck" + (sysconfig.get_config_var("EXE") or "")
    folders = [sysconfig.get_path("scripts"), os.path.dirname(sys.executable)]
    scheme = sysconfig.get_preferred_scheme("user")
    folders.append(sysconfig.get_path("scripts", scheme=scheme))
    # `pip install --target FOLDER` puts scripts beside the package.
    folders.append(str(Path(__file__).parent.parent / "bin"))
    candidates = [os.environ.get("LIMBECK", ""), *(os.path.join(folder, name) for folder in folders)]
    found = next((path for path in candidates if path and os.path.isfile(path)), None) or shutil.which(name)
    if found is None:
        raise FileNotFoundError("the command limbeck is not installed\nhint: install the wheel, or put it on PATH")
    return found


def run(
    recipe: str | os.PathLike[str],
    *,
    runs: str | os.PathLike[str] = "runs",
    set: Mapping[str, Any] | None = None,
    from_stage: str | None = None,
    to_stage: str | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Runs the recipe (a TOML file), as `limbeck run` does, and returns the run's `summary.json`.

    `set` puts values over the recipe's: `{"distil.epochs": 3}`. A run that was interrupted, by Ctrl-C too, goes on
    where it stopped when it is called again. With `to_stage` the run may end before there is a summary; the result is
    then `{}`.
    """
    _must_exist(recipe)
    arguments = ["run", os.fspath(recipe), "--runs", os.fspath(runs)]
    for key, value in (set or {}).items():
        arguments += ["--set", f"{key}={toml(value)}"]
    arguments += [] if from_stage is None else ["--from", from_stage]
    arguments += [] if to_stage is None else ["--to", to_stage]
    printed = _start(arguments, quiet)
    figures = [line.partition(" ")[2].strip() for line in printed.splitlines() if line.startswith("figures ")]
    return json.loads(Path(figures[-1]).read_text(encoding="utf-8")) if figures else {}


def distil(
    teacher: str | os.PathLike[str],
    texts: Iterable[str] | str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    quiet: bool = False,
    **recipe: Any,
) -> Student:
    """Distils `teacher` into a student of these texts, in the run's folder `to`, and opens it in int8.

    `teacher` is a folder, an ONNX file or a URI, as in `hf:sentence-transformers/all-MiniLM-L6-v2`; `texts` a list of
    str, or the path or URI of a file or folder of texts. Other keywords are sections of a recipe
    (`distil={"epochs": 3}`, `teacher={"precision": "f32"}`); docs/every-key.toml lists their keys. The teacher runs in
    int8 unless they say otherwise.

    The run's folder holds what `limbeck run` leaves there: the student, its static control, exports, the report and
    the recipe. Called again with the same arguments, it goes on where it was interrupted, or returns the student.
    """
    folder = Path(to)
    if isinstance(texts, (str, os.PathLike)):
        uri = os.fspath(texts)
    else:
        uri = str(folder / "texts.jsonl")
        _write(Path(uri), "".join(json.dumps({"text": _checked(text, row)}) + "\n" for row, text in enumerate(texts)))
    sections: dict[str, Any] = {
        "name": folder.name,
        "teacher": {"source": os.fspath(teacher), "precision": "int8"},
    }
    sections["text"] = {"source": [{"uri": uri}]}
    for name, section in recipe.items():
        is_table = isinstance(section, Mapping) and isinstance(sections.get(name), dict)
        sections[name] = {**sections[name], **section} if is_table else section
    path = folder / "distil.toml"
    _write(path, "".join(_table(sections)))
    run(path, runs=folder.parent, quiet=quiet)
    return Student.load(folder / "exports" / "student.int8.limbeck")


def evaluate(model: Student | str | os.PathLike[str], *, quiet: bool = True, **options: Any) -> dict[str, Any]:
    """Scores a model as `limbeck evaluate` does, and returns its figures.

    Keywords are the command's options: `sts=["stsb.tsv"]`, `retrieval="scifact"`, `classification=...`,
    `clustering=...`, `teacher=..., fidelity=...`. A value is a path or a list of them, or True for a switch.
    """
    place = model.path if isinstance(model, Student) else os.fspath(model)
    if place is None:
        raise ValueError("a student of bytes has no path\nhint: write the bytes to a file and load that")
    arguments = ["evaluate", "--model", place, "--json"]
    for name, value in options.items():
        if value is None or value is False:
            continue
        arguments.append("--" + name.replace("_", "-"))
        values = [] if value is True else value if isinstance(value, (list, tuple)) else [value]
        arguments += [os.fspath(each) if isinstance(each, os.PathLike) else str(each) for each in values]
    figures: dict[str, Any] = json.loads(_start(arguments, quiet).splitlines()[-1])
    return figures


def fetch(uri: str) -> str:
    """Brings an asset to this machine, as `limbeck fetch` does, and returns its path."""
    return _start(["fetch", uri], quiet=False).splitlines()[-1]


def _start(arguments: list[str], quiet: bool) -> str:
    """Runs the command and returns what it prints. Progress goes to stderr, as the command's own lines."""
    # In a session of its own the command gets Ctrl-C once, from here, in a terminal and in a notebook alike.
    process = subprocess.Popen(
        [command(), "--log", "json", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=os.name == "posix",
    )
    failure: dict[str, Any] = {}
    interrupted = False
    with _Reader(process.stdout) as printed:
        while True:
            try:
                for line in process.stderr or ():
                    failure = _told(line, quiet) or failure
                code = process.wait()
                break
            except KeyboardInterrupt:
                # The command writes a checkpoint and ends; a second Ctrl-C ends it at once.
                process.send_signal(signal.SIGKILL if interrupted else signal.SIGINT)
                interrupted = True
    if interrupted:
        raise KeyboardInterrupt(failure.get("message", "interrupted"))
    if code != 0:
        message = failure.get("message", f"limbeck {arguments[0]} ended with the code {code}")
        error = CommandError(message, failure.get("hint"))
        if code == USAGE:
            raise ValueError(str(error))
        if failure.get("missing_file"):
            raise FileNotFoundError(str(error))
        raise error
    return printed.text


class _Reader:
    """Reads what the command prints, beside what it tells."""

    def __init__(self, stream: Any) -> None:
        from threading import Thread

        self.text, self._stream = "", stream
        self._thread = Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        self.text = self._stream.read()

    def __enter__(self) -> _Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()


def _told(line: str, quiet: bool) -> dict[str, Any] | None:
    """Shows a line of the command's log; returns its error."""
    try:
        event: dict[str, Any] = json.loads(line)
    except ValueError:
        # Of the arguments' parser, which knows no log: "error: ...".
        text = line.strip()
        return {"message": text.removeprefix("error: ")} if text.startswith("error: ") else None
    if event.get("event") == "error":
        return event
    if not quiet and event.get("event") in ("begin", "note"):
        print(event.get("text") or event.get("stage"), file=sys.stderr)
    return None


def _must_exist(path: str | os.PathLike[str]) -> None:
    if not os.path.exists(path):
        raise FileNotFoundError(f"{os.fspath(path)}: there is no such file")


def _checked(text: Any, row: int) -> str:
    if not isinstance(text, str):
        raise TypeError(f"row {row} is of type {type(text).__name__}, not str")
    # A lone surrogate has no UTF-8.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _write(path: Path, text: str) -> None:
    """Writes a file, whole or not at all; one of the same content stays untouched, so that a run goes on with it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    if path.is_file() and path.read_bytes() == data:
        return
    beside = path.with_name(path.name + ".tmp")
    beside.write_bytes(data)
    os.replace(beside, path)


def _table(sections: Mapping[str, Any]) -> Iterable[str]:
    # Plain values first: in TOML they would belong to the table above them.
    for name, value in sorted(sections.items(), key=lambda item: isinstance(item[1], Mapping)):
        if isinstance(value, Mapping):
            yield f"\n[{toml(name)}]\n"
            yield from (f"{toml(key)} = {toml(each)}\n" for key, each in value.items())
        else:
            yield f"{toml(name)} = {toml(value)}\n"
