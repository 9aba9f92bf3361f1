"""The published formulas, by what they train: see tests/golden/papers.py."""
