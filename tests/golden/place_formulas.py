"""Makes tests/golden/place_formulas.safetensors: formulas on places, value and gradients, computed with PyTorch.

    venv/bin/python tests/golden/place_formulas.py

The form is that of std.py's file. Everything is computed in f64 from numbers that are exact in f32.
"""

import json
import pathlib
import zlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

TENSORS, CASES = {}, {}
HALF = torch.tensor([14.0, 10.0], dtype=torch.float64)


def rand(key, shape, low=-1.0, high=1.0):
    generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
    return torch.rand(shape, generator=generator, dtype=torch.float64) * (high - low) + low


def case(name, expression, f, inputs, wants):
    """`inputs` are name: (declared type, tensor)."""
    leaves = {k: v.float().double().clone().requires_grad_(k in wants) for k, (_, v) in inputs.items()}
    out = f(**leaves)
    slopes = torch.autograd.grad(out, [leaves[k] for k in wants]) if wants else []
    TENSORS.update({f"{name}/in/{k}": v.detach().float().contiguous() for k, v in leaves.items()})
    TENSORS[f"{name}/out"] = out.detach()
    TENSORS.update({f"{name}/d/{k}": v.contiguous() for k, v in zip(wants, slopes)})
    assert all(torch.isfinite(v).all() for k, v in TENSORS.items() if k.startswith(f"{name}/")), name
    CASES[name] = {"expression": expression, "inputs": {k: ty for k, (ty, _) in inputs.items()}}


def moved(p, H):
    q = torch.cat([p, torch.ones_like(p[..., :1])], -1) @ H.transpose(1, 2)
    return q[..., :2] / q[..., 2:]


def read(x, at):
    return F.grid_sample(x, at[:, :, None], align_corners=False).squeeze(3).transpose(1, 2)


def middles(like):
    eye = torch.eye(2, 3, dtype=torch.float64).expand(len(like), 2, 3)
    return F.affine_grid(eye, like.shape, align_corners=False).flatten(1, 2)


def length(o):
    return torch.linalg.vector_norm(o, dim=-1)


