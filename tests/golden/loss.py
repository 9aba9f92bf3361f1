"""Makes tests/golden/loss/*.safetensors: the published loss as a whole, in PyTorch. Run once, by hand; the tests need no Python.

    python -m venv venv && venv/bin/pip install torch numpy safetensors
    venv/bin/python tests/golden/loss.py

Each file holds the inputs of tests/golden/loss/rord.rord in f64, the values that PyTorch computes (value.NAME) and the gradients of
the total (grad.NAME). The negatives' candidates are given, so nothing is drawn.
"""

import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

FOLDER = pathlib.Path(__file__).parent / "loss"


def grid(n, height, width):
    """n cell-centered points: row i of r holds floor((i+1)n/r) - floor(in/r) of them."""
    r = max(1, round(math.sqrt(n * height / width)))
    points = []
    for i in range(r):
        count = (i + 1) * n // r - i * n // r
        for j in range(count):
            points.append(((2 * j + 1) / count - 1, (2 * i + 1) / r - 1))
    return torch.tensor(points, dtype=torch.float64)


def move(points, h):
    moved = torch.cat([points, torch.ones_like(points[..., :1])], -1) @ h.transpose(1, 2)
    return moved[..., :2] / moved[..., 2:]


def cells(height, width):
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1).double().reshape(1, -1, 2)


def sample(maps, points):
    found = F.grid_sample(maps, points.unsqueeze(1), mode="bilinear", padding_mode="zeros", align_corners=False)
    return found.squeeze(2).transpose(1, 2)


def loss(det, det_r, desc, desc_r, h, cand):
    batch, _, height, width = det.shape
    # warp(det_r, inv(H)): the map brought home reads its source at H q.
    places = move(cells(height, width).expand(batch, -1, -1), h).reshape(batch, height, width, 2)
    home = F.grid_sample(det_r, places, mode="bilinear", padding_mode="zeros", align_corners=False)
    detection = F.binary_cross_entropy(home, det) + 0.1 * F.smooth_l1_loss(home, det)
    at = grid(200, desc.shape[2], desc.shape[3]).expand(batch, -1, -1)
    anchor, positive, candidates = sample(desc, at), sample(desc_r, move(at, h)), sample(desc_r, cand)
    with torch.no_grad():
        nearest = torch.cdist(anchor, candidates).argmin(2)
    negative = candidates.gather(1, nearest.unsqueeze(-1).expand(-1, -1, candidates.shape[2]))
    description = F.triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2)
    return detection, description, detection + description


def homographies(kind, generator):
    if kind == "symmetries":
        all_eight = []
        for k in range(4):
            c, s = [1, 0, -1, 0][k], [0, 1, 0, -1][k]
            turn = torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)
            mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))
            all_eight += [turn, turn @ mirror]
        return torch.stack(all_eight)
    h = torch.eye(3, dtype=torch.float64).repeat(4, 1, 1)
    h[:, :2, :3] += 0.4 * (torch.rand(4, 2, 3, generator=generator, dtype=torch.float64) - 0.5)
    if kind == "projective":
        h[:, 2, :2] += 0.2 * (torch.rand(4, 2, generator=generator, dtype=torch.float64) - 0.5)
    return h


def main():
    for kind, (height, width) in {"symmetries": (9, 9), "affine": (8, 11), "projective": (7, 7)}.items():
        g = torch.Generator().manual_seed(7)
        # Rounded to f32, so that the same numbers can be fed in f32.
        rand = lambda *shape: torch.rand(*shape, generator=g).double()
        h = homographies(kind, g).float().double()
        b = h.shape[0]
        inputs = {
            "det": 0.05 + 0.9 * rand(b, 1, height, width),
            "det_r": 0.05 + 0.9 * rand(b, 1, height, width),
            "desc": 2 * rand(b, 16, height, width) - 1,
            "desc_r": 2 * rand(b, 16, height, width) - 1,
        }
        inputs = {n: t.float().double().requires_grad_() for n, t in inputs.items()}
        cand = (2 * rand(b, 60, 2) - 1).float().double()
        # PyTorch has no gradient in the target of its loss where that needs one: it is written out.
        detection, description, total = loss(**inputs, h=h, cand=cand)
        grads = torch.autograd.grad(total, list(inputs.values()))
        tensors = {n: t.detach() for n, t in inputs.items()} | {"H": h, "cand": cand}
        tensors |= {f"grad.{n}": t for n, t in zip(inputs, grads)}
        tensors |= {"value.detection": detection, "value.description": description, "value.total": total}
        # f64 inputs are exact in f32 and are stored so; what was computed keeps its precision.
        tensors = {n: (t if "." in n else t.float()).detach().contiguous() for n, t in tensors.items()}
        save_file(tensors, FOLDER / f"{kind}.safetensors", {"torch": torch.__version__})
        (FOLDER / f"{kind}.safetensors").chmod(0o644)
        print(kind, detection.item(), description.item(), total.item())


main()
