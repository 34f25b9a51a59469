"""Builds limbeck's wheel and sdist: maturin builds the module, and this file adds the command `limbeck`.

The wheel's folder `limbeck.data/scripts` holds the command, as the wheels of ruff and uv do. `LIMBECK_COMMAND` names a
command that is built already.
"""

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import maturin

PYTHON = Path(__file__).resolve().parent
ROOT = PYTHON.parent
SCRIPTS = PYTHON / "limbeck.data" / "scripts"
# The student in the box lies in the crate, and the package carries it too.
POCKET = ROOT / "encoder" / "pocket" / "student.limbeck"
# What the command and the module are built from.
SOURCES = ["Cargo.toml", "Cargo.lock", "LICENSE", "README.md", "build.rs", "clippy.toml", "rustfmt.toml"]
SOURCES += [
    "src",
    "encoder",
    "fold",
    "data",
    "onnx",
    "training",
    "teacher",
    "student",
    "serve",
    "python",
    "benches",
    "pipelines",
]


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = "limbeck.exe" if os.name == "nt" else "limbeck"
    built = os.environ.get("LIMBECK_COMMAND")
    if built is None:
        command = ["cargo", "build", "--release", "--locked", "--package", "limbeck", "--bin", "limbeck"]
        subprocess.run(command, cwd=ROOT, check=True)
        built = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / name
    SCRIPTS.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(built, SCRIPTS / name)
    (SCRIPTS / name).chmod(0o755)
    if shutil.which("strip"):
        subprocess.run(["strip", SCRIPTS / name], check=True)
    shutil.copyfile(POCKET, PYTHON / "limbeck" / "pocket.limbeck")
    os.environ.setdefault("MATURIN_PEP517_ARGS", "--strip --locked")
    return _in_python(maturin.build_wheel, str(Path(wheel_directory).resolve()), config_settings, metadata_directory)


def build_sdist(sdist_directory, config_settings=None):
    """The workspace as git tracks it, without documents, recipes and golden values."""
    files = subprocess.run(["git", "ls-files", "-z", "--", *SOURCES], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    paths = sorted(path for path in files.stdout.decode().split("\0") if path)
    version = _version()
    name = f"limbeck-{version}"
    project = (PYTHON / "pyproject.toml").read_text(encoding="utf-8")
    project = project.replace('backend-path = ["."]', 'backend-path = ["python"]')
    project = project.replace('dynamic = ["version"]', f'version = "{version}"')
    about = (PYTHON / "README.md").read_text(encoding="utf-8")
    description = f"Metadata-Version: 2.1\nName: limbeck\nVersion: {version}\nRequires-Python: >=3.10\n"
    description += "Requires-Dist: numpy>=1.23\nDescription-Content-Type: text/markdown\n\n" + about
    target = Path(sdist_directory) / f"{name}.tar.gz"
    with tarfile.open(target, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for path in paths:
            archive.add(ROOT / path, f"{name}/{path}", recursive=False)
        for path, text in [("pyproject.toml", project), ("PKG-INFO", description)]:
            entry = tarfile.TarInfo(f"{name}/{path}")
            data = text.encode()
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return target.name


def get_requires_for_build_wheel(config_settings=None):
    return _in_python(maturin.get_requires_for_build_wheel, config_settings)


def get_requires_for_build_sdist(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    SCRIPTS.mkdir(parents=True, exist_ok=True)
    return _in_python(
        maturin.prepare_metadata_for_build_wheel, str(Path(metadata_directory).resolve()), config_settings
    )


def _version():
    """The workspace's version, which all its packages have."""
    lines = (ROOT / "Cargo.toml").read_text(encoding="utf-8").splitlines()
    lines = lines[lines.index("[workspace.package]") :]
    return next(line.split('"')[1] for line in lines if line.startswith("version"))


def _in_python(function, *arguments):
    """Calls a function of maturin in `python/`, whose pyproject.toml it reads."""
    before = os.getcwd()
    os.chdir(PYTHON)
    try:
        return function(*arguments)
    finally:
        os.chdir(before)
