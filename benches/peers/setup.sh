#!/usr/bin/env bash
# Makes .venv and .venv-onnx from the pinned versions and builds the Rust side; `setup.sh PYTHON` uses another interpreter.
set -euo pipefail
cd "$(dirname "$0")"

for name in "" -onnx; do
    "${1:-python3}" -m venv ".venv$name"
    ".venv$name/bin/pip" install --quiet --disable-pip-version-check -r "requirements$name.txt"
done
cargo build --release --locked --manifest-path rust/Cargo.toml
