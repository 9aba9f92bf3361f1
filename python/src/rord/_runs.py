"""Runs: trained, loaded, looked at."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterable, Optional, Union

from . import _program, _use
from ._program import PathLike

if TYPE_CHECKING:
    import pandas


class Run:
    """The folder of a run.

    In a notebook it shows its report where there is one, else a table of its validations.
    """

    def __init__(self, folder: PathLike):
        self.folder = Path(folder)
        if not (self.folder / "run.yaml").is_file():
            raise FileNotFoundError(f"{self.folder} is no run: it has no run.yaml")

    def __repr__(self) -> str:
        return f"rord.load({str(self.folder)!r})"

    def __fspath__(self) -> str:
        return str(self.folder)

    @property
    def text(self) -> str:
        """The pipeline that was run."""
        return (self.folder / "pipeline.rord").read_text(encoding="utf-8")

    @property
    def params(self) -> dict[str, str]:
        """Its parameters, as the language writes them: ``{"lr": "1e-3", "patch": "64px"}``."""
        lines = (self.folder / "params.yaml").read_text(encoding="utf-8").splitlines()
        pairs = (line.partition(": ") for line in lines if ": " in line and not line.startswith(("#", " ")))
        return {name: re.sub(r"\s{3}#\s.*$", "", value) for name, _, value in pairs}

    @property
    def status(self) -> str:
        """``finished``, ``interrupted`` and so on."""
        found = re.search(r"^status: (.*)$", (self.folder / "run.yaml").read_text(encoding="utf-8"), re.M)
        return found.group(1) if found else ""

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """What was reported: an entry for each step (``split`` is ``train``) and each validation (``val``), and for each epoch
        how its terms are (``figures``); a finding is ``health``."""
        file = self.folder / "metrics.jsonl"
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        return [json.loads(line) for line in lines if line]

    def split(self, name: str) -> list[dict[str, Any]]:
        """The entries of ``train``, ``val``, ``figures`` or ``health``."""
        return [entry for entry in self.metrics if entry.get("split") == name]

    def frame(self, split: Optional[str] = None) -> pandas.DataFrame:
        """The same as a table; needs pandas."""
        import pandas

        return pandas.DataFrame(self.metrics if split is None else self.split(split))

    @property
    def weights(self) -> Path:
        """The file of its best weights, else of the last."""
        best = self.folder / "best.safetensors"
        return best if best.is_file() else self.folder / "last.safetensors"

    def eval(self, **params: Any) -> dict[str, Any]:
        """Losses and metrics on the validation data: ``{"losses": {…}, "metrics": {…}}``."""
        answer: dict[str, Any] = _program.object_of(["eval", self.folder, *_program.changes(None, params)])
        return answer

    def predict(self, pictures: Union[PathLike, Iterable[PathLike]], **options: Any) -> list[_use.Prediction]:
        """See :func:`rord.predict`."""
        return _use.predict(self.folder, pictures, **options)

    def match(self, a: PathLike, b: PathLike, **options: Any) -> _use.Match:
        """See :func:`rord.match`."""
        return _use.match(self.folder, a, b, **options)

    def find(
        self, queries: Union[PathLike, Iterable[PathLike]], chips: Union[PathLike, Iterable[PathLike]], **options: Any
    ) -> list[_use.Query]:
        """See :func:`rord.find`."""
        return _use.find(queries, chips, run=self.folder, **options)

    def export(self, to: str, out: PathLike) -> Path:
        """Writes the network as a file of ``"onnx"`` or a folder of ``"torch"``."""
        return _use.export(to, out, run=self.folder)

    def report(self) -> Optional[Path]:
        """The file of its report, which is made where the program makes such; else `None`."""
        file = self.folder / "report.html"
        if not file.is_file():
            try:
                _program.call(["report", self.folder])
            except (_program.Refused, OSError):
                return None
        return file if file.is_file() else None

    def _repr_html_(self) -> str:
        file = self.report()
        if file is not None:
            page = html.escape(file.read_text(encoding="utf-8"), quote=True)
            return f'<iframe srcdoc="{page}" sandbox="allow-scripts" style="width: 100%; height: 40em; border: 0"></iframe>'
        return self._table()

    def _table(self) -> str:
        rows = self.split("val") or self.metrics[-10:]
        names = list(dict.fromkeys(name for row in rows for name in row if name != "split"))

        def cell(value: Any) -> str:
            return html.escape(f"{value:.5g}" if isinstance(value, float) else "" if value is None else str(value))

        head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
        body = "".join("<tr>" + "".join(f"<td>{cell(row.get(name))}</td>" for name in names) + "</tr>" for row in rows)
        caption = html.escape(f"{self.folder} ({self.status})")
        return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def load(run: PathLike) -> Run:
    """The run in a folder."""
    return Run(run)


def train(
    path: PathLike,
    *,
    out: Optional[PathLike] = None,
    preset: Optional[str] = None,
    init: Optional[PathLike] = None,
    threads: Optional[int] = None,
    quiet: bool = False,
    **params: Any,
) -> Run:
    """Trains a pipeline and returns its run; ``params`` are changed from outside, as by `--set`.

    What it prints is printed as it comes unless ``quiet``. Raises :class:`rord.Refused` where the pipeline or its data is refused. A
    parameter that has the name of an argument here (``out``, ``init``, …) is set by a preset of the pipeline.
    """
    args: list[PathLike] = ["train", path, *_program.changes(preset, params)]
    for option, value in [("--out", out), ("--init", init), ("--threads", threads)]:
        if value is not None:
            args += [option, str(value)]
    said = _program.follow(args, (lambda line: None) if quiet else print)
    found = re.search(rf"^{_program.BEGUN}(.+)$", said, re.M)
    if found is None:
        raise RuntimeError(f"the program does not say where the run is:\n{said}")
    return Run(found.group(1))
