"""Objectives of detectors and of maps of descriptors."""

import torch
import torch.nn.functional as F

from .geometry import centers, moved, pixels, read

TURN = torch.tensor([[0.85, -0.3, 0.06], [0.25, 0.9, -0.05], [0.02, -0.03, 1.0]], dtype=torch.float64)
SHIFT = torch.tensor([[0.9, 0.1, -0.1], [-0.12, 0.95, 0.08], [0.01, 0.02, 1.0]], dtype=torch.float64)
BY = torch.stack([TURN, SHIFT])


def superpoint_cells(points, logits):
    """DeTone, Malisiewicz, Rabinovich, SuperPoint (2018), equations 2 and 3: cross-entropy of 65 classes in each cell of 8 × 8 pixels, the
    last class for a cell without a point. Where a cell has several points the paper draws one; this is the expectation of that."""
    batch, _, rows, columns = logits.shape
    total = 0.0
    for b in range(batch):
        for r in range(rows):
            for c in range(columns):
                lies = points[b, 0, 8 * r : 8 * r + 8, 8 * c : 8 * c + 8].reshape(-1).nonzero().flatten().tolist() or [64]
                total = total - F.log_softmax(logits[b, :, r, c], 0)[lies].mean()
    return total / (batch * rows * columns)


def superpoint_pairs(image, image_r, desc, desc_r, by, weight=250.0, above=1.0, below=0.2, within=8.0):
    """DeTone et al., equations 4 to 6: a hinge over every pair of cells, which belong together within 8 pixels."""
    (batch, _, h, w), (_, _, k, l) = desc.shape, desc_r.shape
    here, there = centers(h, w).expand(batch, -1, -1), centers(k, l).expand(batch, -1, -1)
    size = image_r.shape[2:]
    total = 0.0
    for b in range(batch):
        goes = pixels(moved(here, by), *size)[b]
        far = (goes[:, None] - pixels(there, *size)[b][None]).norm(dim=-1)
        assert ((far - within).abs() > 1e-3).all()
        s = desc[b].flatten(1).T @ desc_r[b].flatten(1)
        total = total + torch.where(far <= within, weight * F.relu(above - s), F.relu(s - below)).sum()
    return total / (batch * h * w * k * l)


def d2_scores(x):
    """Dusmanu et al., D2-Net (2019): soft local maximum times share of the greatest channel, the best channel, normed."""
    window = F.unfold(F.pad(x.exp(), (1, 1, 1, 1)), 3).reshape(*x.shape[:2], 9, *x.shape[2:]).sum(2)
    alpha, beta = x.exp() / window, x / x.amax(1, keepdim=True)
    gamma = (alpha * beta).amax(1)
    return gamma / gamma.sum((1, 2), keepdim=True)


def d2_loss(image, image_r, desc, desc_r, score, score_r, places, by, margin=1.0, apart=6.0):
    """Dusmanu et al.: squared triplet margins of correspondences against the hardest negative of either image that lies
    farther than K from the place, weighed by both scores. The paper's K is along the worse axis, here it is a radius."""
    batch = len(desc)
    there = moved(places, by)
    total = 0.0
    for b in range(batch):
        a, p = [F.normalize(read(x[b : b + 1], at[b : b + 1])[0], dim=-1) for x, at in [(desc, places), (desc_r, there)]]
        all_a, all_p = [F.normalize(x[b].flatten(1).T, dim=-1) for x in (desc, desc_r)]
        weight = read(score[b : b + 1], places[b : b + 1])[0, :, 0] * read(score_r[b : b + 1], there[b : b + 1])[0, :, 0]
        losses = []
        for i in range(len(a)):
            least = []
            for mine, others, at, size, grid in [
                (a[i], all_p, there[b, i], image_r.shape[2:], centers(*desc_r.shape[2:])),
                (p[i], all_a, places[b, i], image.shape[2:], centers(*desc.shape[2:])),
            ]:
                free = (pixels(grid, *size) - pixels(at, *size)).norm(dim=-1) > apart
                least.append((mine - others[free]).norm(dim=-1).min())
            losses.append(F.relu(margin + (a[i] - p[i]).square().sum() - torch.minimum(*least).square()))
        total = total + (weight * torch.stack(losses)).sum() / weight.sum()
    return total / batch


