#!/usr/bin/env python3
"""One training step of a network in PyTorch: forward, losses, backward, clipping, optimizer. Prints one JSON object.

    python benches/pytorch/step.py S --mode eager --threads 2

Of S and V it is the step that `rord-run bench benches/S.rord` takes: the same layers, losses, optimizer and sizes, on pictures of
rectangles and a random affine move of each. The others are shipped pipelines, whose twins are in the folder `pipelines` beside this
file. Modes: eager, channels_last, compile, bf16 (which is channels_last under autocast), compile_bf16 (both). `--device cuda` takes the
step on a GPU; products of f32 are full ones there, too.
"""

import argparse
import json
import resource
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

from pipelines import PIPELINES, twin
from pipelines.places import sampled

NETWORKS = {
    "S": dict(channels=1, side=128, batch=8, trunk=[32, 64, "pool", 64, 128, "pool", 128], det=[64], desc=[128]),
    "V": dict(
        channels=3,
        side=256,
        batch=2,
        trunk=[64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512],
        det=[256, 128],
        desc=[256, 128],
    ),
}


def convolutions(inputs, widths):
    """3 × 3 convolutions with relu; `pool` halves the map."""
    layers = []
    for width in widths:
        if width == "pool":
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU(inplace=True)]
        inputs = width
    return layers, inputs


class Net(nn.Module):
    def __init__(self, channels, trunk, det, desc):
        super().__init__()
        layers, width = convolutions(channels, trunk)
        self.trunk = nn.Sequential(*layers)
        layers, last = convolutions(width, det)
        self.det = nn.Sequential(*layers, nn.Conv2d(last, 1, 3, padding=1), nn.Sigmoid())
        layers, last = convolutions(width, desc[:-1])
        self.desc = nn.Sequential(*layers, nn.Conv2d(last, desc[-1], 3, padding=1), nn.InstanceNorm2d(desc[-1]))

    def forward(self, x):
        seen = self.trunk(x)
        return self.det(seen), self.desc(seen)


def pictures(batch, channels, side, generator):
    """Pictures, the same pictures moved, and the matrices that lead from the first to the second (batch, 2, 3)."""
    coarse = (torch.rand(batch, 1, side // 8, side // 8, generator=generator) > 0.5).float()
    image = F.interpolate(coarse, size=(side, side)).expand(batch, channels, side, side).contiguous()
    angle = torch.rand(batch, generator=generator) - 0.5
    zoom = 0.9 + 0.2 * torch.rand(batch, generator=generator)
    move = torch.zeros(batch, 2, 3)
    move[:, 0, 0] = move[:, 1, 1] = zoom * angle.cos()
    move[:, 1, 0] = zoom * angle.sin()
    move[:, 0, 1] = -move[:, 1, 0]
    back = torch.zeros_like(move)
    back[:, :, :2] = torch.linalg.inv(move[:, :, :2])
    grid = F.affine_grid(back, list(image.shape), align_corners=False)
    return image, F.grid_sample(image, grid, align_corners=False), move


def losses(det, desc, det_r, desc_r, move, thrown):
    grid = F.affine_grid(move, list(det_r.shape), align_corners=False)
    home = F.grid_sample(det_r, grid, align_corners=False)
    detection = F.binary_cross_entropy(det, home) + 0.1 * F.smooth_l1_loss(det, home)
    batch = det.shape[0]
    y, x = torch.meshgrid(*(torch.linspace(-a, a, n, device=det.device) for a, n in ((0.9, 10), (0.95, 20))), indexing="ij")
    places = torch.stack([x, y], -1).reshape(1, 200, 2).expand(batch, -1, -1)
    moved = torch.cat([places, torch.ones(batch, 200, 1, device=det.device)], -1) @ move.transpose(1, 2)
    anchor, positive, candidates = sampled(desc, places), sampled(desc_r, moved), sampled(desc_r, thrown)
    with torch.no_grad():
        hardest = torch.cdist(anchor, candidates).argmin(2)
    negative = candidates.gather(1, hardest.unsqueeze(-1).expand(-1, -1, candidates.shape[2]))
    return detection + F.triplet_margin_loss(anchor, positive, negative, margin=1.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=[*NETWORKS, *PIPELINES])
    parser.add_argument("--mode", default="eager", choices=["eager", "channels_last", "compile", "bf16", "compile_bf16"])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--batch", type=int, help="of S and V [default: as in benches/]")
    parser.add_argument("--tf32", action="store_true", help="let a GPU round the factors of f32 products")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--warmup", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = args.tf32
    torch.backends.cudnn.benchmark = True
    step, parameters = (of_pipeline if args.network in PIPELINES else of_views)(args)
    for _ in range(args.warmup if args.device == "cpu" else args.warmup + 10):
        step()
    times = []
    for _ in range(args.steps):
        begun = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - begun))
    result = dict(
        network=args.network,
        mode=args.mode,
        device=args.device,
        torch=torch.__version__,
        threads=args.threads,
        weights=parameters,
        median_ms=statistics.median(times),
        min_ms=min(times),
        max_ms=max(times),
        peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
    print(json.dumps(result))


def of_pipeline(args):
    """The step of a shipped pipeline, and how many weights it trains."""
    made = twin(args.network)
    net, tensors = made().to(args.device), [t.to(args.device) for t in made.inputs(torch.Generator().manual_seed(0))]
    if args.mode == "channels_last" or "bf16" in args.mode:
        last = torch.channels_last
        net, tensors = net.to(memory_format=last), [t.to(memory_format=last) if t.dim() == 4 else t for t in tensors]
    optimizer = net.optimizer()

    def forward():
        def run(*x):
            with torch.autocast(args.device, dtype=torch.bfloat16, enabled="bf16" in args.mode):
                return net(*x)

        return net.loss(run, *tensors)

    if "compile" in args.mode:
        forward = torch.compile(forward)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = forward()
        loss.backward()
        if hasattr(net, "clip"):
            torch.nn.utils.clip_grad_norm_(net.parameters(), net.clip)
        optimizer.step()
        return loss.item()

    return step, sum(p.numel() for p in net.parameters() if p.requires_grad)


def of_views(args):
    """The step of network S or V, and how many weights it trains."""
    sizes = dict(NETWORKS[args.network])
    sizes["batch"] = args.batch or sizes["batch"]
    net = Net(sizes["channels"], sizes["trunk"], sizes["det"], sizes["desc"]).to(args.device)
    generator = torch.Generator().manual_seed(0)
    made = pictures(sizes["batch"], sizes["channels"], sizes["side"], generator)
    if args.mode == "channels_last" or "bf16" in args.mode:
        last = torch.channels_last
        net, made = net.to(memory_format=last), [t.to(memory_format=last) if t.dim() == 4 else t for t in made]
    if args.device != "cpu":
        # Each step copies its pictures, as rord's does, and from where that is fastest.
        made = [t.pin_memory() for t in made]
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

    def forward(image, image_r, move, thrown):
        with torch.autocast(args.device, dtype=torch.bfloat16, enabled="bf16" in args.mode):
            (det, desc), (det_r, desc_r) = net(image), net(image_r)
        return losses(det.float(), desc.float(), det_r.float(), desc_r.float(), move, thrown)

    if "compile" in args.mode:
        forward = torch.compile(forward)

    def step():
        thrown = (torch.rand(sizes["batch"], 200, 2, generator=generator) * 2 - 1).to(args.device)
        optimizer.zero_grad(set_to_none=True)
        loss = forward(*(t.to(args.device, non_blocking=True) for t in made), thrown)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step, sum(p.numel() for p in net.parameters())


if __name__ == "__main__":
    main()
