# Commands for working on limbeck; `just` lists them.

default:
    @just --list

# What CI runs: formatting, lints, tests
check:
    .ci/run

# All tests
test *FILTER:
    cargo test --release --workspace {{ FILTER }}

# Formatting and lints alone
lint:
    cargo fmt --all --check
    cargo clippy --release --workspace --all-targets -- -D warnings

# Licences, sources and banned crates of the dependencies (cargo install cargo-deny)
deny:
    cargo deny check bans licenses sources

# The documentation of the crates
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# From nothing to a measured student
quickstart:
    cargo run --release -- run pipelines/quickstart.toml

# The pictures of the README, from the quick start's report
pictures: quickstart
    cargo run --release --example pictures -- runs/quickstart/report.html docs

# Every crate as it would be published
package:
    cargo package --workspace --no-verify
