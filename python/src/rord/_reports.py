"""What is wrong with a pipeline, as data."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from . import _program
from ._program import PathLike


@dataclass(frozen=True)
class _Place:
    """A part of a file with a text: line and column from 1, ``start`` and ``end`` bytes from 0."""

    file: str
    line: int
    column: int
    start: int
    end: int
    text: str


class Label(_Place):
    """A place with what is to be said about it: line and column from 1, ``start`` and ``end`` bytes from 0."""


class Edit(_Place):
    """A change of the text: ``text`` takes the place of the bytes from ``start`` to ``end``."""


@dataclass(frozen=True, repr=False)
class Report:
    """A report: its number, ``error``, ``warning`` or ``advice``, what is wrong, where, and what to do."""

    code: str
    severity: str
    title: str
    labels: tuple[Label, ...]
    help: Optional[str]
    edits: tuple[Edit, ...]
    page: str
    certain: bool

    def __repr__(self) -> str:
        """In a line, as a list of them is shown where it is the last value of a notebook's cell."""
        at = f" at {self.labels[0].file}:{self.labels[0].line}:{self.labels[0].column}" if self.labels else ""
        return f"<{self.severity} {self.code}: {self.title}{at}>"

    def __str__(self) -> str:
        place = f"{self.labels[0].file}:{self.labels[0].line}:{self.labels[0].column}: " if self.labels else ""
        return f"{place}{self.severity} {self.code}: {self.title}" + (f"\n  {self.help}" if self.help else "")


def check(
    text: str, *, name: str = "pipeline.rord", folder: Optional[PathLike] = None, preset: Optional[str] = None, **params: Any
) -> list[Report]:
    """The reports on a pipeline's text, in its order; an empty list where there is nothing to say.

    Imports are looked for in ``folder``. ``params`` are changed from outside, as by `--set`.
    """
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / name
        if folder is not None:
            # Beside the others, so that its imports are found.
            file = Path(folder) / f".{Path(place).name}.rord"
        try:
            file.write_text(text, encoding="utf-8")
            args: list[PathLike] = ["check", file, "--format", "json", *_program.changes(preset, params)]
            lines = _program.call(args, allowed=(0, 1)).splitlines()
        finally:
            file.unlink()
    return [_report(json.loads(line), str(file), name) for line in lines if line.startswith("{")]


def _report(known: dict[str, Any], path: str, name: str) -> Report:
    def place(kind: Any, at: dict[str, Any]) -> Any:
        values = {key: at[key] for key in kind.__dataclass_fields__}
        values["file"] = name if values["file"] == path else values["file"]
        return kind(**values)

    return Report(
        code=known["code"],
        severity=known["severity"],
        title=known["title"],
        labels=tuple(place(Label, at) for at in known["labels"]),
        help=known["help"],
        edits=tuple(place(Edit, at) for at in known["edits"]),
        page=known["page"],
        certain=known["certain"],
    )
