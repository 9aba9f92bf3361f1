"""Makes tests/golden/follow/*.safetensors: eight training steps of follow.rord and of gan.rord as PyTorch does them, for
tests/numbers/follow.rs. Run once, by hand.

    python -m venv venv && venv/bin/pip install torch numpy safetensors
    venv/bin/python tests/golden/follow.py

Batches and first weights are exact in f32; everything is computed in f64.
"""

import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

FOLDER = pathlib.Path(__file__).parent / "follow"
SAMPLES, BATCH, EPOCHS, SIDE = 8, 2, 2, 8
STEPS = EPOCHS * SAMPLES // BATCH

torch.manual_seed(5)
torch.set_default_dtype(torch.float64)
image = torch.rand(SAMPLES, 1, SIDE, SIDE).float().double()
save_file({"image": image.float()}, FOLDER / "batches.safetensors")


def rounded(module):
    """First weights that f32 holds."""
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.float().double())
    return module


def batch(step):
    first = step % (SAMPLES // BATCH) * BATCH
    return image[first : first + BATCH]


def named(module, model, names):
    """The tensors of a module by the names that rord has for them."""
    found = {}
    for place, name in names.items():
        for role, tensor in module[place].state_dict().items():
            if role != "num_batches_tracked":
                role = {"running_mean": "running_mean", "running_var": "running_var"}.get(role, role)
                found[f"{model}.{name}.{role}"] = tensor.detach().clone()
    return found


def follow():
    def encoder():
        conv, norm = torch.nn.Conv2d, torch.nn.BatchNorm2d
        return rounded(torch.nn.Sequential(conv(1, 4, 3, padding=1), norm(4), torch.nn.ReLU(), conv(4, 3, 3, padding=1)))

    net, target = encoder(), encoder()
    log = torch.nn.Parameter(torch.tensor(math.log(0.5)).float().double())
    scale = torch.nn.Parameter(torch.tensor(0.3).float().double())
    prototypes = torch.nn.Parameter((0.1 * torch.randn(5, 3)).float().double())
    places = {0: "p.0.0", 1: "p.0.1", 3: "p.0.3"}

    def weights():
        own = {"head.temperature.log": log, "head.scale": scale, "head.prototypes": prototypes}
        own = {name: tensor.detach().clone() for name, tensor in own.items()}
        return {**named(net, "net", places), **named(target, "target", places), **own}

    save_file({n: t.float() for n, t in weights().items()}, FOLDER / "follow-weights.safetensors")
    optimizer = torch.optim.SGD([*net.parameters(), log, scale, prototypes], lr=0.1, momentum=0.9)
    series = {name: [] for name in ["total", "agreement", "shape", "near", "part"]}
    for step in range(STEPS):
        x = batch(step)
        p = net(x)
        with torch.no_grad():
            q = target(x)
        part = 2 * min(1, max(0, step - 1) / 4)
        v = F.normalize(prototypes, dim=1)
        losses = {
            "agreement": F.mse_loss(p, q),
            "shape": ((p - 0.5) ** 2).mean(),
            "near": torch.logsumexp(v @ v.T / log.exp(), 1).mean(),
        }
        total = part * losses["agreement"] + losses["shape"] + torch.exp(-scale) * losses["near"] + scale
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        # As in BYOL: parameters follow after the step, buffers are the target's own.
        decay = 1 - (1 - 0.5) * (1 + math.cos(math.pi * min(1, step / 6))) / 2
        with torch.no_grad():
            for own, other in zip(target.parameters(), net.parameters()):
                own.mul_(decay).add_(other, alpha=1 - decay)
        for name, value in {**losses, "total": total, "part": torch.tensor(part)}.items():
            series[name].append(float(value))
    series = {name: torch.tensor(values) for name, values in series.items()}
    save_file({**series, **weights()}, FOLDER / "follow-expected.safetensors")


def gan():
    conv = torch.nn.Conv2d
    g = rounded(torch.nn.Sequential(conv(1, 3, 3, padding=1), torch.nn.BatchNorm2d(3), torch.nn.ReLU(), conv(3, 1, 3, padding=1)))
    c = rounded(torch.nn.Sequential(conv(1, 3, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2), conv(3, 1, 1)))

    def weights():
        return {**named(g, "g", {0: "y.0", 1: "y.1", 3: "y.3"}), **named(c, "c", {0: "s.0", 3: "s.3"})}

    save_file({n: t.float() for n, t in weights().items()}, FOLDER / "gan-weights.safetensors")
    of_g, of_c = torch.optim.Adam(g.parameters(), lr=1e-2), torch.optim.Adam(c.parameters(), lr=1e-2)
    series = {"critic": [], "generator": [], "grad_norm": []}
    for step in range(STEPS):
        x, squares = batch(step), 0.0
        critic = F.softplus(-c(x)).mean() + F.softplus(c(g(x).detach())).mean()
        of_c.zero_grad()
        critic.backward()
        squares += sum(float((p.grad**2).sum()) for p in c.parameters())
        of_c.step()
        generator = F.softplus(-c(g(x))).mean()
        of_g.zero_grad()
        generator.backward()
        squares += sum(float((p.grad**2).sum()) for p in g.parameters())
        of_g.step()
        for name, value in [("critic", critic), ("generator", generator), ("grad_norm", math.sqrt(squares))]:
            series[name].append(float(value))
    series = {name: torch.tensor(values) for name, values in series.items()}
    save_file({**series, **weights()}, FOLDER / "gan-expected.safetensors")


follow()
gan()
