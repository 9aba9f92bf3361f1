"""Times training steps of rord on the GPU and PyTorch's beside them, and prints one table: milliseconds, the median of steps.

    python3 steps.py RORD_RUN OUT [--batches 8,16,64] [--networks S,V] [--modes eager,…]

A network is small (S) or VGG-16 (V), as in benches/S.rord and benches/V.rord; PyTorch's are benches/pytorch/step.py.
"""

import argparse
import json
import os
import subprocess
import sys
import time

# rord's settings, and PyTorch's modes.
RORD = ["rord f32", "rord bf16"]
TORCH = {
    "eager": ["--mode", "eager"],
    "tf32": ["--mode", "channels_last", "--tf32"],
    "bf16": ["--mode", "bf16"],
    "compile": ["--mode", "compile"],
    "compile_bf16": ["--mode", "compile_bf16"],
}


def pipeline(network, mode, out):
    """The pipeline's file in a mode; the rounded one is written to `out`."""
    path = f"benches/{network}.rord"
    if mode == "rord f32":
        return path
    text, rounded = open(path).read(), f"{out}/{network}-bf16.rord"
    with open(rounded, "w") as file:
        file.write(text.replace("  batch\n", "  batch\n  precision = bf16\n"))
    return rounded


def measured(command, limit):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return None, f"longer than {limit} s"
    if done.returncode != 0:
        lines = [line.strip() for line in (done.stderr or done.stdout).strip().splitlines() if line.strip()]
        return None, " / ".join(lines[-3:])[:300]
    return json.loads(done.stdout.strip().splitlines()[-1]), ""


def kept(path):
    """What was measured before, to which more is added."""
    return json.load(open(path)) if os.path.exists(path) else {}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rord")
    parser.add_argument("out")
    parser.add_argument("--batches", default="8,16,64")
    parser.add_argument("--networks", default="S,V")
    parser.add_argument("--modes", default=",".join(TORCH))
    parser.add_argument("--rord-modes", default=",".join(RORD))
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()
    modes = [m for m in args.modes.split(",") if m]
    own = [m for m in args.rord_modes.split(",") if m]
    print(f"{'':12}" + "".join(f"{name:>14}" for name in [*own, *modes]))
    everything = kept(f"{args.out}/steps.json")
    for network in args.networks.split(","):
        for batch in args.batches.split(","):
            cells, begun = [], time.time()
            rord = ["--device", "cuda", "--json", "--warmup", "5", "--set", f"batch={batch}"]
            torch = [sys.executable, "benches/pytorch/step.py", network, "--device", "cuda", "--batch", batch, "--threads", "8"]
            commands = {name: [args.rord, "bench", pipeline(network, name, args.out), *rord] for name in own}
            commands.update({name: [*torch, *TORCH[name]] for name in modes})
            for name, command in commands.items():
                found, why = measured([*command, "--steps", str(args.steps)], 100)
                everything[f"{network} {batch} {name}"] = found or why
                cells.append(f"{found['median_ms']:14.2f}" if found else f"{'failed':>14}")
                if why:
                    print(f"    {network} {batch} {name}: {why}")
            print(f"{network + ' batch ' + batch:12}" + "".join(cells) + f"   ({time.time() - begun:.0f} s)", flush=True)
            with open(f"{args.out}/steps.json", "w") as file:
                json.dump(everything, file, indent=1)


if __name__ == "__main__":
    main()
