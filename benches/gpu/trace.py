"""Trains a pipeline on the CPU and on the GPU, and prints how far apart their steps are.

    python3 trace.py RORD_RUN OUT NAME=FILE[:ARGUMENT…] …

Runs are written below OUT. A row for each pipeline: the steps, the largest difference of a loss relative to it, of the first step and of
all, and of the gradient's norm. Beside it, in brackets, the same between two paths of the CPU that round otherwise: what a pipeline makes of
rounding alone.
"""

import json
import math
import os
import subprocess
import sys


# What else a step's line has.
NOT_LOSSES = ("lr", "grad_norm", "step_seconds", "samples_per_second", "time")


# The runs of each pipeline: their name, device, and environment.
WAYS = [("cpu", "cpu", {}), ("portable", "cpu", {"RORD_SIMD": "portable"}), ("gpu", "cuda", {})]


def steps(binary, out, file, arguments, device, simd):
    """The lines of a run's steps, and why there are none."""
    command = [binary, file, *arguments, "--device", device, "--out", out, "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **simd})
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines()]
        errors = [i for i, line in enumerate(lines) if line.startswith("×")]
        return None, " ".join(lines[errors[0] : errors[0] + 4] if errors else lines[-4:])[:400]
    lines = [json.loads(line) for line in open(os.path.join(out, "metrics.jsonl"))]
    return [line for line in lines if "lr" in line], ""


def gap(a, b):
    if not (math.isfinite(a) and math.isfinite(b)):
        return math.inf
    return abs(a - b) / max(abs(b), 1e-12)


def apart(a, b):
    """The largest differences of two runs: of the first step's losses, of all, and of the norm."""
    names = [k for k, v in b[0].items() if isinstance(v, float) and k not in NOT_LOSSES]
    losses = [max(gap(x[k], y[k]) for k in names) for x, y in zip(a, b)]
    return losses[0], max(losses), max(gap(x["grad_norm"], y["grad_norm"]) for x, y in zip(a, b))


def main(binary, out, pipelines):
    print(f"{'pipeline':12} {'steps':>5} {'first loss':>19} {'all losses':>19} {'norm':>19}")
    for pipeline in pipelines:
        name, rest = pipeline.split("=", 1)
        file, *arguments = rest.split(":")
        found = {}
        for run, device, simd in WAYS:
            found[run], why = steps(binary, f"{out}/{name}-{run}", file, arguments, device, simd)
            if why:
                print(f"{name:12} {run} failed: {why}")
        if not all(found.values()):
            continue
        pairs = zip(apart(found["gpu"], found["cpu"]), apart(found["portable"], found["cpu"]))
        cells = " ".join(f"{gpu:9.1e} ({cpu:.1e})" for gpu, cpu in pairs)
        print(f"{name:12} {len(found['cpu']):5} {cells}")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
