"""What is done with a trained network: key points, matches, and crops in chips."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable, Optional, Union

from . import _program
from ._program import PathLike, several


@dataclass(frozen=True)
class Found:
    """A place of a query in a chip.

    ``matrix_px`` takes pixel centers of the query (x right, y down, the first is 0, 0) to those of the chip's picture, ``matrix_um`` to µm
    where those are known. Of answers with a ``score`` of 0.9, nine in ten are right.
    """

    chip: str
    matrix_px: list[list[float]]
    matrix_um: Optional[list[list[float]]]
    corners_px: list[list[float]]
    turn_deg: float
    scale: float
    mirrored: bool
    inliers: int
    score: float


@dataclass(frozen=True)
class Query:
    """A query with the places where it was found, the best first."""

    query: str
    ms: int
    found: list[Found]


@dataclass(frozen=True)
class Match:
    """Matches of two pictures: ``[x in A, y in A, x in B, y in B, similarity]``, those that agree first, ``inliers`` of them.

    ``matrix_px`` takes pixel centers of A to those of B; `None` where there is no move that enough matches agree with.
    """

    a: str
    b: str
    matches: list[list[float]]
    inliers: int
    matrix_px: Optional[list[list[float]]]


@dataclass(frozen=True)
class Prediction:
    """What a network makes of a picture: key points with scores and descriptors, or the maps that it exports.

    With numpy ``keypoints`` is (N, 2), ``scores`` (N), ``descriptors`` (N, C) and each map (C, rows, columns); without it there are lists of
    key points and scores alone.
    """

    picture: str
    size_px: tuple[int, int]
    keypoints: Any = None
    scores: Any = None
    descriptors: Any = None
    maps: Optional[dict[str, Any]] = None


def _drawn(layers: Union[str, Iterable[str], None], resolution: Optional[float]) -> list[str]:
    args = []
    if layers is not None:
        args += ["--layers", layers if isinstance(layers, str) else ",".join(layers)]
    if resolution is not None:
        args += ["--resolution", str(resolution)]
    return args


def find(
    queries: Union[PathLike, Iterable[PathLike]],
    chips: Union[PathLike, Iterable[PathLike]],
    *,
    run: Optional[PathLike] = None,
    all: bool = False,
    least: Optional[float] = None,
    layers: Union[str, Iterable[str], None] = None,
    resolution: Optional[float] = None,
    index: Optional[PathLike] = None,
    out: Optional[PathLike] = None,
) -> list[Query]:
    """Where crops lie in chips: by the network of a run, or without one by that which comes with rord.

    ``queries`` are pictures, folders of them, ``"x0,y0,x1,y1"`` in µm of the chip, or ``"cell:NAME"``; ``all`` gives every place and not the
    best alone.
    """
    args: list[PathLike] = ["find", *([] if run is None else [run]), "--query", *several(queries), "--in", *several(chips)]
    args += _drawn(layers, resolution) + (["--all"] if all else [])
    for option, value in [("--least", least), ("--index", index), ("--out", out)]:
        if value is not None:
            args += [option, str(value)]
    answer = _program.object_of(args)
    return [Query(q["query"], q["ms"], [_found(f) for f in q["found"]]) for q in answer["queries"]]


def _found(known: dict[str, Any]) -> Found:
    values: dict[str, Any] = {key: known.get(key) for key in Found.__dataclass_fields__ if key != "chip"}
    return Found(chip=known["in"], **values)


def export(to: str, out: PathLike, *, run: Optional[PathLike] = None) -> Path:
    """Writes the network of a run, or the one that comes with rord, as a file of ``"onnx"`` or a folder of ``"torch"``."""
    _program.call(["export", *([] if run is None else [run]), "--to", to, "--out", out])
    return Path(out)


def match(
    run: PathLike,
    a: PathLike,
    b: PathLike,
    *,
    move: Optional[str] = None,
    within: Optional[float] = None,
    upright: bool = False,
    out: Optional[PathLike] = None,
) -> Match:
    """The matches of two pictures and the move between them: ``"similarity"``, ``"affine"`` or ``"homography"``."""
    args: list[PathLike] = ["match", run, a, b] + (["--upright"] if upright else [])
    for option, value in [("--move", move), ("--within", within), ("--out", out)]:
        if value is not None:
            args += [option, str(value)]
    answer = _program.object_of(args)
    return Match(**{key: answer[key] for key in Match.__dataclass_fields__})


def predict(
    run: PathLike,
    pictures: Union[PathLike, Iterable[PathLike]],
    *,
    dense: bool = False,
    keep: Optional[int] = None,
    least: Optional[float] = None,
    layers: Union[str, Iterable[str], None] = None,
    resolution: Optional[float] = None,
) -> list[Prediction]:
    """What a network makes of pictures and layouts, one each: its key points, or with ``dense`` its maps."""
    numpy: Any
    try:
        import numpy
    except ImportError:
        numpy = None
    made = []
    for picture in several(pictures):
        args: list[PathLike] = ["predict", run, "--in", picture, *_drawn(layers, resolution)] + (["--dense"] if dense else [])
        for option, value in [("--keep", keep), ("--least", least)]:
            if value is not None:
                args += [option, str(value)]
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "out.npz"
            if numpy is not None:
                args += ["--out", file]
            known = json.loads(_program.call([*args, "--format", "json"]))["pictures"][0]
            arrays = {} if numpy is None else dict(numpy.load(file))
        size = (known["size_px"][0], known["size_px"][1])
        if "keypoints" in known:
            found = {name: arrays.get(name, known.get(name)) for name in ("keypoints", "scores", "descriptors")}
            found["descriptors"] = arrays.get("descriptors")
            made.append(Prediction(known["in"], size, **found))
        else:
            made.append(Prediction(known["in"], size, maps=arrays or known.get("maps")))
    return made