def around(score, at, window, temperature):
    """Softmax over the cells around places: weights and the cells' middles."""
    _, _, h, w = score.shape
    size = torch.tensor([w, h])
    steps = torch.cartesian_prod(*[torch.arange(-(window // 2), window // 2 + 1)] * 2).flip(1)
    cells = ((at.detach() + 1) / 2 * size).floor().long()[:, :, None] + steps
    inside = ((cells >= 0) & (cells < size)).all(-1)
    assert inside.any(-1).all()
    number = (cells[..., 1].clamp(0, h - 1) * w + cells[..., 0].clamp(0, w - 1)).flatten(1)
    values = score.flatten(1).gather(1, number).view(inside.shape)
    return (values / temperature).masked_fill(~inside, -torch.inf).softmax(-1), (cells * 2 + 1).double() / size - 1


def soft(score, at, window=5, temperature=0.1):
    weights, places = around(score, at, window, temperature)
    return (weights[..., None] * places).sum(-2)


turn = torch.tensor([[0.8, -0.3, 0.1], [0.25, 0.9, -0.05], [0.02, -0.03, 1.0]], dtype=torch.float64)
H = {"H": ("Homography[2]@f->g", turn.expand(2, 3, 3))}
IMAGE = {"image": ("Image[2, 1, 20, 28]@f", torch.zeros(2, 1, 20, 28))}
IMAGE_G = {"image_r": ("Image[2, 1, 20, 28]@g", torch.zeros(2, 1, 20, 28))}
P = {"p": ("Points[2, 6]@f", rand("p", (2, 6, 2), -0.8, 0.8))}
Q = {"q": ("Points[2, 6]@f", rand("q", (2, 6, 2), -0.8, 0.8))}
QG = {"q": ("Points[2, 6]@g", rand("qg", (2, 6, 2), -0.8, 0.8))}
DET = {"det": ("Prob[2, 1, 10, 14]@f", rand("det", (2, 1, 10, 14), 0, 1))}
DET_R = {"det_r": ("Prob[2, 1, 10, 14]@g", rand("det_r", (2, 1, 10, 14), 0, 1))}
DESC = {"desc": ("Desc[2, 3, 5, 7]@f", rand("desc", (2, 3, 5, 7)))}

case("squares", "mean(distance(p, q, squared = true))",
     lambda image, p, q: ((p - q) * HALF).square().sum(-1).mean(), IMAGE | P | Q, ["p", "q"])
case("reprojection", "mean(distance(move(p, H), q))",
     lambda image_r, p, q, H: length((moved(p, H) - q) * HALF).mean(), IMAGE_G | P | QG | H, ["p", "q"])
case("arithmetic", "mean(length(2 * (p - q) / (1 + length(p - q)) - 0.5 * (q - p) * length(q - p)))",
     lambda image, p, q: (lambda o: length(2 * o / (1 + length(o))[..., None] + 0.5 * o * length(o)[..., None]).mean())((p - q) * HALF),
     IMAGE | P | Q, ["p", "q"])
case("halfway", "mean(sample(desc, p + 0.5 * (q - p)) * sample(desc, q - 0.25 * (p - q)))",
     lambda image, p, q, desc: (read(desc, p + 0.5 * (q - p)) * read(desc, q - 0.25 * (p - q))).mean(), IMAGE | P | Q | DESC, ["p", "q", "desc"])
case("sampled where it moves", "mean(sample(desc, move(p, inv(H))))",
     lambda p, desc, H: read(desc, moved(p, torch.linalg.inv(H))).mean(), {"p": ("Points[2, 6]@g", P["p"][1] * 0.6)} | DESC | H, ["p", "desc"])
case("negative", "mean(length(-(p - q) + (p - q) + (q - p)))",
     lambda image, p, q: length((q - p) * HALF).mean(), IMAGE | P | Q, ["p", "q"])

# KeyNet: the score's mean place in every window of one view, moved, against that of the other view around it.
case("soft detection", "mean(distance(move(soft_argmax(det, p, temperature = 0.1), H), soft_argmax(det_r, move(p, H), temperature = 0.1)))",
     lambda image_r, p, det, det_r, H: length((moved(soft(det, p), H) - soft(det_r, moved(p, H))) * HALF).mean(),
     IMAGE_G | {"p": ("Points[2, 6]@f", P["p"][1] * 0.7)} | DET | DET_R | H, ["det", "det_r"])



def dispersed(det, p, image):
    weights, places = around(det, p, 5, 0.1)
    far = ((places - (weights[..., None] * places).sum(-2, keepdim=True)) * HALF).square().sum(-1)
    return (weights * far).sum(-1).mean()


# ALIKE: how far a peak spreads.
case("dispersity", "mean(dispersion(det, p, window = 5, temperature = 0.1, squared = true))", dispersed, IMAGE | P | DET, ["det"])

def fired(det, keep, apart):
    """The `keep` highest cells that exceed all that are nearer than `apart` px, as plain numbers."""
    places = middles(det)
    far = torch.cdist(places * HALF, places * HALF, compute_mode="donot_use_mm_for_euclid_dist")
    score = det.detach().flatten(1)
    higher = (score[:, None] > score[:, :, None]) & (far < apart)
    only = score.masked_fill(higher.any(2), -1.0)
    best = only.topk(keep)
    assert (best.values > 0).all(), "fewer peaks than asked for"
    return places.gather(1, best.indices[..., None].expand(-1, -1, 2))


# ALIKE, XFeat, DeDoDe: descriptors are trained where the detector fires; the score by what is read of it there.
case("where it fires", "mean(sample(desc, place(peaks(det, keep = 4, apart = 5px), like = desc))) - mean(sample(det, place(peaks(det, keep = 4, apart = 5px), like = det)))",
     lambda image, det, desc: read(desc, fired(det, 4, 5.0)).mean() - read(det, fired(det, 4, 5.0)).mean(), IMAGE | DET | DESC, ["det", "desc"])
case("alike", "mean(distance(soft_argmax(det, place(peaks(det, keep = 3, apart = 5px), like = det), window = 3, temperature = 0.1), q))",
     lambda image, det, q: length((soft(det, fired(det, 3, 5.0), 3) - q) * HALF).mean(),
     IMAGE | DET | {"q": ("Points[2, 3]@f", rand("q3", (2, 3, 2)))}, ["det", "q"])
case("topk", "sum(sample(desc, place(topk(det, keep = 7), like = desc)))",
     lambda det, desc: read(desc, middles(det).gather(1, det.detach().flatten(1).topk(7).indices[..., None].expand(-1, -1, 2))).sum(),
     DET | DESC, ["desc"])

# Distances of all pairs of cells, weighed by the softmax of a score: the mean distance from a given place.
case("all cells", "mean(distances(p, coords(like = desc)))",
     lambda image, p, desc: length((p[:, :, None] - middles(desc)[:, None]) * HALF).mean(), IMAGE | P | DESC, ["p"])
case("back to a map", "mean(as_map(as_vectors(desc), like = desc) * desc)", lambda desc: desc.square().mean(), DESC, ["desc"])

path = pathlib.Path(__file__).parent / "place_formulas.safetensors"
save_file(TENSORS, path, {"golden": json.dumps({"made_by": f"torch {torch.__version__}", "cases": CASES})})
path.chmod(0o644)
print(f"{len(CASES)} cases, {path.stat().st_size / 1024:.0f} KiB")
