"""Matches a folder in HPatches' form with SIFT, and measures it as `rord-run eval --suite pairs` does.

    python -m venv venv && venv/bin/pip install numpy opencv-python-headless
    venv/bin/python benches/find/pairs.py FOLDER [SHORT]

1024 key points, mutual nearest neighbors without a ratio test, OpenCV's RANSAC with 3 px. SHORT: pixels of the shorter side. The formulas
are those of `tests/golden/agreement.py`.
"""

import pathlib
import sys

import cv2
import numpy as np

POINTS, WITHIN = 1024, 3.0
LIMITS, AREAS = [1, 3, 5, 10], [1, 3, 5]


def moved(h, p):
    q = np.c_[p, np.ones(len(p))] @ h.T
    return q[:, :2] / q[:, 2:]


def inside(p, size):
    return ((p >= 0) & (p < np.array(size))).all(1)


def corner_error(h, truth, size):
    if h is None:
        return np.inf
    corners = np.array([[0, 0], [size[0], 0], size, [0, size[1]]], float)
    return np.linalg.norm(moved(h, corners) - moved(truth, corners), axis=1).mean()


def area(errors):
    x, n = np.r_[0, np.sort(errors)], len(errors)
    y = np.arange(n + 1) / n
    cut = [np.searchsorted(x, limit) for limit in AREAS]
    return [np.trapezoid(np.r_[y[:k], y[k - 1]], np.r_[x[:k], limit]) / limit for k, limit in zip(cut, AREAS)]


def look(path, short):
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    scale = short / min(picture.shape) if short else 1.0
    if short:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    points, descriptors = cv2.SIFT_create(POINTS).detectAndCompute(picture, None)
    places = np.array([p.pt for p in points]).reshape(-1, 2)
    resize = np.array([[scale, 0, scale / 2 - 0.5], [0, scale, scale / 2 - 0.5], [0, 0, 1]])
    return places, descriptors, picture.shape[::-1], resize


def measure(a, b, truth):
    (p, da, size, _), (q, db, other, _) = a, b
    there, back = moved(truth, p), moved(np.linalg.inv(truth), q)
    there, seen = there[inside(there, other)], q[inside(back, size)]
    d = np.linalg.norm(there[:, None] - seen[None], axis=2)
    again = [((d.min(0) <= t).sum() + (d.min(1) <= t).sum()) / max(1, len(there) + len(seen)) if d.size else 0.0 for t in LIMITS]
    matches = cv2.BFMatcher(cv2.NORM_L2, crossCheck=True).match(da, db) if da is not None and db is not None else []
    x = np.array([p[m.queryIdx] for m in matches]).reshape(-1, 2)
    y = np.array([q[m.trainIdx] for m in matches]).reshape(-1, 2)
    off = np.linalg.norm(moved(truth, x) - y, axis=1)
    accuracy = [(off <= t).mean() if len(off) else 0.0 for t in LIMITS]
    enough = len(x) >= 4
    all_pairs = cv2.findHomography(x, y, 0)[0] if enough else None
    robust = cv2.findHomography(x, y, cv2.RANSAC, WITHIN, maxIters=5000, confidence=0.9999)[0] if enough else None
    return (len(p) + len(q)) / 2, len(x), again, accuracy, corner_error(all_pairs, truth, size), corner_error(robust, truth, size)


def main(folder, short=None):
    rows = {"i": [], "v": [], "all": []}
    for sequence in sorted(p for p in pathlib.Path(folder).iterdir() if (p / "H_1_2").is_file()):
        picture = lambda k: next(p for p in sorted(sequence.glob(f"{k}.*")))
        first, k = look(picture(1), short and int(short)), 2
        while (sequence / f"H_1_{k}").is_file():
            other = look(picture(k), short and int(short))
            truth = other[3] @ np.loadtxt(sequence / f"H_1_{k}").reshape(3, 3) @ np.linalg.inv(first[3])
            row = measure(first, other, truth)
            for name in {"all", sequence.name[0]} & set(rows):
                rows[name].append(row)
            k += 1
    print("     pairs points matches  repeated @1 @3   accuracy @1 @3 @5 @10   AUC, DLT @1 @3 @5   RANSAC @1 @3 @5")
    for name, measured in rows.items():
        if measured:
            points, matches, again, accuracy, dlt, robust = zip(*measured)
            shares = [np.mean(again, 0)[:2], np.mean(accuracy, 0), area(dlt), area(robust)]
            cells = "   ".join(" ".join(f"{100 * v:5.1f}" for v in part) for part in shares)
            print(f"{name:<4} {len(measured):5d} {np.mean(points):6.0f} {np.mean(matches):7.0f}   {cells}")


main(*sys.argv[1:])
