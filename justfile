# What is done often. `just` alone lists the recipes.

[private]
default:
    @just --list

# Format and lint
check:
    cargo fmt --check
    cargo clippy --release --all-targets -- -D warnings

# Lay out the sources and the pipelines
fmt:
    cargo fmt
    cargo run --release -- fmt pipelines/*.rord pipelines/lib/*.rord benches/*.rord src/ops/std/*.rord

# Test the language, the checker and the graph: no tensors, seconds to build
front:
    cargo test --release --no-default-features

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
    INSTA_UPDATE=always cargo test --release --no-default-features --test docs

# Read the manual as a book; needs mdbook
book:
    mdbook serve docs --open

# What guards every change
ci:
    .ci/run
