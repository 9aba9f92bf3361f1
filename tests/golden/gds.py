"""Compares how GDSII files that are not quite right are read with how gdstk and KLayout read them.

    python tests/golden/gds.py

It runs the unit tests in src/layouts/gds/tests/lenient.rs, which write each file under a name with the line of the
test, the number of polygons and their area in square units. Prints the lines where neither tool, or only one, agrees.
Each tool runs in a process of its own: some files end it.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

GDSTK = """
import gdstk, sys
polygons = [p for top in gdstk.read_gds(sys.argv[1]).top_level() for p in top.get_polygons()]
library = gdstk.gds_units(sys.argv[1])
print(len(polygons), round(sum(p.area() for p in polygons) * (library[0] / library[1]) ** 2, 3))
"""

KLAYOUT = """
import klayout.db, sys
layout = klayout.db.Layout()
layout.read(sys.argv[1])
areas = []
for top in layout.top_cells():
    for layer in layout.layer_indexes():
        shapes = top.begin_shapes_rec(layer)
        while not shapes.at_end():
            if not shapes.shape().is_text():
                polygon = shapes.shape().dpolygon.transformed(klayout.db.DCplxTrans(shapes.dtrans()))
                areas.append(polygon.area() / layout.dbu**2)
            shapes.next()
print(len(areas), round(sum(areas), 3))
"""


def found(program: str, path: pathlib.Path) -> str:
    """Polygons and area, or `refused`."""
    run = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, timeout=300)
    lines = run.stdout.splitlines()
    return lines[-1] if run.returncode == 0 and lines else "refused"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = ["cargo", "test", "-q", "-p", "rord-layouts", "--lib", "lenient"]
        subprocess.run(command, env=os.environ | {"RORD_LENIENT": folder}, check=True, stdout=subprocess.DEVNULL)
        both = 0
        for path in sorted(pathlib.Path(folder).iterdir()):
            line, _, polygons, area = path.stem.split("-")
            ours = f"{polygons} {float(area)}"
            tools = {"gdstk": found(GDSTK, path), "KLayout": found(KLAYOUT, path)}
            both += all(tool == ours for tool in tools.values())
            for name, theirs in tools.items():
                if theirs != ours:
                    print(f"lenient.rs:{line}: {ours}, {name}: {theirs}")
        print(f"{both} files as both read them")


if __name__ == "__main__":
    main()
