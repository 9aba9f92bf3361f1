# What is done often. `just` alone lists the recipes.

[private]
default:
    @just --list

# Format and lint
check:
    cargo fmt --all --check
    cargo clippy --release --workspace --all-targets -- -D warnings

# Lay out the sources and the pipelines
fmt:
    cargo fmt --all
    cargo run --release -- fmt pipelines/*.rord pipelines/lib/*.rord benches/*.rord src/ops/std/*.rord

# Test the language and the graph alone: no tensors to build
front:
    cargo test --release -p rord-lang -p rord-graph -p rord-files

# Test everything
test:
    cargo test --release

# Train for a few seconds, into a new folder under runs/
smoke:
    cargo run --release -- pipelines/default.rord --preset smoke

# Draw the pairs that the network will see
pairs png="pairs.png":
    cargo run --release -- data pipelines/default.rord --png {{png}}

# Write the pages of the manual that come from the code
manual:
    INSTA_UPDATE=always cargo test --release --test program docs

# Read the manual as a book; needs mdbook
book:
    mdbook serve docs --open

# Build Python's wheel and test it in a fresh virtual environment; needs maturin
wheel:
    python/try.sh

# Compare exported networks with ONNX Runtime and PyTorch; the script's head says what it needs
exported:
    python3 benches/export/check.py

# Run what guards every change
ci:
    .ci/run
