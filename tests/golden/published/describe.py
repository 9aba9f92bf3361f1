"""Objectives of descriptors of patches: lists of vectors, partners under the same number."""

import torch
import torch.nn.functional as F


def table(a, b):
    return torch.stack([torch.stack([(p - q).norm() for q in b]) for p in a])


def hardnet(a, b, margin=1.0):
    """Mishchuk et al., Working hard to know your neighbor's margins (2017), of unit vectors."""
    a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
    total = 0.0
    for i in range(len(a)):
        wrong = [(a[i] - b[j]).norm() for j in range(len(a)) if j != i] + [(a[j] - b[i]).norm() for j in range(len(a)) if j != i]
        total = total + F.relu(margin + (a[i] - b[i]).norm() - torch.stack(wrong).min())
    return total / len(a)


def tfeat(a, b, ratio, margin=1.0):
    """Balntas et al., Learning local feature descriptors with triplets (2016), with anchor swap. The paper draws the
    negative; this is the mean over all of the batch, the expectation of that."""
    total, count = 0.0, 0
    for i in range(len(a)):
        for j in range(len(a)):
            if j != i:
                good = (a[i] - b[i]).norm()
                bad = torch.minimum((a[i] - b[j]).norm(), (b[i] - b[j]).norm())
                if ratio:
                    share = good.exp() / (good.exp() + bad.exp())
                    total = total + share**2 + (1 - bad.exp() / (good.exp() + bad.exp())) ** 2
                else:
                    total = total + F.relu(margin + good - bad)
                count += 1
    return total / count


def sosnet(a, b, margin=1.0, neighbors=3):
    """Tian et al., SOSNet (2019): squared hinge on the nearest of four sorts of negatives, and the second order
    difference over whatever is among the nearest of either list."""
    a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
    n = len(a)
    aa, bb, ab = table(a.detach(), a.detach()), table(b.detach(), b.detach()), None
    first = second = 0.0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        wrong = [(p - q).norm() for j in others for p, q in [(a[i], a[j]), (a[i], b[j]), (a[j], b[i]), (b[i], b[j])]]
        first = first + F.relu(margin + (a[i] - b[i]).norm() - torch.stack(wrong).min()) ** 2
        close = set()
        for d in (aa, bb):
            close |= set(sorted(others, key=lambda j: d[i, j].item())[:neighbors])
        gaps = torch.stack([((a[i] - a[j]).norm() - (b[i] - b[j]).norm()) ** 2 for j in sorted(close)])
        second = second + gaps.sum().sqrt()
    return (first + second) / n


def l2net_match(a, b):
    """Tian, Fan, Wu, L2-Net (2017): relative distances by column and by row."""
    d = table(a, b)
    total = 0.0
    for i in range(len(a)):
        column = (2 - d[i, i]).exp() / sum((2 - d[j, i]).exp() for j in range(len(a)))
        row = (2 - d[i, i]).exp() / sum((2 - d[i, j]).exp() for j in range(len(a)))
        total = total - 0.5 * (column.log() + row.log())
    return total


def l2net_compact(a):
    """Tian et al.: the squared correlations of different numbers of a descriptor over the batch."""
    c = a - a.mean(0)
    total = 0.0
    for i in range(a.shape[1]):
        for j in range(a.shape[1]):
            if i != j:
                total = total + ((c[:, i] @ c[:, j]) / (c[:, i].norm() * c[:, j].norm())) ** 2
    return 0.5 * total


def l2net_maps(f, g):
    """Tian et al.: intermediate feature maps of partners resemble each other most; inner products of maps as
    vectors, here of length 1."""
    s = F.normalize(f.flatten(1), dim=1) @ F.normalize(g.flatten(1), dim=1).T
    total = 0.0
    for i in range(len(s)):
        total = total - 0.5 * (F.log_softmax(s[i], 0)[i] + F.log_softmax(s[:, i], 0)[i])
    return total


def cases(case, rand):
    a, b = rand("a", (6, 5)), rand("b", (6, 5))
    for about, b in [("", b), (", near", a + 0.3 * rand("near", (6, 5)))]:
        pair = {"a": ("Vectors", "", a), "b": ("Vectors", "", b)}
        case("hardnet", "hardest" + about, "hardest_in_batch(l2norm(a), l2norm(b))", hardnet, pair, ["a", "b"])
        case("tfeat", "margin" + about, "margin_swapped(a, b)", lambda a, b: tfeat(a, b, False), pair, ["a", "b"])
        case("tfeat", "ratio" + about, "ratio_swapped(a, b)", lambda a, b: tfeat(a, b, True), pair, ["a", "b"])
        case("sosnet", "both orders" + about,
             "first_order(l2norm(a), l2norm(b)) + second_order(l2norm(a), l2norm(b), neighbors = 3)", sosnet, pair, ["a", "b"])
        case("l2net", "relative distances" + about, "relative(a, b)", l2net_match, pair, ["a", "b"])
    case("l2net", "compactness", "compact(a)", l2net_compact, {"a": ("Vectors", "", a)}, ["a"])
    maps = {"f": ("Feat", "@a", rand("fa", (4, 3, 2, 3))), "g": ("Feat", "@b", rand("fb", (4, 3, 2, 3)))}
    case("l2net", "feature maps", "alike_inside(f, g)", l2net_maps, maps, ["f", "g"])
