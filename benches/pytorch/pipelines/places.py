"""What the twins of two views share: pictures with their moves, places on them, and what is read there.

Places are (batch, n, 2), each (x, y) from -1 to 1 over the picture; a move is a matrix (batch, 3, 3) on such places.
"""

import torch
import torch.nn.functional as F
from torch import nn


def convolutions(inputs, plan, kernel=3):
    """Convolutions with relu, by their widths; `pool` halves the map, and (width, dilation) reads cells that lie apart."""
    layers = []
    for step in plan:
        if step == "pool":
            layers.append(nn.MaxPool2d(2))
            continue
        width, dilation = step if isinstance(step, tuple) else (step, 1)
        pad = dilation * (kernel // 2)
        layers += [nn.Conv2d(inputs, width, kernel, padding=pad, dilation=dilation), nn.ReLU(inplace=True)]
        inputs = width
    return layers


def views(batch, channels, side, generator, tilt=0.0):
    """Pictures of squares, the same pictures moved, and the moves: symmetries of the square with a zoom, and a perspective of `tilt`."""
    coarse = (torch.rand(batch, channels, side // 8, side // 8, generator=generator) > 0.5).float()
    image = F.interpolate(coarse, size=(side, side))
    turn = torch.randint(4, (batch,), generator=generator) * torch.pi / 2
    mirror = 1 - 2 * torch.randint(2, (batch,), generator=generator)
    zoom = 0.9 + 0.2 * torch.rand(batch, generator=generator)
    move = torch.eye(3).repeat(batch, 1, 1)
    move[:, 0, 0], move[:, 0, 1] = zoom * turn.cos() * mirror, -zoom * turn.sin()
    move[:, 1, 0], move[:, 1, 1] = zoom * turn.sin() * mirror, zoom * turn.cos()
    move[:, 2, :2] = tilt * (2 * torch.rand(batch, 2, generator=generator) - 1)
    return image, warped(image, torch.linalg.inv(move)), move


def cells(height, width):
    """The middles of the cells of a map: (height · width, 2), by rows."""
    y, x = (torch.arange(n).mul(2).add(1).div(n).sub(1) for n in (height, width))
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(-1, 2)


def warped(maps, back):
    """Maps (batch, channels, height, width), read in each cell where `back` (batch, 3, 3) takes it."""
    batch, _, height, width = maps.shape
    at = moved(cells(height, width).to(maps.device).expand(batch, -1, -1), back)
    return F.grid_sample(maps, at.view(batch, height, width, 2), align_corners=False)


def spread(count, rows):
    """So many places in so many rows, each in the middle of a cell of its own: (1, count, 2)."""
    ends = [row * count // rows for row in range(rows + 1)]
    lines = [cells(1, end - begin) + torch.tensor([0, (2 * row + 1) / rows - 1]) for row, (begin, end) in enumerate(zip(ends, ends[1:]))]
    return torch.cat(lines).unsqueeze(0)


def scattered(batch, count, device):
    """Places thrown at random: (batch, count, 2)."""
    return torch.rand(batch, count, 2, device=device) * 2 - 1


def moved(places, move):
    """Places under their moves; far outside where a move has none."""
    at = F.pad(places, (0, 1), value=1.0) @ move.mT
    depth = at[..., 2:]
    return torch.where(depth > 0, at[..., :2] / depth, 1e6).clamp(-1e6, 1e6)


def sampled(maps, places):
    """Vectors (batch, n, channels) of maps at places, bilinear, 0 outside."""
    return F.grid_sample(maps, places.unsqueeze(1), align_corners=False).squeeze(2).transpose(1, 2)


def gaps(a, b, side):
    """How many pixels lie between places (batch, n, 2) and (batch, m, 2) of a picture of `side` pixels: (batch, n, m)."""
    return torch.cdist(a * (side / 2), b * (side / 2))


def masked_mean(x, mask):
    """The mean where the mask is 1; 0 where it is so nowhere."""
    return (x * mask).sum() / mask.sum().clamp(min=1)
