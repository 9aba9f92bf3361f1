"""Reads a marker database that `rord-run find` wrote with KLayout's own Python module, and compares places with the JSON of the same run.

    rord-run find RUN --query cell:NAME --in CHIP --all --out found.lyrdb --format json > found.json
    python -m venv venv && venv/bin/pip install klayout
    venv/bin/python benches/find/markers.py found.lyrdb found.json [CHIP CELL]

Every answer has a marker with the same corners to 1 nm, in the category of its query and in the drawn cell. With a chip and a cell,
KLayout's own list of the instances of the cell is compared with the markers too: how many there are, how many a marker meets.
"""

import json
import sys

import klayout.db as db
import klayout.rdb as rdb

NEAR = 1e-3


def corners_of(answer):
    """The corners of the query in µm, from pixel corners through both matrices."""
    px, um = answer["matrix_px"], answer["matrix_um"]
    (a, b, c), (d, e, f) = px
    det = a * e - b * d
    back = lambda x, y: ((e * (x - c) - b * (y - f)) / det, (a * (y - f) - d * (x - c)) / det)
    take = lambda m, x, y: tuple(row[0] * x + row[1] * y + row[2] for row in m)
    return [take(um, *back(x, y)) for x, y in answer["corners_px"]]


def markers(path):
    base = rdb.ReportDatabase("found")
    base.load(path)
    found = []
    for item in base.each_item():
        category, cell = base.category_by_id(item.category_id()), base.cell_by_id(item.cell_id())
        polygon = next(v.polygon() for v in item.each_value() if v.is_polygon())
        found.append((category.name(), cell.name(), polygon))
    return base, found


def main(lyrdb, found, chip=None, cell=None):
    base, marks = markers(lyrdb)
    answers = [(q["query"], a) for q in json.load(open(found))["queries"] for a in q["found"] if a["matrix_um"]]
    print(f"{base.num_items()} markers, {len(answers)} answers")
    assert base.num_items() == len(answers), "a marker for every answer"
    left = list(marks)
    for query, answer in answers:
        wanted = corners_of(answer)
        meets = lambda m: m[1] == answer["top"] and all(min(abs(p.x - x) + abs(p.y - y) for p in m[2].each_point_hull()) < NEAR for x, y in wanted)
        at = next((k for k, m in enumerate(left) if meets(m)), None)
        assert at is not None, f"no marker for {query} at {wanted}"
        assert left.pop(at)[0] == query, "the marker has the category of its query"
    print("every answer has its marker")
    if chip:
        layout = db.Layout()
        layout.read(chip)
        top = layout.cell(marks[0][1]) if marks else layout.top_cell()
        places = db.RecursiveInstanceIterator(layout, top)
        places.targets = [layout.cell(cell).cell_index()]
        middles = [(e.dtrans() * e.inst_dtrans() * layout.cell(cell).dbbox()).center() for e in places.each()]
        near = layout.cell(cell).dbbox().height() / 3
        met = sum(any(m[2].bbox().center().distance(p) < near for m in marks) for p in middles)
        print(f"{len(middles)} instances of {cell}, a marker on {met}")


main(*sys.argv[1:])
