"""Trains a pipeline on the CPU and on the GPU, and prints how far apart their steps are.

    python3 trace.py RORD_RUN OUT NAME=FILE[:ARGUMENT…] …

Runs are written below OUT. A row for each pipeline: the steps, the largest difference of a loss relative to it, of the first step and of
all, and of the gradient's norm.
"""

import json
import math
import os
import subprocess
import sys


# What else a step's line has.
NOT_LOSSES = ("lr", "grad_norm", "step_seconds", "samples_per_second", "time")


def steps(binary, out, file, arguments, device):
    """The lines of a run's steps, and why there are none."""
    command = [binary, file, *arguments, "--device", device, "--out", out, "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
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


def main(binary, out, pipelines):
    print(f"{'pipeline':16} {'steps':>5} {'first loss':>11} {'all losses':>11} {'norm':>9}")
    for pipeline in pipelines:
        name, rest = pipeline.split("=", 1)
        file, *arguments = rest.split(":")
        found = {}
        for device in ("cpu", "cuda"):
            found[device], why = steps(binary, f"{out}/{name}-{device}", file, arguments, device)
            if why:
                print(f"{name:16} {device} failed: {why}")
        if not all(found.values()):
            continue
        names = [k for k, v in found["cpu"][0].items() if isinstance(v, float) and k not in NOT_LOSSES]
        rows = list(zip(found["cuda"], found["cpu"]))
        losses = [max(gap(a[k], b[k]) for k in names) for a, b in rows]
        norm = max(gap(a["grad_norm"], b["grad_norm"]) for a, b in rows)
        print(f"{name:16} {len(rows):5} {losses[0]:11.1e} {max(losses):11.1e} {norm:9.1e}")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
