"""Networks for local features in chip layouts: the program ``rord-run`` from Python.

    run = rord.train("mine.rord", preset="smoke", lr=3e-4)
    run.frame("val")
    rord.find("crop.png", "chip.gds.gz")

Everything is done by the program, which comes with the package; this module calls it and reads its JSON. What it refuses is raised
as :class:`Refused`, with the text that the program prints.
"""

from ._program import Refused, program, version
from ._reports import Edit, Label, Report, check
from ._runs import Run, load, train
from ._use import Found, Match, Prediction, Query, export, find, match, predict

__all__ = [
    "Edit",
    "Found",
    "Label",
    "Match",
    "Prediction",
    "Query",
    "Refused",
    "Report",
    "Run",
    "check",
    "export",
    "find",
    "load",
    "match",
    "predict",
    "program",
    "train",
    "version",
]