def peakiness(x):
    """Luo et al., ASLFeat (2020): how far a number is above its 3 × 3 neighborhood and above its channels' mean."""
    ones = F.unfold(F.pad(torch.ones_like(x), (1, 1, 1, 1)), 3)
    window = (F.unfold(F.pad(x, (1, 1, 1, 1)), 3).reshape(*x.shape[:2], 9, -1).sum(2) / ones.reshape(*x.shape[:2], 9, -1).sum(2)).reshape(x.shape)
    return (F.softplus(x - window) * F.softplus(x - x.mean(1, keepdim=True))).amax(1)


def aslfeat_loss(a, b, score, score_r, positive=0.2, negative=1.0):
    """Luo et al.: a margin on either side, negatives from the same image pair, weighed by both scores."""
    total = 0.0
    for x, y, s in zip(F.normalize(a, dim=-1), F.normalize(b, dim=-1), (score * score_r).squeeze(-1)):
        d = torch.stack([torch.stack([(p - q).norm() for q in y]) for p in x])
        others = d + 1e3 * torch.eye(len(d))
        ranked = F.relu(d.diagonal() - positive) + F.relu(negative - torch.minimum(others.amin(0), others.amin(1)))
        total = total + (s * ranked).sum() / s.sum()
    return total / len(a)


def window(score, at, radius):
    """The cells of a square window about the cell of a keypoint: the middle of that, offsets (n, 2) in cells, and their scores (n)."""
    h, w = score.shape
    column, row = round(((at[0].item() + 1) * w - 1) / 2), round(((at[1].item() + 1) * h - 1) / 2)
    offsets = [(x, y) for y in range(-radius, radius + 1) for x in range(-radius, radius + 1)]
    middle = torch.tensor([(2 * column + 1) / w - 1, (2 * row + 1) / h - 1], dtype=torch.float64)
    return middle, torch.tensor(offsets, dtype=torch.float64), torch.stack([score[row + y, column + x] for x, y in offsets])


def dispersity(image, score, at, radius=2, temperature=0.1):
    """Zhao et al., ALIKE (2022), dispersity peak loss: the mean over the window of the softmax of scores times the distance, in cells, to
    the soft argmax."""
    total = []
    for s, points in zip(score[:, 0], at):
        for point in points:
            _, offsets, scores = window(s, point, radius)
            share = F.softmax(scores / temperature, 0)
            soft = share @ offsets
            total.append((share * (offsets - soft).norm(dim=-1)).mean())
    return torch.stack(total).mean()


def reprojection(image, image_r, score, score_r, at, at_r, by, radius=2, temperature=0.1):
    """Zhao et al., reprojection loss: half the distances in px of each soft keypoint and its partner brought over, both ways."""

    def soft(score, at, size):
        cell = 2 / torch.tensor([score.shape[3], score.shape[2]], dtype=torch.float64)
        found = []
        for s, points in zip(score[:, 0], at):
            for point in points:
                middle, offsets, scores = window(s, point, radius)
                found.append(middle + F.softmax(scores / temperature, 0) @ offsets * cell)
        return torch.stack(found).reshape(at.shape)

    a, b = soft(score, at, image.shape[2:]), soft(score_r, at_r, image_r.shape[2:])
    over = (pixels(moved(a, by), *image_r.shape[2:]) - pixels(b, *image_r.shape[2:])).norm(dim=-1)
    back = (pixels(moved(b, torch.linalg.inv(by)), *image.shape[2:]) - pixels(a, *image.shape[2:])).norm(dim=-1)
    return 0.5 * (over + back).mean()


def nre(anchors, map, at, temperature=0.02):
    """Germain et al., Neural Reprojection Error (2021), as in ALIKE: -log of the matching probability map read bilinearly at the truth."""
    total = []
    for a, m, points in zip(anchors, map, at):
        for anchor, point in zip(a, points):
            s = torch.einsum("c,chw->hw", anchor, m) / temperature
            q = F.softmax(s.flatten(), 0).reshape(1, 1, *s.shape)
            total.append(-read(q, point.reshape(1, 1, 2))[0, 0, 0].log())
    return torch.stack(total).mean()


