#!/usr/bin/env python3
"""What trained networks make of a picture, beside PyTorch: milliseconds, megapixels a second, and how many times as many.

    python benches/inference/compare.py [find hardnet …] [--side 512] [--threads 2]

It needs PyTorch and a quiet machine. Weights are those that training begins with: they change nothing about the time. PyTorch computes under
`torch.inference_mode`, eagerly, channels last, and compiled; turned filters are turned once. rord runs what `predict` and `find` run.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benches" / "pytorch"))

from pipelines import twin  # noqa: E402
from pipelines.found import TurnedConv2d  # noqa: E402
from step import NETWORKS, Net  # noqa: E402

# Pictures at once, channels, and the side where the network takes no other.
NAMES = {
    "S": (1, 1, None),
    "find": (1, 1, None),
    "hardnet": (256, 1, 32),
    "photos": (1, 3, None),
    "segment": (1, 1, None),
    "start": (1, 1, None),
    "teacher": (1, 1, None),
}


def network(name):
    """A twin and what it exports of a picture."""
    if name == "S":
        net = Net(*(NETWORKS["S"][part] for part in ("channels", "trunk", "det", "desc")))
        return net, net.forward
    net = twin(name)()
    if name == "start":
        return net, lambda x: torch.nn.functional.normalize(net.layers(x))
    if name == "teacher":
        return net, lambda x: (lambda seen: (net.found(seen), net.described(seen)))(net.trunk(x))
    return net, getattr(net, "used", net.forward)


def median(call, seconds):
    for _ in range(3):
        call()
    begin, times = time.perf_counter(), []
    while len(times) < 5 or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def theirs(name, shape, modes, seconds):
    torch.manual_seed(0)
    net, used = network(name)
    net.eval()
    for module in net.modules():
        if isinstance(module, TurnedConv2d):
            module.settle()
    x, found = torch.rand(shape), {}
    with torch.inference_mode():
        for mode in modes:
            if mode == "channels_last":
                net.to(memory_format=torch.channels_last)
                for module in net.modules():
                    if isinstance(module, TurnedConv2d):
                        module.settle()
            fed = x.to(memory_format=torch.channels_last) if mode == "channels_last" else x
            call = torch.compile(used) if mode == "compile" else used
            found[mode] = median(lambda: call(fed), seconds)
            net.to(memory_format=torch.contiguous_format)
    return found


def ours(name, shape, threads, seconds, rows):
    """The median time in ms; with `rows` the operations are printed."""
    folder = "benches" if name == "S" else "pipelines"
    env = {**os.environ, "RORD_NETWORK": str(ROOT / folder / f"{name}.rord"), "RAYON_NUM_THREADS": str(threads)}
    env |= {"RORD_PICTURE": ",".join(map(str, shape[1:])), "RORD_COUNT": str(shape[0]), "RORD_SECONDS": str(seconds), "RORD_ROWS": str(int(rows))}
    command = ["cargo", "test", "--release", "--test", "numbers", "times_of_a_network", "--", "--ignored", "--nocapture"]
    said = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in said.splitlines():
        if "ROW " in line:
            print("   ", line.split("ROW ")[1])
    return next(float(line.split("TIME ")[1]) for line in said.splitlines() if "TIME " in line)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=list(NAMES), metavar="NETWORK", help=", ".join(NAMES))
    parser.add_argument("--side", type=int, default=512, help="pixels of a side of the picture")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2, help="how long each is measured")
    parser.add_argument("--modes", default="eager,channels_last,compile")
    parser.add_argument("--rows", action="store_true", help="print rord's time by operation, too")
    args = parser.parse_args()
    unknown = [name for name in args.networks if name not in NAMES]
    if unknown:
        parser.error(f"there is no network {', '.join(unknown)}: give some of {', '.join(NAMES)}")
    torch.set_num_threads(args.threads)
    modes = [mode for mode in args.modes.split(",") if mode]
    print(f"{'':10}{'rord ms':>9}{'Mpx/s':>8}{''.join(f'{mode:>15}' for mode in modes)}   times the best")
    for name in args.networks:
        count, channels, fixed = NAMES[name]
        side = fixed or args.side
        shape = (count, channels, side, side)
        mine = ours(name, shape, args.threads, args.seconds, args.rows)
        other = theirs(name, shape, modes, args.seconds)
        best = f"{min(other.values()) / mine:8.2f}" if other else ""
        print(f"{name:10}{mine:9.2f}{count * side * side / mine / 1e3:8.2f}{''.join(f'{other[mode]:15.2f}' for mode in modes)}   {best}", flush=True)


if __name__ == "__main__":
    main()
