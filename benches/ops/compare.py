#!/usr/bin/env python3
"""Operations on tables, vectors and maps beside PyTorch's: milliseconds forward and backward, and their ratio, the worst first.

    python benches/ops/compare.py [--threads 2] [--only softmax]

It needs PyTorch and a quiet machine. A ratio above 1 means that PyTorch is faster.

The gradient of a sum is a view of the numbers it is made of in both, and nothing is written. In cases called "read" the gradient is
multiplied by the input, as the next operation would: what a view saves must not be paid there. Freed memory stays with the
process as it does in `rord-run`.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F

ROOT = Path(__file__).resolve().parents[2]


def cases():
    """Name, operation, inputs as (shape, low, high), settings, what has a gradient, and the same in PyTorch."""
    tables = [(1, 256, 256), (8, 256, 256), (2, 1024, 1024)]
    maps = [(8, 64, 64, 64), (8, 1, 128, 128), (2, 65, 32, 32)]

    def along(op, shape, word, f, mask=None, settings=None, **more):
        axes = {"column": [len(shape) - 1], "row": [len(shape) - 2], "channel": [1], "place": [2, 3]}[word]
        inputs = {"a" if op in ("min", "max") else "x": (shape, -3, 3)}
        if mask:
            inputs["mask"] = (mask, 0, 2, True)
        made = {**(settings or {}), "axes": axes}
        name = f"{op} over {word}{' masked' if mask else ''}{' read' if 'read' in more else ''}"
        return (name, op, inputs, made, [next(iter(inputs))], lambda *t: f(*t, axes), more)

    masked = lambda x, m, d: (x + torch.where(m > 0, 0.0, -torch.inf)).logsumexp(d)
    for shape in tables:
        for word in ("column", "row"):
            yield along("log_sum_exp", shape, word, lambda x, d: x.logsumexp(d))
            yield along("softmax", shape, word, lambda x, d: x.softmax(d[0]), keep=True)
            yield along("log_softmax", shape, word, lambda x, d: x.log_softmax(d[0]), keep=True)
            yield along("max", shape, word, lambda x, d: x.amax(d))
            yield along("sum", shape, word, lambda x, d: x.sum(d))
            yield along("variance", shape, word, lambda x, d: x.var(d, correction=0), settings={"unbiased": False})
        yield along("log_sum_exp", shape, "column", masked, mask=shape)
        yield along("sort", shape, "column", lambda x, d: x.sort(d[0]).values, settings={"descending": False}, keep=True)
        yield along("top", shape, "column", lambda x, d: x.topk(10, d[0]).values, settings={"n": 10}, last=10)
        yield along("cumsum", shape, "column", lambda x, d: x.cumsum(d[0]), keep=True)
        b, n, m = shape
        for op, f in [("similarities", lambda a, b: a @ b.mT), ("distances", lambda a, b: torch.cdist(a, b))]:
            inputs = {"a": ((b, n, 128), -1, 1), "b": ((b, m, 128), -1, 1)}
            yield (op, op, inputs, {}, ["a", "b"], f, {"to": shape})
        inputs = {"a": (shape, -1, 1), "b": ((b, m, 128), -1, 1)}
        yield ("product", "product", inputs, {}, ["a", "b"], lambda a, b: a @ b, {"to": (b, n, 128)})
        for op, f in [("exp", torch.exp), ("softplus", F.softplus), ("abs", torch.abs), ("hinge", F.relu)]:
            yield (op, op, {"x": (shape, -3, 3)}, {}, ["x"], f, {"to": shape})
        for op, f in [("mul", torch.mul), ("add", torch.add), ("max", torch.maximum)]:
            yield (op, op, {"a": (shape, -3, 3), "b": (shape, -3, 3)}, {}, ["a", "b"], f, {"to": shape})
        yield ("mul by rows", "mul", {"a": (shape, -3, 3), "b": ((b, n, 1), -3, 3)}, {}, ["a", "b"], torch.mul, {"to": shape})
        for word in ("column", "row"):
            yield along("sum", shape, word, lambda x, d: x.sum(d), read=True)
    for shape in maps:
        yield along("mean", shape, "place", lambda x, d: x.mean(d), read=True)
        yield along("softmax", shape, "channel", lambda x, d: x.softmax(1), keep=True)
        yield along("log_softmax", shape, "channel", lambda x, d: x.log_softmax(1), keep=True)
        yield along("log_sum_exp", shape, "place", lambda x, d: x.logsumexp(d))
        yield along("sum", shape, "channel", lambda x, d: x.sum(d))
        yield along("mean", shape, "place", lambda x, d: x.mean(d))
        yield along("max", shape, "place", lambda x, d: x.amax(d))
        yield ("l2norm", "l2norm", {"x": (shape, -3, 3)}, {"eps": 1e-12}, ["x"], lambda x: F.normalize(x, dim=1), {"to": shape})


def table(only):
    out = []
    for name, op, inputs, settings, wants, f, more in cases():
        shape = next(iter(inputs.values()))[0]
        axes = settings.get("axes", [])
        to = more.get("to") or [n for i, n in enumerate(shape) if "keep" in more or i not in axes]
        if "last" in more:
            to = [*shape[:-1], more["last"]]
        if only and only not in op:
            continue
        label = f"{name.replace(' ', '_')}:{'x'.join(map(str, shape))}"
        out.append((label, op, inputs, settings, wants, f, list(to), "read" in more))
    return out


def ours(rows, threads):
    listed = []
    for name, op, inputs, settings, wants, _, to, read in rows:
        tensors = {n: {"shape": list(i[0]), "range": [i[1], i[2]], "whole": len(i) > 3} for n, i in inputs.items()}
        case = {"name": name, "op": op, "inputs": tensors, "settings": settings, "wants": wants, "shape": to, "read": read}
        listed.append(case)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(listed, file)
        file.flush()
        env = {**os.environ, "RORD_CASES": file.name, "RAYON_NUM_THREADS": str(threads), "MIMALLOC_PURGE_DELAY": "20000"}
        command = ["cargo", "test", "--release", "--test", "numbers", "times_of_cases", "--", "--ignored", "--nocapture"]
        said = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout
    found = [line.split("TIME ")[1].split() for line in said.splitlines() if "TIME " in line]
    return {name: (float(a), float(b)) for name, a, b in found}


def median(call):
    call()
    begin, times = time.perf_counter(), []
    while len(times) < 5 or time.perf_counter() - begin < 0.2:
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def theirs(inputs, wants, f, read):
    tensors = []
    for name, (shape, low, high, *whole) in inputs.items():
        t = torch.rand(shape) * (high - low) + low
        tensors.append((t.floor() if whole else t).requires_grad_(name in wants))
    value = f(*tensors)
    grad = torch.ones_like(value)
    leaves = [t for t in tensors if t.requires_grad]
    forward = median(lambda: f(*tensors))
    gradients = lambda: torch.autograd.grad(value, leaves, grad, retain_graph=True)
    seen = leaves[0].detach()
    backward = median((lambda: gradients()[0] * seen) if read else gradients)
    return forward, backward


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", help="operations whose names hold this")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = table(args.only)
    mine = ours(rows, args.threads)
    lines = []
    for name, _, inputs, _, wants, f, _, read in rows:
        here, there = mine[name], theirs(inputs, wants, f, read)
        lines.append((sum(here) / sum(there), name, here, there))
    print(f"{'ratio':>6}  {'rord: forward, backward':>24}  {'PyTorch':>18}  ms")
    for ratio, name, here, there in sorted(lines, reverse=True):
        print(f"{ratio:6.2f}  {here[0]:14.3f} {here[1]:9.3f}  {there[0]:8.3f} {there[1]:9.3f}  {name}")


if __name__ == "__main__":
    main()
