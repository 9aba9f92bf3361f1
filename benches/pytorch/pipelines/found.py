"""Key points with descriptors, of color pictures (photos) and of drawings in all turns (find). They share their losses."""

import torch
import torch.nn.functional as F
from torch import nn

from .places import convolutions, gaps, masked_mean, moved, sampled, scattered, views


def nearby(x):
    """The mean of the cells of the map in a window of 31 × 31, by rows and then by columns, which is far faster than at once."""
    x = F.avg_pool2d(x, (31, 1), 1, (15, 0), count_include_pad=False)
    return F.avg_pool2d(x, (1, 31), 1, (0, 15), count_include_pad=False)


def told_apart(right_one, mine, others, near):
    """The loss of what is most like each vector elsewhere, and whether the right one is more like it than all: (batch, n) each.

    `right_one` (batch, n) is how like the right ones are; `others` (batch, m, channels) are read elsewhere, but for those `near`.
    """
    like = ((mine / 0.07) @ others.mT).masked_fill(near, -torch.inf)
    return F.softplus(like.logsumexp(2) - right_one), right_one > like.detach().amax(2)


class Found(nn.Module):
    """The losses: a batch of 4 pairs of 128 × 128, 256 places in each, told from 1024 others."""

    side, clip, channels, tilt = 128, 1.0, 1, 0.0

    @classmethod
    def inputs(cls, generator):
        corners = (torch.rand(4, 1, cls.side, cls.side, generator=generator) > 0.98).float()
        return *views(4, cls.channels, cls.side, generator, cls.tilt), corners

    def aligned(self, desc_r, move):
        """Descriptors of the second view as they are in the first."""
        return desc_r

    def used(self, image):
        """What is exported of a picture: where a key point is sure to be told, and descriptors."""
        seen = self.seen(image)
        corner, sure = self.found(seen)
        return corner.sigmoid() * sure.sigmoid(), F.normalize(self.desc(seen))

    def loss(self, run, image, image_r, move, corners):
        corner, sure, desc, desc_r = (x.float() for x in run(image, image_r))
        desc_r = self.aligned(desc_r, move)
        at, other, other_r = (scattered(len(image), n, image.device) for n in (256, 1024, 1024))
        to = moved(at, move)
        shown = (to.abs() <= 1).all(2)
        mine, others = F.normalize(sampled(desc, torch.cat([at, other], 1)), dim=2).split([256, 1024], 1)
        theirs, others_r = F.normalize(sampled(desc_r, torch.cat([to, other_r], 1)), dim=2).split([256, 1024], 1)
        right_one = (mine * theirs).sum(2) / 0.07
        there, first = told_apart(right_one, mine, others_r, gaps(to, other_r, self.side) <= 8)
        here, first_r = told_apart(right_one, theirs, others, gaps(at, other, self.side) <= 8)
        what = 0.5 * masked_mean(there + here, shown)
        guess = sampled(sure, at).squeeze(2)
        sure_at = masked_mean(F.softplus(guess) - (first & first_r) * guess, shown)
        return what + 0.5 * self.corners(corner, F.max_pool2d(corners, 4)) + 0.5 * sure_at

    @staticmethod
    def corners(logits, truth):
        """Cross-entropy in which corners and other cells weigh the same."""
        there, away = truth.sum(), (1 - truth).sum()
        weight = (there + away) * (truth / (2 * there) + (1 - truth) / (2 * away))
        weight = torch.where(torch.minimum(there, away) < 1e-6, 1.0, weight)
        return F.binary_cross_entropy_with_logits(logits, truth, weight)

    def optimizer(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Photos(Found):
    """pipelines/photos.rord, of pictures in color."""

    channels, tilt = 3, 0.1

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(*convolutions(3, [16, 16, "pool", 32, 32, "pool", 64, (64, 2)]))
        self.head = nn.Sequential(*convolutions(64, [32]))
        self.corner, self.sure = nn.Conv2d(32, 1, 1), nn.Conv2d(32, 1, 1)
        self.desc = nn.Conv2d(64, 128, 3, padding=2, dilation=2)

    def seen(self, x):
        flat = x - nearby(x)
        return self.trunk(flat / (nearby(flat.square()) + 1e-3).sqrt())

    def found(self, seen):
        head = self.head(seen)
        return self.corner(head), self.sure(head)

    def forward(self, image, image_r):
        seen = self.seen(torch.cat([image, image_r]))
        return *self.found(seen[: len(image)]), *F.normalize(self.desc(seen)).chunk(2)


def back(turn, other):
    """The turn that, followed by `turn`, is `other`. A turn is 0 to 3 quarter turns, and 4 more where it begins with a mirror image."""
    way = -1 if turn >= 4 else 1
    return (other - turn) * way % 4 + 4 * ((other // 4 + turn // 4) % 2)


class TurnedConv2d(nn.Module):
    """A convolution whose filters are slid in all 8 symmetries of the square (Cohen and Welling, 2016).

    From a map, or a field with its turns among the channels (batch, 8 · inputs, height, width), to such a field of 8 · width channels.
    """

    def __init__(self, inputs, width, dilation=1, of_field=True):
        super().__init__()
        # Begins as nn.Conv2d does. All inputs are one axis, so that the weight may lie channels last, as maps do.
        plain = nn.Conv2d(inputs * (8 if of_field else 1), width, 3)
        self.weight, self.bias, self.of_field, self.dilation = plain.weight, plain.bias, of_field, dilation
        self.settled = None

    def settle(self):
        """Turns the filters once and for all, for a network that learns no more."""
        self.settled = self.forms().detach(), self.bias.repeat(8).detach()

    def forms(self):
        """The filters in all their turns: (8 · width, inputs, 3, 3)."""
        made = []
        for turn in range(8):
            form = self.weight
            if self.of_field:  # Each form reads the turns of its input as they are exchanged when it is turned.
                form = form.unflatten(1, (8, -1))[:, [back(turn, source) for source in range(8)]].flatten(1, 2)
            form = form.flip(-1) if turn >= 4 else form
            made.append(form.rot90(-(turn % 4), (-2, -1)))
        return torch.cat(made)

    def forward(self, x):
        weight, bias = self.settled or (self.forms(), self.bias.repeat(8))
        return F.conv2d(x, weight, bias, padding=self.dilation, dilation=self.dilation)


class Find(Found):
    """pipelines/find.rord, of a network that turns as its picture does."""

    def __init__(self):
        super().__init__()
        layers, inputs = [], 1
        for step in [4, 4, "pool", 8, 8, "pool", 16, (16, 2)]:
            if step == "pool":
                layers.append(nn.MaxPool2d(2))
                continue
            width, dilation = step if isinstance(step, tuple) else (step, 1)
            layers += [TurnedConv2d(inputs, width, dilation, of_field=len(layers) > 0), nn.ReLU(inplace=True)]
            inputs = width
        self.trunk = nn.Sequential(*layers)
        self.turned, self.mixed = TurnedConv2d(16, 8), nn.Conv2d(8, 32, 1)
        self.corner, self.sure = nn.Conv2d(32, 1, 1), nn.Conv2d(32, 1, 1)
        self.desc = TurnedConv2d(16, 16, dilation=4)
        across = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
        self.register_buffer("slopes", torch.stack([across, across.T]).unsqueeze(1), persistent=False)
        # What each turn does to (x, y), and the order in which it leaves the turns of a descriptor, as a matrix.
        quarter, mirror = torch.tensor([[0.0, -1], [1, 0]]), torch.tensor([[-1.0, 0], [0, 1]])
        quarters = [torch.linalg.matrix_power(quarter, n) for n in range(4)]
        self.register_buffer("motions", torch.stack(quarters + [q @ mirror for q in quarters]), persistent=False)
        order = torch.tensor([[back(turn, other) for other in range(8)] for turn in range(8)])
        self.register_buffer("orders", F.one_hot(order, 8).float(), persistent=False)

    def seen(self, x):
        steep = (F.conv2d(F.pad(x, (1, 1, 1, 1), "replicate"), self.slopes).square().sum(1, keepdim=True) + 1e-6).sqrt()
        return self.trunk(steep / (nearby(steep.square()) + 1e-4).sqrt())

    def found(self, seen):
        all_ways = F.relu(self.turned(seen)).unflatten(1, (8, -1)).mean(1)
        head = F.relu(self.mixed(all_ways))
        return self.corner(head), self.sure(head)

    def forward(self, image, image_r):
        seen = self.seen(torch.cat([image, image_r]))
        return *self.found(seen[: len(image)]), *F.normalize(self.desc(seen)).chunk(2)

    def aligned(self, desc_r, move):
        # By products with ones and zeros, whose gradient is a product, too; that of an indexed map is slower.
        m = torch.linalg.inv(move)
        slope = m[:, :2, :2] * m[:, 2:, 2:] - m[:, :2, 2:] * m[:, 2:, :2]
        turn = (self.motions * slope.unsqueeze(1)).sum((2, 3)).argmax(1)
        return (self.orders[turn] @ desc_r.unflatten(1, (8, -1)).flatten(2)).view_as(desc_r)
