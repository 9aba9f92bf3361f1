"""Trains on several GPUs, a process on each, beside one process on one: how far losses are apart, and how long a step takes.

    python3 many.py RORD_RUN OUT GPUS

RORD_RUN is a build with `nccl`, and Open MPI's `mpirun` must be there. With one GPU two processes share it, and their gradients go through the
host; with more, they go over NCCL, and through the host once more for comparison. The exit code is 0 where all losses agree to 1e-6.
"""

import json
import os
import re
import subprocess
import sys

# Losses are compared over so many steps: after that rounding has chosen other negatives.
COMPARED = 4
NOT_LOSSES = ("lr", "grad_norm")


def trained(binary, out, processes, device, file, *arguments):
    """The lines of a run's steps, how its gradients went, and why there are none."""
    mpirun = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", str(processes)]
    launcher = mpirun if processes > 1 else []
    command = [*launcher, binary, file, "--device", device, "--out", out, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return None, "", "longer than 120 s"
    lines = (done.stdout + done.stderr).splitlines()
    how = next((line.strip() for line in lines if "gradients" in line), "")
    if done.returncode != 0:
        errors = [i for i, line in enumerate(lines) if line.strip().startswith("×")]
        return None, how, " ".join(lines[errors[0] : errors[0] + 3] if errors else lines[-4:])[:400]
    steps = [json.loads(line) for line in open(os.path.join(out, "metrics.jsonl"))]
    return [line for line in steps if "lr" in line], how, ""


def apart(one, other):
    """The largest difference of a loss in the first steps, in parts of it where it is more than 1."""
    names = [k for k, v in one[0].items() if isinstance(v, float) and k not in NOT_LOSSES]
    pairs = zip(one[:COMPARED], other[:COMPARED])
    return max(abs(a[k] - b[k]) / max(1.0, abs(a[k])) for a, b in pairs for k in names)


def milliseconds(run):
    """From one step to the next, the median of the last epoch."""
    return float(re.search(r"pace_ms: ([0-9.]+)", open(f"{run}/run.yaml").read()).group(1))


def main(binary, out, gpus):
    processes = max(gpus, 2)
    ways = [("over NCCL", "cuda")] if gpus > 1 else []
    ways.append(("by the host, on one GPU", "cuda:0"))
    wrong = 0
    print(f"{'pipeline':12} {'way':26} {'losses apart':>12}")
    for name in ("dense", "embedded"):
        # Distances of vectors that are nearly equal are roots of rounding.
        limit = 1e-6 if name == "dense" else 5e-6
        file = f"benches/ranks/{name}.rord"
        one, _, why = trained(binary, f"{out}/{name}-1", 1, "cuda:0", file)
        for way, device in ways:
            many, how, problem = trained(binary, f"{out}/{name}-{device.replace(':', '')}", 2, device, file)
            if why or problem:
                print(f"{name:12} {way:26} failed: {why or problem}")
                wrong += 1
                continue
            found = apart(one, many)
            wrong += not found <= limit
            print(f"{name:12} {way:26} {found:12.1e}{'' if found <= limit else '   more than ' + str(limit)}   ({how})")
    if gpus < 2:
        print("there is one GPU here: sums over NCCL, and how fast they are, take two")
        return wrong
    print("\nmilliseconds a step, of a batch that grows with the GPUs; by the host all share one GPU")
    print(f"{'network':8} {'1 GPU':>8} {str(processes) + ' GPUs':>8} {'of it':>6} {'by the host':>12}")
    for network in ("S", "V"):
        file, size = f"benches/{network}.rord", ["--set", "steps=20", "--set", "epochs=2"]
        batch = lambda n: ["--set", f"batch={16 * n}", *size]
        runs = [
            trained(binary, f"{out}/{network}-one", 1, "cuda:0", file, *batch(1)),
            trained(binary, f"{out}/{network}-many", processes, "cuda", file, *batch(processes)),
            trained(binary, f"{out}/{network}-host", processes, "cuda:0", file, *batch(processes)),
        ]
        if problem := next((why for _, _, why in runs if why), ""):
            print(f"{network:8} failed: {problem}")
            wrong += 1
            continue
        one, many, host = (milliseconds(f"{out}/{network}-{way}") for way in ("one", "many", "host"))
        print(f"{network:8} {one:8.1f} {many:8.1f} {100 * one / many:5.0f}% {host:12.1f}")
    return wrong


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(min(main(sys.argv[1], sys.argv[2], int(sys.argv[3])), 1))
