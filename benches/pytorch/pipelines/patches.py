"""Networks of one view: descriptors of whole patches, and a mask of a picture."""

import torch
import torch.nn.functional as F
from torch import nn


def normed(inputs, outputs, kernel=3, stride=1, padding=1, affine=True, relu=True):
    """A convolution without bias, its batch normalization, and a rectifier."""
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False),
        nn.BatchNorm2d(outputs, affine=affine),
    ]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


class HardNet(nn.Module):
    """pipelines/hardnet.rord: a batch of 256 pairs of 32 × 32."""

    def __init__(self):
        super().__init__()
        plan = [(1, 32, 1), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 128, 2), (128, 128, 1)]
        blocks = [normed(i, o, stride=s, affine=False) for i, o, s in plan]
        last = normed(128, 128, kernel=8, padding=0, affine=False, relu=False)
        self.layers = nn.Sequential(*blocks, nn.Dropout(0.3), last)

    def forward(self, x):
        x = (x - x.mean((1, 2, 3), keepdim=True)) / (x.std((1, 2, 3), keepdim=True) + 1e-7)
        return F.normalize(self.layers(x).flatten(1))

    @staticmethod
    def inputs(generator):
        return [torch.rand(256, 1, 32, 32, generator=generator) for _ in range(2)]

    def loss(self, run, a, b):
        va, vb = run(a).float(), run(b).float()
        d = ((va.square().sum(1, keepdim=True) + vb.square().sum(1) - 2 * va @ vb.t()).clamp(min=0) + 1e-6).sqrt()
        off = d + 10 * torch.eye(len(d), device=d.device)
        return F.relu(1 + d.diagonal() - torch.minimum(off.amin(1), off.amin(0))).mean()

    def optimizer(self):
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)


class Under(nn.Module):
    """A level of a U-Net with all that hangs under it."""

    def __init__(self, width, depth):
        super().__init__()
        self.down = nn.Sequential(normed(width, 2 * width), normed(2 * width, 2 * width))
        self.under = Under(2 * width, depth - 1) if depth > 1 else nn.Identity()
        self.up = nn.Sequential(normed(3 * width, width), normed(width, width))

    def forward(self, x):
        below = self.under(self.down(F.max_pool2d(x, 2)))
        return self.up(torch.cat([x, F.interpolate(below, scale_factor=2)], 1))


class Segment(nn.Module):
    """pipelines/segment.rord: a batch of 8 pictures of 128 × 128."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(normed(1, 16), normed(16, 16), Under(16, 3), nn.Conv2d(16, 1, 1))

    def forward(self, x):
        return self.layers(x)

    @staticmethod
    def inputs(generator):
        image = torch.rand(8, 1, 128, 128, generator=generator)
        return [image, (image > 0.7).float()]

    def loss(self, run, image, truth):
        logits = run(image).float()
        p, axes = logits.sigmoid(), (1, 2, 3)
        dice = (2 * (p * truth).sum(axes) + 1) / (p.sum(axes) + truth.sum(axes) + 1)
        return F.binary_cross_entropy_with_logits(logits, truth) + 0.5 * (1 - dice.mean())

    def optimizer(self):
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=1e-2)

    clip = 1.0
