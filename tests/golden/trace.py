"""Makes tests/golden/trace/*.safetensors: fifty training steps as PyTorch does them, for tests/numbers/trace.rs. Run once, by hand.

    python -m venv venv && venv/bin/pip install torch numpy safetensors
    venv/bin/python tests/golden/trace.py

The pipeline is tests/golden/trace/trace.rord; here it is written again with what PyTorch has, and with the formulas of
docs/guide/numerics.md for the grid of anchors and the choice of negatives. Batches and first weights are exact in f32;
everything is computed in f64, so that the trace is a reference and not a second rounding. Beside it runs a trace in f32, and
one with the mistake that the language's frames rule out: the map warped by H instead of inv(H).
"""

import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

FOLDER = pathlib.Path(__file__).parent / "trace"
SAMPLES, BATCH, EPOCHS, SIDE, ANCHORS, CANDIDATES = 20, 2, 5, 32, 40, 60


def places(T, points):
    """T (B, 3, 3) applied to points (B, N, 2) in normalized coordinates."""
    q = torch.cat([points, torch.ones_like(points[..., :1])], 2) @ T.transpose(1, 2)
    return q[..., :2] / q[..., 2:]


def sample(map, points):
    """(B, C, h, w) read at (B, N, 2): (B, N, C)."""
    return F.grid_sample(map, points[:, :, None], align_corners=False).squeeze(3).transpose(1, 2)


def centers(n, like):
    return (2 * torch.arange(n, dtype=like.dtype) + 1) / n - 1


def warp(x, T):
    """Moves x by T: the result at q is x at T⁻¹ q."""
    b, c, h, w = x.shape
    y, x_ = torch.meshgrid(centers(h, x), centers(w, x), indexing="ij")
    q = torch.stack([x_, y], 2).reshape(1, -1, 2).expand(b, -1, 2)
    return sample(x, places(torch.linalg.inv(T), q)).transpose(1, 2).reshape(b, c, h, w)


def grid(n, like):
    """Exactly n anchors, each in the middle of a cell of its own."""
    b, _, h, w = like.shape
    rows = min(max(round(math.sqrt(n * h / w)), 1), n)
    points = []
    for i in range(rows):
        m = (i + 1) * n // rows - i * n // rows
        points += [((2 * j + 1) / m - 1, (2 * i + 1) / rows - 1) for j in range(m)]
    return torch.tensor(points, dtype=like.dtype).expand(b, n, 2)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        conv = torch.nn.Conv2d
        self.trunk = torch.nn.Sequential(
            conv(1, 8, 3, padding=1), torch.nn.ReLU(), conv(8, 12, 5, padding=2), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
            conv(12, 16, 3, stride=2, padding=1), torch.nn.ReLU(),
        )
        self.det = torch.nn.Sequential(conv(16, 8, 1), torch.nn.ReLU(), conv(8, 1, 1), torch.nn.Sigmoid())
        self.desc = torch.nn.Sequential(conv(16, 16, 3, padding=1, bias=False), torch.nn.InstanceNorm2d(16))

    def forward(self, x):
        trunk = self.trunk(x)
        return self.det(trunk), self.desc(trunk)


def losses(net, batch, wrong=False):
    (det, desc), (det_r, desc_r) = net(batch["image"]), net(batch["image_r"])
    H = batch["H"]
    # The mistake reads padding, and at 0 PyTorch's gradient in the target is infinite.
    home = warp(det_r, H).clamp(1e-6, 1) if wrong else warp(det_r, torch.linalg.inv(H))
    detection = F.binary_cross_entropy(home, det) + 0.1 * F.smooth_l1_loss(home, det)
    anchors = grid(ANCHORS, desc)
    a, p, candidates = sample(desc, anchors), sample(desc_r, places(H, anchors)), sample(desc_r, batch["cand"])
    with torch.no_grad():
        nearest = torch.cdist(a, candidates).argmin(2)
    at = batch["cand"].gather(1, nearest[..., None].expand(-1, -1, 2))
    n = sample(desc_r, at)
    description = F.triplet_margin_loss(a.flatten(0, 1), p.flatten(0, 1), n.flatten(0, 1), margin=1.0)
    return detection + description, detection, description


def data():
    """Blocks and wires, each seen a second time through H."""
    g = torch.Generator().manual_seed(7)
    rand = lambda *s: torch.rand(s, generator=g, dtype=torch.float64)
    image = torch.zeros(SAMPLES, 1, SIDE, SIDE, dtype=torch.float64)
    for one in image[:, 0]:
        for _ in range(9):
            (x, y), (w, h) = (rand(2) * SIDE).int().tolist(), (2 + rand(2) * 12).int().tolist()
            one[y : y + h, x : x + w] = 0.2 + 0.8 * rand(1)
    image = F.avg_pool2d(F.pad(image + 0.3 * rand(*image.shape), (1, 1, 1, 1), "replicate"), 3, 1)
    symmetries = [(1, 0, 0, 1), (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0), (-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0)]
    H = torch.eye(3, dtype=torch.float64).repeat(SAMPLES, 1, 1)
    for i, one in enumerate(H):
        if i % 3 < 2:
            one[:2, :2] = torch.tensor(symmetries[(5 * i + 1) % 8], dtype=torch.float64).reshape(2, 2)
        else:
            # Small enough that the whole first view lies within the second, with some perspective.
            angle = 2 * math.pi * rand(1).item()
            c, s = 0.66 * math.cos(angle), 0.66 * math.sin(angle)
            one[:2, :2] = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
            one[2, :2] = 0.05 * (rand(2) - 0.5)
    H = H.float().double()
    image_r = (warp(image, H) + 0.03 * (rand(*image.shape) - 0.5)).clamp(0, 1)
    cand = rand(SAMPLES, CANDIDATES, 2) * 2 - 1
    return {k: v.float() for k, v in {"image": image, "image_r": image_r, "H": H, "cand": cand}.items()}


