"""The program itself: where it is, how it is called, and what is raised where it refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Optional, Union

#: A path as a text or as a `Path`.
PathLike = Union[str, "os.PathLike[str]"]


class Refused(Exception):
    """The program refused: ``str()`` is its report as it is printed, ``code`` its exit code, ``command`` what was called."""

    def __init__(self, text: str, code: int, command: list[str]):
        super().__init__(text.strip() or f"rord-run ended with {code}")
        self.text, self.code, self.command = text, code, command

    @property
    def reports(self) -> list[str]:
        """The numbers of the reports in it: ``["R0501"]``; `rord-run explain R0501` prints a page of each."""
        lines = (line.strip() for line in self.text.splitlines())
        return [line for line in lines if len(line) == 5 and line[0] == "R" and line[1:].isdigit()]


def program() -> str:
    """The path of `rord-run`: of the variable ``RORD_RUN``, else what was installed with this package, else the first on the path."""
    given = os.environ.get("RORD_RUN")
    if given:
        return given
    name = "rord-run.exe" if sys.platform == "win32" else "rord-run"
    places = [Path(sysconfig.get_path("scripts")), Path(sys.executable).parent]
    for place in places:
        if (place / name).is_file():
            return str(place / name)
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is neither in {places[0]} nor on the path; name it in the variable RORD_RUN")
    return found


def version() -> str:
    """The version of the program: ``"0.1.0"``."""
    return call(["--version"]).split()[-1]


def call(args: Iterable[PathLike], *, allowed: Iterable[int] = (0,)) -> str:
    """Calls the program and returns what it prints."""
    command, environment = _command(args)
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment)
    if done.returncode not in allowed:
        raise Refused(done.stderr or done.stdout, done.returncode, command)
    return done.stdout


def follow(args: Iterable[PathLike], hear: Callable[[str], None]) -> str:
    """Calls what trains; ``hear`` gets each line as it comes. Returns all that was said.

    What is said before it has begun is held back: where it does not begin, that is the report which is raised.
    """
    command, environment = _command(args)
    lines: list[str] = []
    beside: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environment
    ) as running:
        out, err = running.stdout, running.stderr
        assert out is not None and err is not None

        def listen() -> None:
            begun = False
            for line in err:
                beside.append(line)
                if begun:
                    hear(line.rstrip("\n"))
                elif line.startswith(BEGUN):
                    begun = True
                    for before in beside:
                        hear(before.rstrip("\n"))

        # Both are read at once, so that neither pipe fills up.
        listener = threading.Thread(target=listen)
        listener.start()
        try:
            for line in out:
                lines.append(line)
                hear(line.rstrip("\n"))
        except BaseException:
            # It ends as it does on Ctrl-C: after its step, with its state kept.
            running.terminate()
            raise
        finally:
            listener.join()
    if running.returncode != 0:
        raise Refused("".join(beside) or "".join(lines), running.returncode, command)
    return "".join(beside + lines)


#: What a run says once it has begun, before its folder.
BEGUN = "writing to "


def _command(args: Iterable[PathLike]) -> tuple[list[str], dict[str, str]]:
    return [program(), *(os.fspath(a) for a in args)], {**os.environ, "NO_COLOR": "1"}


def object_of(args: Iterable[PathLike]) -> Any:
    """What the program answers with `--format json`."""
    return json.loads(call([*args, "--format", "json"]))


def changes(preset: Optional[str], params: Mapping[str, Any]) -> list[str]:
    """The arguments that change a pipeline from outside."""
    args = [] if preset is None else ["--preset", preset]
    for name, value in params.items():
        args += ["--set", f"{name}={literal(value)}"]
    return args


def literal(value: Any) -> str:
    """A value as the language writes it; texts are taken as they are, as on the command line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, os.PathLike):
        return json.dumps(os.fspath(value))
    if isinstance(value, (list, tuple)):
        inner = (json.dumps(v) if isinstance(v, str) else literal(v) for v in value)
        return f"[{', '.join(inner)}]"
    return str(value)


def several(paths: Union[PathLike, Iterable[PathLike]]) -> list[str]:
    """One path or many, as a list."""
    if isinstance(paths, (str, os.PathLike)):
        return [os.fspath(paths)]
    return [os.fspath(p) for p in paths]
