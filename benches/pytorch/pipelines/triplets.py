"""Networks of triplets, start and teacher, and distill, where the second is the teacher of a smaller one."""

import torch
import torch.nn.functional as F
from torch import nn

from .places import cells, convolutions, gaps, masked_mean, moved, sampled, scattered, spread, views


def read_triplets(desc, desc_r, places, move, side, candidates=400, apart=8.0):
    """Descriptors (batch, n, channels) of places, of where they lie in the other view, and of what is most like them elsewhere."""
    batch = len(desc)
    places = places.expand(batch, -1, -1)
    there, anchor = moved(places, move), sampled(desc, places)
    with torch.no_grad():
        thrown = scattered(batch, candidates, desc.device)
        near, gap = torch.cdist(anchor, sampled(desc_r, thrown)), gaps(there, thrown, side)
        # Vectors of length 1 are at most 2 apart. If all candidates are too near in place, the farthest is taken.
        hardest = torch.where(gap < apart, 4 + apart - gap, near).argmin(2)
        elsewhere = thrown.gather(1, hardest.unsqueeze(2).expand(-1, -1, 2))
    positive, negative = sampled(desc_r, torch.cat([there, elsewhere], 1)).chunk(2, 1)
    return anchor, positive, negative


class Start(nn.Module):
    """pipelines/start.rord: a batch of 8 pairs of 64 × 64."""

    side, clip = 64, 1.0

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*convolutions(1, [16, "pool", 32, "pool", 64]), nn.Conv2d(64, 64, 3, padding=1))
        self.register_buffer("places", spread(100, rows=10), persistent=False)

    def forward(self, image, image_r):
        return F.normalize(self.layers(torch.cat([image, image_r]))).chunk(2)

    @classmethod
    def inputs(cls, generator):
        return views(8, 1, cls.side, generator)

    def loss(self, run, image, image_r, move):
        desc, desc_r = (x.float() for x in run(image, image_r))
        anchor, positive, negative = read_triplets(desc, desc_r, self.places, move, self.side)
        agreeing = (anchor - positive).square().sum(2).mean()
        return F.triplet_margin_loss(anchor, positive, negative, margin=0.5) + 0.1 * agreeing

    def optimizer(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Described(nn.Module):
    """The trunk of `lib/nets.rord` with a map of corners and one of descriptors."""

    def __init__(self, width):
        super().__init__()
        self.trunk = nn.Sequential(*convolutions(1, [width, 2 * width, "pool", 2 * width, 4 * width, "pool", 4 * width]))
        self.det, self.desc = nn.Conv2d(4 * width, 1, 1), nn.Conv2d(4 * width, 128, 1)

    def found(self, seen):
        """Where corners are, of what the trunk makes: (batch, 1, height, width)."""
        return self.det(seen).sigmoid()

    def described(self, seen):
        """Descriptors of length 1, of what the trunk makes: (batch, 128, height, width)."""
        return F.normalize(self.desc(seen))


class Teacher(Described):
    """pipelines/teacher.rord: a batch of 8 pairs of 128 × 128."""

    side, clip = 128, 1.0

    def __init__(self):
        super().__init__(64)
        self.register_buffer("places", spread(200, rows=14), persistent=False)

    def forward(self, image, image_r):
        seen = self.trunk(torch.cat([image, image_r]))
        return self.found(seen[: len(image)]), *self.described(seen).chunk(2)

    @classmethod
    def inputs(cls, generator):
        corners = (torch.rand(8, 1, cls.side, cls.side, generator=generator) > 0.98).float()
        return *views(8, 1, cls.side, generator), corners

    def loss(self, run, image, image_r, move, corners):
        det, desc, desc_r = (x.float() for x in run(image, image_r))
        where = F.binary_cross_entropy(det, F.max_pool2d(corners, 4))
        return where + F.triplet_margin_loss(*read_triplets(desc, desc_r, self.places, move, self.side), margin=0.5)

    def optimizer(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Distill(nn.Module):
    """pipelines/distill.rord: a batch of 8 pictures of 128 × 128, and a teacher that learns nothing."""

    def __init__(self):
        super().__init__()
        self.student, self.teacher = Described(16), Described(64).requires_grad_(False)

    def forward(self, image, small):
        """What the student and the teacher find and describe, and what the student finds in the picture at half size."""
        seen, known = self.student.trunk(image), self.teacher.trunk(image)
        mine = self.student.found(seen), self.student.described(seen)
        # The pipeline detaches what is found at half size, so nothing has to be remembered of it.
        with torch.no_grad():
            halved = self.student.found(self.student.trunk(small))
        return *mine, self.teacher.found(known), self.teacher.described(known), halved

    @staticmethod
    def inputs(generator):
        return views(8, 1, 128, generator)[:1]

    def loss(self, run, image):
        det, desc, det_t, desc_t, halved = (x.float() for x in run(image, F.avg_pool2d(image, 2)))
        at = cells(*det.shape[2:]).to(det.device)
        grid = at.view(1, *det.shape[2:], 2).expand(len(det), -1, -1, -1)
        enlarged = F.grid_sample(halved, grid, align_corners=False)
        inside = (grid.abs() <= 1 - 1 / det.shape[3] + 1e-4).all(3).unsqueeze(1)
        where = F.binary_cross_entropy(det, det_t)
        what = (1 - F.cosine_similarity(desc_t, desc)).mean()
        zoom = masked_mean(F.smooth_l1_loss(det, enlarged, reduction="none"), inside)
        return where + what + 0.5 * zoom

    def optimizer(self):
        return torch.optim.Adam(self.student.parameters(), lr=1e-3)