def keynet(a, b, sizes=(4, 8), weights=(64.0, 16.0)):
    """Barroso-Laguna et al., Key.Net (2019): in every window the soft index of one map against the place of the maximum
    of the other, brought into the same frame, weighed by both windows' greatest scores, which are taken as constants."""
    total = 0.0
    for size, weight in zip(sizes, weights):
        loss, count = 0.0, 0
        x = torch.arange(size, dtype=torch.float64)
        for p, q in zip(a[:, 0], b[:, 0]):
            for r in range(0, p.shape[0], size):
                for c in range(0, p.shape[1], size):
                    wa, wb = p[r : r + size, c : c + size], q[r : r + size, c : c + size]
                    m = F.softmax(wa.flatten(), 0).reshape(size, size)
                    sx, sy = m.sum(0) @ x, m.sum(1) @ x
                    hard = int(wb.argmax())
                    alpha = (wa.max() + wb.max()).detach()
                    loss, count = loss + alpha * ((sx - hard % size) ** 2 + (sy - hard // size) ** 2), count + 1
        total = total + weight * loss / count
    return total


def dedode(logits, other, prior, keep=7):
    """Edstedt et al., DeDoDe (2024), detection objective: cross-entropy of the distribution over all places of an image with the `keep`
    places of the greatest posterior, prior times own times other view's probability, which is taken as constant."""
    total = 0.0
    for l, o, t in zip(logits, other, prior):
        p = F.log_softmax(l.flatten(), 0)
        posterior = (p.detach().exp() * o.flatten() * t.flatten()).sort(descending=True)
        total = total - p[posterior.indices[:keep]].mean()
    return total / len(logits)


def average_precision(s, y, bins):
    """He, Lu, Sclaroff, Local Descriptors Optimized for Average Precision (2018), of one list of scores, on bins from 1
    down to 0 as R2D2 has them."""
    edges = torch.linspace(1, 0, bins, dtype=torch.float64)
    share = F.relu(1 - (s.clamp(0, 1)[None] - edges[:, None]).abs() * (bins - 1))
    found, seen = (share * y).sum(1), share.sum(1)
    precision = found.cumsum(0) / seen.cumsum(0).clamp(min=1e-12)
    return (precision * found).sum() / y.sum()


def r2d2(a, b, r, bins=20, level=0.5):
    """Revaud et al., R2D2 (2019): 1 - (AP·R + κ·(1 - R)), each descriptor a query among those of the other view."""
    total = []
    for x, y, sure in zip(F.normalize(a, dim=-1), F.normalize(b, dim=-1), r[..., 0]):
        for i, query in enumerate(x):
            ap = average_precision(y @ query, F.one_hot(torch.tensor(i), len(y)), bins)
            total.append(1 - (ap * sure[i] + level * (1 - sure[i])))
    return torch.stack(total).mean()


def cases(case, rand):
    points = torch.zeros(2, 1, 24, 16)
    for at in [(0, 3, 5), (0, 12, 9), (0, 14, 10), (1, 20, 15), (1, 7, 7), (1, 8, 8)]:
        points[at[0], 0, at[1], at[2]] = 1.0
    case("superpoint", "cells", "cells_with_dustbin(points, logits)", superpoint_cells,
         {"points": ("Label", "@f", points), "logits": ("Logit", "@f", rand("cells", (2, 65, 3, 2), -3, 3))}, ["logits"])
    views = {"image": ("Image", "@f", torch.zeros(2, 1, 24, 32)), "image_r": ("Image", "@g", torch.zeros(2, 1, 24, 32))}
    maps = {"desc": ("Desc", "@f", rand("sa", (2, 8, 3, 4))), "desc_r": ("Desc", "@g", rand("sb", (2, 8, 3, 4)))}
    by = {"by": ("Homography", "@f->g", BY)}
    case("superpoint", "all pairs", "all_pairs(desc, desc_r, by)", superpoint_pairs, views | maps | by, ["desc", "desc_r"])

    x, w = rand("features", (2, 3, 5, 6), 0.05, 2), rand("weights", (2, 1, 5, 6))
    weighed = {"x": ("Feat", "@f", x), "w": ("Map", "@f", w)}
    case("d2net", "scores", "sum(w * soft_detection(x))", lambda x, w: (d2_scores(x) * w[:, 0]).sum(), weighed, ["x"])
    case("aslfeat", "peakiness", "sum(w * peakiness(x))", lambda x, w: (peakiness(x) * w[:, 0]).sum(), weighed, ["x"])
    scores = {"score": ("Map", "@f", rand("qa", (2, 1, 3, 4), 0.1, 1)), "score_r": ("Map", "@g", rand("qb", (2, 1, 3, 4), 0.1, 1))}
    places = {"places": ("Points", "@f", rand("places", (2, 6, 2), -0.6, 0.6))}
    case("d2net", "loss", "weighed_triplets(desc, desc_r, score, score_r, places, by, apart = 6px)", d2_loss,
         views | maps | scores | places | by, ["desc", "desc_r", "score", "score_r"])
    pair = {"a": ("Vectors", "", rand("aa", (2, 6, 5))), "b": ("Vectors", "", rand("ab", (2, 6, 5)))}
    seen = {"score": ("Vectors", "", rand("as", (2, 6, 1), 0.1, 1)), "score_r": ("Vectors", "", rand("at", (2, 6, 1), 0.1, 1))}
    case("aslfeat", "loss", "weighed_margins(a, b, score, score_r)", aslfeat_loss, pair | seen,
         ["a", "b", "score", "score_r"])

    def middles(at, h, w):
        return torch.tensor([[[(2 * c + 1) / w - 1, (2 * r + 1) / h - 1] for r, c in rows] for rows in at], dtype=torch.float64)

    image = {"image": ("Image", "@f", torch.zeros(2, 1, 9, 10)), "image_r": ("Image", "@g", torch.zeros(2, 1, 10, 9))}
    s = {"score": ("Prob", "@f", rand("peaks", (2, 1, 9, 10), 0, 1)), "score_r": ("Prob", "@g", rand("peaks_r", (2, 1, 10, 9), 0, 1))}
    at = {"at": ("Points", "@f", middles([[(2, 2), (4, 6), (6, 3)], [(3, 7), (5, 5), (6, 2)]], 9, 10)),
          "at_r": ("Points", "@g", middles([[(2, 3), (5, 6), (7, 2)], [(4, 5), (3, 4), (6, 2)]], 10, 9))}
    only = lambda *names: {k: v for k, v in (image | s | at).items() if k in names}
    case("alike", "dispersity peak", "dispersity(score, at)", dispersity, only("image", "score", "at"), ["score"])
    case("alike", "reprojection", "mean(reprojection(score, score_r, at, at_r, by))", reprojection, image | s | at | by,
         ["score", "score_r"])
    heat = {"anchors": ("Vectors", "", rand("na", (2, 4, 5), -0.3, 0.3)), "map": ("Desc", "@g", rand("nm", (2, 5, 4, 6), -0.3, 0.3)),
            "at": ("Points", "@g", rand("nat", (2, 4, 2), -0.7, 0.7))}
    case("alike", "reprojection error", "mean(nre(anchors, map, at))", nre, heat, ["anchors", "map"])

    two = {"a": ("Map", "@f", rand("ka", (2, 1, 16, 8), -2, 2)), "b": ("Map", "@f", rand("kb", (2, 1, 16, 8), -2, 2))}
    case("keynet", "index proposal", "64 * index_proposal(a, b, size = 4) + 16 * index_proposal(a, b, size = 8)",
         keynet, two, ["a"])
    three = {"logits": ("Logit", "@f", rand("dl", (2, 1, 5, 6), -2, 2)), "other": ("Prob", "@f", rand("do", (2, 1, 5, 6), 0, 1)),
             "prior": ("Prob", "@f", rand("dp", (2, 1, 5, 6), 0.2, 1))}
    case("dedode", "detector", "best_of_both(logits, other, prior, keep = 7)", dedode, three, ["logits"])
    near = pair["a"][2] + 0.6 * rand("r2", (2, 6, 5))
    case("r2d2", "average precision", "reliable(a, b, r)", r2d2,
         {"a": pair["a"], "b": ("Vectors", "", near), "r": ("Vectors", "", rand("rr", (2, 6, 1), 0.05, 0.95))}, ["a", "b", "r"])
