"""Exports every shipped pipeline and paper, and compares what ONNX Runtime and PyTorch make of it with rord's own outputs.

    pip install numpy pillow onnx onnxruntime torch safetensors
    python benches/export/check.py [--only NAME] [--rord target/release/rord-run] [--work DIR]

Each pipeline is trained for a moment (--preset smoke), with all outputs of its models that take an image as exports where it
names none. `predict` looks at pictures of two sizes, two of each; ONNX Runtime gets both at once. The module of PyTorch compares
itself with the example that is written beside it. Prints the largest error of each, over the largest number of the output or 1,
whichever is more: a network of which nothing is left after a moment gives zeros but for rounding. Exits with 1 where an error
is above 1e-4.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SIZES = [(64, 96), (160, 128)]
# What takes more than an image, by file.
MORE = {"byol": "p = predictor(online({x}).y).p", "moco": "p = predictor(online({x}).y).p"}


def exported(name, text):
    """The text with a section `export`, if it has none."""
    if re.search(r"^export\b", text, re.M):
        return text
    data, fields = re.search(r"^data (\w+) = .*?->\s*\{(.*?)\}", text, re.M | re.S).groups()
    image = re.search(r"(\w+):\s*Image", fields).group(1)
    x = f"{data}.{image}"
    exports, taken = [], set()
    for model, body in re.findall(r"^model (\w+)\(\w+: Image.*?\{\n(.*?)^\}", text, re.M | re.S):
        for out in re.findall(r"^\s*out (\w+)", body, re.M):
            exports.append(f"{out if out not in taken else model + '_' + out} = {model}({x}).{out}")
            taken.add(out)
    if name in MORE:
        exports.append(MORE[name].format(x=x))
    return f"{text}\nexport {{ {', '.join(exports)} }}\n"


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def pictures(folder, size, channels):
    """Two pictures of this height and width, bars in noise, and what they are to the network."""
    random, files, arrays = np.random.default_rng(size[0]), [], []
    for index in range(2):
        y, x = np.mgrid[: size[0], : size[1]]
        drawn = np.where(((x // (5 + index)) + y // 7) % 3 == 0, 200, 20) + random.integers(0, 50, size)
        shape = (*size, 3) if channels == 3 else size
        drawn = np.broadcast_to(drawn[..., None] if channels == 3 else drawn, shape).astype(np.uint8)
        files.append(folder / f"{size[0]}x{size[1]}-{index}.png")
        Image.fromarray(drawn).save(files[-1])
        drawn = drawn[None] if channels != 3 else drawn.transpose(2, 0, 1)
        arrays.append(drawn.astype(np.float32) / 255)
    return files, np.stack(arrays)


def compare(rord, path, work):
    """The largest error of ONNX Runtime by output, and what the module of PyTorch says."""
    folder = work / path.parent.name / path.stem
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if (path.parent / "lib").is_dir():
        shutil.copytree(path.parent / "lib", folder / "lib")
    for other in path.parent.glob("*.rord"):
        if other != path:
            shutil.copy(other, folder)
    text = exported(path.stem, path.read_text())
    file = folder / path.name
    file.write_text(text)
    sets = []
    if "param teacher_weights" in text:
        run(rord, folder / "teacher.rord", "--preset", "smoke", "--out", folder / "teacher")
        sets = ["--set", f'teacher_weights="{folder}/teacher"']
    trained = folder / "run"
    run(rord, file, "--preset", "smoke", "--out", trained, *sets)
    model = folder / "net.onnx"
    run(rord, "export", trained, "--to", "onnx", "--out", model)
    onnx.checker.check_model(onnx.load(model), full_check=True)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    fixed = [n for n in taken.shape[2:] if isinstance(n, int)]
    errors = {}
    for size in [tuple(fixed)] if fixed else SIZES:
        files, batch = pictures(folder, size, taken.shape[1])
        found = dict(zip([o.name for o in session.get_outputs()], session.run(None, {taken.name: batch})))
        for index, picture in enumerate(files):
            npz = picture.with_suffix(".npz")
            run(rord, "predict", trained, "--in", picture, "--dense", "--out", npz)
            for name, ours in np.load(npz).items():
                theirs = found[name][index]
                assert ours.shape == theirs.shape, (name, ours.shape, theirs.shape)
                error = float(np.abs(ours - theirs).max() / max(1.0, np.abs(ours).max()))
                errors[name] = max(errors.get(name, 0.0), error)
        assert set(errors) == set(found), (set(errors), set(found))
    run(rord, "export", trained, "--to", "torch", "--out", folder / "torch")
    said = run(sys.executable, folder / "torch" / "network.py")
    torch = {n: float(e) / max(float(m), 1.0) for n, e, m in re.findall(r"(\w+): differs by (\S+) .* up to (\S+)", said)}
    return errors, torch


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rord", type=Path, default=ROOT / "target/release/rord-run")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "rord-export")
    args = parser.parse_args()
    files = [*sorted(ROOT.glob("pipelines/*.rord")), *sorted(ROOT.glob("pipelines/papers/*.rord"))]
    files += sorted(ROOT.glob("benches/export/*.rord"))
    bad = 0
    print(f"{'pipeline':24}  {'ONNX Runtime':>12}  {'PyTorch':>9}  outputs")
    for path in files:
        if args.only and path.stem not in args.only:
            continue
        try:
            errors, torch = compare(args.rord.resolve(), path, args.work)
        except Exception as error:
            bad += 1
            print(f"{path.stem:24}  FAILED: {error}", flush=True)
            continue
        worst = max(errors.values()), max(torch.values())
        bad += max(worst) > 1e-4
        print(f"{path.stem:24}  {worst[0]:12.1e}  {worst[1]:9.1e}  {', '.join(errors)}", flush=True)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
