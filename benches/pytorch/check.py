#!/usr/bin/env python3
"""Takes the same steps in the twins of `pipelines/` and in rord, from the same weights, on the same batch and places, and compares losses.

    cargo build --release && python benches/pytorch/check.py [NAME…]

A copy of each pipeline reads its batch from a file (`tensors`), with the places that the twin throws at random. It keeps its rate, and
drops nothing (hardnet). Prints the losses of the steps; exits with 1 where the first differ by more than 1e-5 of themselves or later ones
by more than 1e-3, and where weights differ in number or size. (Steps enlarge rounding: in f64 PyTorch's third loss of segment is
another by 1e-4.) Needs torch and safetensors.
"""

import argparse
import itertools
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from pipelines import found, triplets, twin

ROOT = Path(__file__).resolve().parents[2]
# For each pipeline: its fields in the order of the twin's inputs; and of its places, in the order in which the twin throws them, what the
# pipeline writes, what the copy writes, and the field they come from.
VIEWS = ["image: Image[B, {channels}, H, W]@orig", "image_r: Image[B, {channels}, H, W]@moved", "H: Homography[B]@orig->moved"]
CORNERS = ["corners: Label[B, 1, H, W]@orig"]
HARD = [("hardneg(", "hardneg(at = pairs.thrown, ", "thrown: Points[B, 400]@moved")]
FOUND = [
    ("place(scatter(256), like = desc)", "pairs.thrown", "thrown: Points[B, 256]@orig"),
    ("place(scatter(1024), like = desc)", "pairs.others", "others: Points[B, 1024]@orig"),
    ("place(scatter(1024), like = SECOND)", "pairs.others_r", "others_r: Points[B, 1024]@moved"),
]
PLANS = {
    "start": (VIEWS, HARD),
    "teacher": (VIEWS + CORNERS, HARD),
    "distill": (VIEWS[:1], []),
    "photos": (VIEWS + CORNERS, FOUND),
    "find": (VIEWS + CORNERS, FOUND),
    "hardnet": (["a: Image[N, 1, 32, 32]@a", "b: Image[N, 1, 32, 32]@b"], []),
    "segment": (["image: Image[B, 1, H, W]@i", "truth: Label[B, 1, H, W]@i"], []),
}


def text_of(name, plan, batch_file):
    """The pipeline with its data from a file, its places among them, and without a schedule."""
    fields, places = plan
    text = (ROOT / "pipelines" / f"{name}.rord").read_text().replace('"lib/', f'"{ROOT}/pipelines/lib/')
    names = [f.split(":")[0] for f in fields]
    for old, new, field in places:
        old = old.replace("SECOND", "turned" if name == "find" else "moved")
        if old not in text:
            sys.exit(f"pipelines/{name}.rord has no `{old}`: this check has to follow it")
        text, fields, names = text.replace(old, new), [*fields, field], [*names, field.split(":")[0]]
    channels = "3" if name == "photos" else "1"
    listed = ", ".join(fields).replace("{channels}", channels)
    text = re.sub(r"^data (\w+) = .*?\}$", rf'data \1 = tensors("{batch_file}") -> {{ {listed} }}', text, flags=re.M | re.S)
    text = text.replace("dropout(0.3)", "dropout(0)")
    text = re.sub(r"^  schedule .*\n", "", text, flags=re.M)
    return re.sub(r"^save .*$", "save { last = true, report = false }", text, flags=re.M), names


def of_rord(rord, name, net, tensors, folder, steps):
    """The losses of steps in rord."""
    batch_file, weights_file = folder / "batch.safetensors", folder / "first.safetensors"
    text, names = text_of(name, PLANS[name], batch_file)
    save_file({n: t.repeat(steps, *[1] * (t.dim() - 1)).contiguous() for n, t in zip(names, tensors, strict=True)}, batch_file)
    (folder / f"{name}.rord").write_text(text)
    common = ["--set", f'teacher_weights="{weights_file}"'] if name == "distill" else []
    common += ["--import-root", str(ROOT)]

    def run(*command):
        done = subprocess.run([rord, *map(str, command), *common], capture_output=True, text=True, cwd=folder)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
        return done.stdout

    listed = re.findall(r"^(\S+) +\[([\d, ]+)\]$", run("types", folder / f"{name}.rord"), re.M)
    shapes = {weight: [int(n) for n in sizes.split(",")] for weight, sizes in listed}
    ours = [t for n, t in net.state_dict().items() if not n.endswith("num_batches_tracked")]
    save_file({n: t.reshape(shapes[n]).contiguous() for n, t in zip(shapes, ours, strict=True)}, weights_file)
    run(folder / f"{name}.rord", "--init", weights_file, "--out", folder / "run", "--set", "epochs=1", "--threads", 2)
    lines = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    total = re.search(r"^minimize (\w+)", text, re.M).group(1)
    return [line[total] for line in lines if total in line][:steps]


def of_twin(net, tensors, thrown, steps):
    """The losses of the same steps in PyTorch."""
    for layer in net.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    again = itertools.cycle(thrown)
    found.scattered = triplets.scattered = lambda *_: next(again)
    optimizer, losses = net.optimizer(), []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = net.loss(net, *tensors)
        loss.backward()
        if hasattr(net, "clip"):
            torch.nn.utils.clip_grad_norm_(net.parameters(), net.clip)
        optimizer.step()
        losses.append(loss.item())
    return losses


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=list(PLANS), metavar="NAME", help=f"{', '.join(PLANS)} [default: all]")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--rord", default=str(ROOT / "target" / "release" / "rord-run"))
    args = parser.parse_args()
    bad = 0
    for name in args.networks:
        torch.manual_seed(0)
        net, tensors = twin(name)(), list(twin(name).inputs(torch.Generator().manual_seed(0)))
        sizes = [int(re.search(r"B, (\d+)", field).group(1)) for *_, field in PLANS[name][1]]
        thrown = [torch.rand(len(tensors[0]), size, 2) * 2 - 1 for size in sizes]
        with tempfile.TemporaryDirectory() as folder:
            ours = of_rord(args.rord, name, net, tensors + thrown, Path(folder), args.steps)
        theirs = of_twin(net, tensors, thrown, args.steps)
        apart = [abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True)]
        bad += apart[0] > 1e-5 or max(apart) > 1e-3
        for step, (a, b, gap) in enumerate(zip(ours, theirs, apart)):
            print(f"{name:8} step {step}: rord {a:.6f}  PyTorch {b:.6f}  {gap:.1e} apart", flush=True)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
