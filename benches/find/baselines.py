"""Looks for the crops of `rord-run eval --suite find` with SIFT, ORB and correlation, on exactly the same queries.

    rord-run eval RUN --in CHIP… --crops crops
    python -m venv venv && venv/bin/pip install numpy opencv-python-headless
    venv/bin/python benches/find/baselines.py crops [--correlation] [--first N]

`crops/crops.json` lists for each case its queries: the picture, the layout's picture, and `matrix_px` from the query's pixel
centers to the layout's. An answer is right where no corner is 3 px off or more. OpenCV knows no mirrored similarity: each query
is also given mirrored, and the answer with more inliers counts.
"""

import json
import pathlib
import sys
import time

import cv2
import numpy as np

WITHIN = 3.0


def corners_apart(found, truth, width, height):
    corners = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]])
    take = lambda m: corners @ np.asarray(m)[:, :2].T + np.asarray(m)[:, 2]
    return np.linalg.norm(take(found) - take(truth), axis=1).max()


class Features:
    """Key points, nearest neighbors with the ratio test, RANSAC for a similarity."""

    def __init__(self, name):
        self.name = name
        sift = name == "SIFT"
        self.detector = cv2.SIFT_create() if sift else cv2.ORB_create(nfeatures=20000)
        self.matcher = cv2.BFMatcher(cv2.NORM_L2 if sift else cv2.NORM_HAMMING)
        self.ratio = 0.8
        self.chips = {}

    def chip(self, path):
        if path not in self.chips:
            self.chips[path] = self.detector.detectAndCompute(cv2.imread(path, 0), None)
        return self.chips[path]

    def find(self, query, path):
        points, descriptors = self.chip(path)
        best = (0, None)
        for mirrored in (False, True):
            shown = query[:, ::-1].copy() if mirrored else query
            ours, own = self.detector.detectAndCompute(shown, None)
            if own is None or descriptors is None or len(own) < 2:
                continue
            pairs = [p for p in self.matcher.knnMatch(own, descriptors, k=2) if len(p) == 2]
            good = [a for a, b in pairs if a.distance < self.ratio * b.distance]
            if len(good) < 3:
                continue
            a = np.float32([ours[m.queryIdx].pt for m in good])
            b = np.float32([points[m.trainIdx].pt for m in good])
            matrix, inliers = cv2.estimateAffinePartial2D(a, b, method=cv2.RANSAC, ransacReprojThreshold=3, maxIters=5000)
            if matrix is None or inliers.sum() <= best[0]:
                continue
            if mirrored:
                flip = np.array([[-1, 0, query.shape[1] - 1], [0, 1, 0], [0, 0, 1.0]])
                matrix = np.vstack([matrix, [0, 0, 1]]) @ flip
            best = (inliers.sum(), matrix[:2])
        return best[1]


class Correlation:
    """Normalized correlation of the query's inscribed square at 72 angles, both mirrors, scale 1."""

    name = "correlation"

    def __init__(self):
        self.chips = {}

    def find(self, query, path):
        chip = self.chips.setdefault(path, cv2.imread(path, 0))
        side = query.shape[0]
        inner = int(side / np.sqrt(2)) // 2 * 2
        middle = (side - 1) / 2
        best = (-2.0, None)
        for mirrored in (False, True):
            for step in range(72):
                turn = np.deg2rad(5 * step)
                linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
                if mirrored:
                    linear = linear @ np.diag([-1.0, 1.0])
                # The query as it lies in the chip, if it is turned so.
                back = linear.T
                half = (inner - 1) / 2
                shift = np.array([middle, middle]) - back @ np.array([half, half])
                patch = cv2.warpAffine(query, np.column_stack([back, shift]), (inner, inner), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
                scores = cv2.matchTemplate(chip, patch, cv2.TM_CCOEFF_NORMED)
                _, score, _, (x, y) = cv2.minMaxLoc(scores)
                if score > best[0]:
                    at = np.array([x + half, y + half]) - linear @ np.array([middle, middle])
                    best = (score, np.column_stack([linear, at]))
        return best[1]


def main():
    folder = pathlib.Path(sys.argv[1])
    first = int(sys.argv[sys.argv.index("--first") + 1]) if "--first" in sys.argv else None
    listed = json.loads((folder / "crops.json").read_text())
    # Correlation takes half a minute for a query.
    methods = [Features("SIFT"), Features("ORB")] + ([Correlation()] if "--correlation" in sys.argv else [])
    print(f"{'case':<14}" + "".join(f"{m.name:>14}" for m in methods))
    for case in listed["cases"]:
        line = f"{case['case']:<14}"
        for method in methods:
            right, begin = 0, time.time()
            queries = case["queries"][:first]
            for query in queries:
                picture = cv2.imread(str(folder / query["query"]), 0)
                found = method.find(picture, str(folder / query["in"]))
                height, width = picture.shape
                right += found is not None and corners_apart(found, query["matrix_px"], width, height) < WITHIN
            n = max(1, len(queries))
            line += f"{100 * right / n:>6.1f} % {(time.time() - begin) / n:>4.2f}s"
        print(line, flush=True)


if __name__ == "__main__":
    main()
