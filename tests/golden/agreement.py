"""Makes tests/golden/agreement.json: how well key points and matches of two pictures agree with a homography, computed with
NumPy from the published formulas.

    venv/bin/python tests/golden/agreement.py

Repeatability: DeTone et al., SuperPoint (2018), appendix. Mean matching accuracy: Dusmanu et al., D2-Net (2019), section 5.1.
Direct linear transform with places moved and scaled: Hartley and Zisserman, algorithm 4.2, by a singular value decomposition.
Corner error and area under the curve: DeTone et al., section 7.3, and Sarlin et al., SuperGlue (2020), section 5.
"""

import json
import pathlib

import numpy as np

LIMITS = list(range(1, 11))


def moved(h, p):
    q = np.c_[p, np.ones(len(p))] @ h.T
    return q[:, :2] / q[:, 2:]


def inside(p, size):
    return ((p >= 0) & (p < np.array(size))).all(1)


def repeatability(a, b, h, sizes, within):
    there = moved(h, a)
    there = there[inside(there, sizes[1])]
    b = b[inside(moved(np.linalg.inv(h), b), sizes[0])]
    if len(there) + len(b) == 0:
        return 0.0
    d = np.linalg.norm(there[:, None] - b[None], axis=2).reshape(len(there), len(b))
    again = sum((d.min(axis) <= within).sum() if d.size else 0 for axis in (0, 1))
    return again / (len(there) + len(b))


def normalizer(p):
    middle = p.mean(0)
    s = np.sqrt(2) / np.linalg.norm(p - middle, axis=1).mean()
    return np.array([[s, 0, -s * middle[0]], [0, s, -s * middle[1]], [0, 0, 1]])


def dlt(a, b, weights):
    ta, tb = normalizer(a), normalizer(b)
    rows = []
    for (x, y), (u, v), w in zip(moved(ta, a), moved(tb, b), np.sqrt(weights)):
        rows.append(w * np.array([0, 0, 0, -x, -y, -1, v * x, v * y, v]))
        rows.append(w * np.array([x, y, 1, 0, 0, 0, -u * x, -u * y, -u]))
    h = np.linalg.svd(np.array(rows))[2][-1].reshape(3, 3)
    h = np.linalg.inv(tb) @ h @ ta
    return h / h[2, 2]


def corner_error(h, truth, size):
    w, t = size
    corners = np.array([[0, 0], [w, 0], [w, t], [0, t]], float)
    return np.linalg.norm(moved(h, corners) - moved(truth, corners), axis=1).mean()


def area(errors, limits):
    errors = np.sort(errors)
    x = np.r_[0, errors]
    y = np.r_[0, np.arange(1, len(errors) + 1) / len(errors)]
    out = []
    for limit in limits:
        last = np.searchsorted(x, limit)
        out.append(np.trapezoid(np.r_[y[:last], y[last - 1]], np.r_[x[:last], limit]) / limit)
    return out


def pair(generator):
    sizes = [[320, 240], [300, 260]]
    angle, scale = generator.uniform(-0.5, 0.5), generator.uniform(0.8, 1.2)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    h = np.array([[c, -s, generator.uniform(-20, 40)], [s, c, generator.uniform(-30, 20)], [*generator.uniform(-4e-4, 4e-4, 2), 1]])
    a = generator.uniform(0, 1, (60, 2)) * sizes[0]
    b = np.r_[moved(h, a[:40]) + generator.normal(0, 1.5, (40, 2)), generator.uniform(0, 1, (25, 2)) * sizes[1]]
    b = b[inside(b, sizes[1])]
    matches = [(p, q + generator.normal(0, 1, 2) * generator.choice([0.3, 2, 8])) for p, q in zip(a, moved(h, a))]
    p, q = (np.array(side) for side in zip(*matches))
    weights = generator.uniform(0.1, 1, len(p))
    forward = np.linalg.norm(moved(h, p) - q, axis=1)
    both = (forward + np.linalg.norm(moved(np.linalg.inv(h), q) - p, axis=1)) / 2
    fitted = dlt(p, q, np.ones(len(p)))
    return {
        "sizes": sizes, "h": h.tolist(), "a": a.tolist(), "b": b.tolist(), "from": p.tolist(), "to": q.tolist(), "weights": weights.tolist(),
        "repeatability": [repeatability(a, b, h, sizes, t) for t in LIMITS],
        "accuracy": [float((forward <= t).mean()) for t in LIMITS],
        "precision": [float((both < t).mean()) for t in LIMITS],
        "dlt": fitted.tolist(), "dlt_weighted": dlt(p, q, weights).tolist(), "corner_error": corner_error(fitted, h, sizes[0]),
    }


generator = np.random.default_rng(7)
pairs = [pair(generator) for _ in range(3)]
errors = [p["corner_error"] for p in pairs] + [0.0, 0.4, 1.0, 2.5, 2.5, 4.9, 7.0]
areas = [{"errors": e, "area": area(np.array(e, float), LIMITS)} for e in (errors, errors[3:], [12.0], [0.2])]


def short(value):
    if isinstance(value, dict):
        return {k: short(v) for k, v in value.items()}
    return [short(v) for v in value] if isinstance(value, list) else round(float(value), 12) if isinstance(value, float) else value


# What is computed from places is computed from the rounded ones: places are exact to 1e-12, results to 1e-9.
path = pathlib.Path(__file__).parent / "agreement.json"
path.write_text(json.dumps({"limits": LIMITS, "pairs": short(pairs), "areas": short([{**a, "area": [float(v) for v in a["area"]]} for a in areas])}) + "\n")
