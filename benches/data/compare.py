#!/usr/bin/env python3
"""Layouts read and drawn, beside gdstk and OpenCV: milliseconds for each file, and how many times as long they take.

    python benches/data/compare.py ../shared/data/gds/sky130/*.gds.gz [--threads 2]

It needs gdstk, OpenCV and a quiet machine. Five layers of sky130 at 10 pixels per µm. gdstk unpacks, reads and flattens; OpenCV draws each
polygon, smoothed, at sixteenths of a pixel, because at once it would leave out what two polygons share. rord does what the first run does
that meets a file: it reads, draws the exact coverage of each pixel, packs it and writes it to the cache.
"""

import argparse
import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import gdstk
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
LAYERS = [(67, 20), (68, 20), (69, 20), (66, 20), (65, 20)]
RESOLUTION = 10


def read(path):
    """The flat polygons of each layer, and the bounds of the layout, in µm."""
    with tempfile.NamedTemporaryFile(suffix=".gds") as plain:
        if path.endswith(".gz"):
            with gzip.open(path) as packed:
                plain.write(packed.read())
            plain.flush()
            path = plain.name
        library = gdstk.read_gds(path)
    top = library.top_level()[0]
    polygons = [top.get_polygons(layer=layer, datatype=datatype) for layer, datatype in LAYERS]
    (x0, y0), (x1, y1) = top.bounding_box()
    return polygons, (x0, y0, x1, y1)


def draw(polygons, bounds):
    x0, y0, x1, y1 = bounds
    width, height = (int(np.ceil(side * RESOLUTION - 1e-6)) for side in (x1 - x0, y1 - y0))
    pictures = []
    for layer in polygons:
        picture = np.zeros((height, width), np.uint8)
        for polygon in layer:
            points = (np.abs(polygon.points - (x0, y1)) * (16 * RESOLUTION)).round().astype(np.int32)
            cv2.fillPoly(picture, [points], 255, cv2.LINE_AA, 4)
        pictures.append(picture)
    return pictures


def theirs(path, turns):
    """Medians of reading and of drawing, in ms, and how many pixels are covered."""
    reading, drawing = [], []
    for _ in range(turns):
        begin = time.perf_counter()
        polygons, bounds = read(path)
        middle = time.perf_counter()
        pictures = draw(polygons, bounds)
        drawing.append(1e3 * (time.perf_counter() - middle))
        reading.append(1e3 * (middle - begin))
    return statistics.median(reading), statistics.median(drawing), sum(int(p.sum()) for p in pictures) / 255


def ours(path, turns, threads):
    """Medians of reading, of sorting and of all, in ms, and how many pixels are covered."""
    env = {**os.environ, "RORD_LAYOUT": os.path.abspath(path), "RORD_TURNS": str(turns), "RAYON_NUM_THREADS": str(threads)}
    command = ["cargo", "test", "--release", "--test", "numbers", "times_of_a_tile", "--", "--ignored", "--nocapture"]
    said = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout
    rows = [[float(x) for x in line.split("TIME ")[1].split()] for line in said.splitlines() if "TIME " in line]
    return [statistics.median(column) for column in zip(*rows)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE.gds[.gz]")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    missing = [path for path in args.files if not os.path.exists(path)]
    if missing:
        sys.exit(f"there is no file {missing[0]}: give layouts of sky130")
    cv2.setNumThreads(args.threads)
    print(f"{'gdstk':>8}{'OpenCV':>8}   {'reading':>8}{'all':>8}   share  covered, rord over OpenCV")
    shares = []
    for path in args.files:
        read_ms, draw_ms, area = theirs(path, args.turns)
        reading, sorting, whole, _, _, covered = ours(path, args.turns, args.threads)
        shares.append(whole / (read_ms + draw_ms))
        print(f"{read_ms:8.1f}{draw_ms:8.1f}   {reading + sorting:8.1f}{whole:8.1f}   {shares[-1]:.3f}  {covered / area:.3f}  {os.path.basename(path)}", flush=True)
    print(f"median share {statistics.median(shares):.3f}")


if __name__ == "__main__":
    main()
