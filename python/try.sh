#!/usr/bin/env bash
# Builds the wheel, installs it into a fresh virtual environment, and runs its tests there. Needs maturin, and nothing from the network.
set -euo pipefail
cd "$(dirname "$0")"
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
maturin build --release --offline --out "$place/wheels"
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-index --no-deps "$place"/wheels/rord-*.whl
ls -l "$place"/wheels
# The tests are run outside of the source, so that it is the wheel that is imported.
cd "$place"
"$place/venv/bin/python" -m unittest discover -s "$OLDPWD/tests"