def run(batches, first, dtype, wrong=False):
    net = Net().to(dtype)
    net.load_state_dict({k: v.to(dtype) for k, v in first.items()})
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, threshold=0.3)
    steps = SAMPLES // BATCH
    trace = {k: [] for k in ["total", "detection", "description", "grad_norm", "lr"]}
    for _ in range(EPOCHS):
        for step in range(steps):
            batch = {k: v[step * BATCH : (step + 1) * BATCH].to(dtype) for k, v in batches.items()}
            total, detection, description = losses(net, batch, wrong)
            optimizer.zero_grad()
            total.backward()
            norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            lr = optimizer.param_groups[0]["lr"]
            optimizer.step()
            for k, v in zip(trace, [total, detection, description, norm, lr]):
                trace[k].append(float(v.detach()) if torch.is_tensor(v) else v)
        schedule.step(sum(trace["total"][-steps:]) / steps)
    return {k: torch.tensor(v, dtype=torch.float64) for k, v in trace.items()}, net.state_dict()


def parts(batches, first, dtype):
    """The same network trained by part, two batches a step, with a running average: tests/golden/trace/parts.rord."""
    net = Net().to(dtype)
    net.load_state_dict({k: v.to(dtype) for k, v in first.items()})
    trunk = [p for k, p in net.named_parameters() if k.startswith("trunk")]
    groups = [
        {"params": [p for k, p in net.named_parameters() if k.startswith("trunk") and k.endswith("weight")], "lr": 1e-4},
        {"params": [p for k, p in net.named_parameters() if k.startswith("trunk") and k.endswith("bias")], "lr": 1e-4, "weight_decay": 0},
        {"params": [p for k, p in net.named_parameters() if not k.startswith("trunk") and k.endswith("weight")]},
        {"params": [p for k, p in net.named_parameters() if not k.startswith("trunk") and k.endswith("bias")], "weight_decay": 0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.1)
    average = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    trace = {k: [] for k in ["total", "grad_norm"]}
    for epoch in range(EPOCHS):
        for p in trunk:
            p.requires_grad_(epoch >= 2)
        for step in range(SAMPLES // BATCH // 2):
            optimizer.zero_grad()
            total = 0
            for half in range(2):
                at = (2 * step + half) * BATCH
                loss = losses(net, {k: v[at : at + BATCH].to(dtype) for k, v in batches.items()})[0] / 2
                loss.backward()
                total += loss.item()
            trained = [p for p in net.parameters() if p.grad is not None]
            norm = torch.nn.utils.get_total_norm([p.grad for p in trained])
            torch.nn.utils.clip_grad_value_(trained, 0.05)
            optimizer.step()
            average.update_parameters(net)
            trace["total"].append(total)
            trace["grad_norm"].append(norm.item())
    return {k: torch.tensor(v, dtype=torch.float64) for k, v in trace.items()}, average.module.state_dict()


def gap(a, b):
    return ((a - b).abs() / b.abs()).max().item()


if __name__ == "__main__":
    # A seed whose trace does not depend on the last bits: the choice of the nearest candidate and the slopes of relu and max_pool
    # are steps, and where a run comes near one, two ways of rounding part. Here f32 and 2e-7 of noise leave all within 5e-5.
    torch.manual_seed(6)
    # Three times as large as usual, so that fifty steps bend the network and do not kill half of its units.
    first = {k: 3 * v.detach() for k, v in Net().state_dict().items()}
    batches = data()
    trace, last = run(batches, first, torch.float64)
    single, last_single = run(batches, first, torch.float32)
    wrong, _ = run(batches, first, torch.float64, wrong=True)
    print("total", [round(x, 4) for x in trace["total"].tolist()])
    print("lr", trace["lr"].tolist()[::10])
    print("grad norms", trace["grad_norm"].min().item(), "to", trace["grad_norm"].max().item())
    for k in trace:
        print(f"{k}: torch in f32 is within {gap(single[k], trace[k]):.1e}, the wrong direction is off by {gap(wrong[k], trace[k]):.1e}")
    scale = lambda k: last[k].abs().max().item()
    print("weights: torch in f32 is within", max((last_single[k] - last[k]).abs().max().item() / scale(k) for k in last))
    print("wrong, first steps:", wrong["detection"][:3].tolist(), "instead of", trace["detection"][:3].tolist())
    expected = trace | {f"wrong/{k}": v for k, v in wrong.items()} | {f"net.{k}": v.float() for k, v in last.items()}
    by_part, averaged = parts(batches, first, torch.float64)
    single, averaged_single = parts(batches, first, torch.float32)
    for k in by_part:
        print(f"by part, {k}: torch in f32 is within {gap(single[k], by_part[k]):.1e}; {by_part[k].tolist()[::6]}")
    apart = lambda k: ((averaged_single[k] - averaged[k]).abs().max() / averaged[k].abs().max()).item()
    print("by part, averaged weights: torch in f32 is within", max(apart(k) for k in averaged))
    save_file(by_part | {f"net.{k}": v.float().contiguous() for k, v in averaged.items()}, FOLDER / "parts.safetensors")
    files = {"batches": batches, "weights": {f"net.{k}": v for k, v in first.items()}, "expected": expected}
    for name, tensors in files.items():
        path = FOLDER / f"{name}.safetensors"
        save_file({k: v.contiguous() for k, v in tensors.items()}, path)
        path.chmod(0o644)
        print(path, path.stat().st_size)
