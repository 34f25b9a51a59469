#!/usr/bin/env bash
# Makes .venv and .venv-onnx from the pinned versions, builds the Rust side and fetches potion-base-2M; `setup.sh PYTHON`
# uses another interpreter.
set -euo pipefail
cd "$(dirname "$0")"

for name in "" -onnx; do
    "${1:-python3}" -m venv ".venv$name"
    ".venv$name/bin/pip" install --quiet --disable-pip-version-check -r "requirements$name.txt"
done
cargo build --release --locked --manifest-path rust/Cargo.toml

# A crate holds the Model2Vec folder potion-base-2M.
crate=$(mktemp)
trap 'rm -f "$crate"' EXIT
curl --fail --silent --show-error --location --output "$crate" https://static.crates.io/crates/yantrikdb/yantrikdb-0.7.13.crate
echo "dd116b455468c5a5be1197bccf4c0c99feceef12a967647634eea0fde06824e0  $crate" | sha256sum --check --quiet
tar --extract --gzip --file "$crate" --strip-components=2 yantrikdb-0.7.13/assets/potion-base-2M
