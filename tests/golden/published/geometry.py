"""Places in the coordinates of the language: -1 and 1 are the outer edges of a map, so cell i of n has its middle at (2i + 1)/n - 1."""

import torch
import torch.nn.functional as F


def centers(h, w):
    """The middles of all cells, (h·w, 2), row by row, x first."""
    x, y = [(2 * torch.arange(n, dtype=torch.float64) + 1) / n - 1 for n in (w, h)]
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(-1, 2)


def moved(points, by):
    """Points (B, N, 2) by homographies (B, 3, 3)."""
    p = torch.cat([points, torch.ones_like(points[..., :1])], -1) @ by.transpose(1, 2)
    return p[..., :2] / p[..., 2:]


def read(x, at):
    """A map (B, C, h, w) at points (B, N, 2), bilinear: (B, N, C)."""
    return F.grid_sample(x, at[:, :, None], align_corners=False).squeeze(3).transpose(1, 2)


def pixels(points, h, w):
    """Points in pixels of an image of h × w, so that differences are lengths in px."""
    return points * torch.tensor([w / 2, h / 2], dtype=torch.float64)
