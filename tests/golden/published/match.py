"""Objectives of matching: tables of scores of two lists of places, (B, N, C) and (B, M, C)."""

import torch
import torch.nn.functional as F


def xfeat_match(a, b):
    """Potje et al., XFeat (2024), equation of the dual-softmax loss: -Σ log softmax of the rows and of the columns at the pairs."""
    total = 0.0
    for x, y in zip(a, b):
        s = x @ y.T
        for i in range(len(x)):
            total = total - F.log_softmax(s[i], 0)[i] - F.log_softmax(s[:, i], 0)[i]
    return total / len(a)


def xfeat_sure(a, b, r, r_r):
    """Potje et al., reliability loss: the reliability of both, as probabilities, against the product of both greatest chances, as truth."""
    total = 0.0
    for x, y, p, q in zip(a, b, r[..., 0], r_r[..., 0]):
        s = (x @ y.T).detach()
        truth = torch.stack([F.softmax(s[i], 0).max() * F.softmax(s[:, i], 0).max() for i in range(len(x))])
        total = total + (torch.sigmoid(p) - truth).abs().mean() + (torch.sigmoid(q) - truth).abs().mean()
    return total / len(a)


def silk(a, b, l, l_r, temperature=0.05):
    """Gleize, Wang, Feiszli, SiLK (2023): negative log-likelihood of a cycle under the dual softmax, and cross-entropy of each keypoint
    score with whether its place is matched, both ways, to its partner."""
    describe = detect = 0.0
    for x, y, p, q in zip(F.normalize(a, dim=-1), F.normalize(b, dim=-1), l[..., 0], l_r[..., 0]):
        s = x @ y.T / temperature
        n = len(s)
        chance = F.softmax(s, 0) * F.softmax(s, 1)
        describe = describe - chance.diagonal().log().mean()
        right = torch.tensor([float(s[i].argmax() == i and s[:, i].argmax() == i) for i in range(n)], dtype=torch.float64)
        assert 0 < right.sum() < n
        detect = detect + sum(F.binary_cross_entropy_with_logits(z, right) for z in (p, q)) / 2
    return (describe + detect) / len(a)


def loftr_coarse(a, b, truth, temperature=0.1):
    """Sun et al., LoFTR (2021): the mean of -log P over the true matches, P the product of both softmaxes. Features
    are divided by the root of their number, as in its code."""
    total, count = 0.0, 0
    for x, y, t in zip(a, b, truth):
        s = x @ y.T / (temperature * x.shape[1])
        p = F.softmax(s, 0) * F.softmax(s, 1)
        for i, j in t.nonzero().tolist():
            total, count = total - p[i, j].log(), count + 1
    return total / count


def loftr_fine(center, window, at, truth, inside):
    """Sun et al.: the squared distance of the expected place in a window to the truth, over its variance, which is taken
    as a constant. `at` are the places of the window, -1 to 1."""
    total = []
    for c, w, grid, t, on in zip(center[:, 0], window, at, truth[:, 0], inside[:, 0] > 0):
        heat, grid = F.softmax(w[on] @ c / len(c) ** 0.5, 0), grid[on]
        place = heat @ grid
        spread = (heat @ grid.square() - place.square()).clamp(min=1e-10).sqrt().sum().detach()
        total.append(((place - t).square().sum()) / spread.square())
    return torch.stack(total).mean()


def superglue(s, bin, truth, iterations=20):
    """Sarlin et al., SuperGlue (2020): Sinkhorn's algorithm on scores with a dustbin on either side, whose masses are
    the size of the other side; -log of the assignment at the matches and at what has none. Here on probabilities, not logarithms."""
    total = 0.0
    for scores, t in zip(s, truth):
        n, m = scores.shape
        k = torch.cat([torch.cat([scores, bin.expand(n, 1)], 1), bin.expand(1, m + 1)], 0).exp()
        rows = torch.cat([torch.ones(n), torch.tensor([float(m)])]).double()
        columns = torch.cat([torch.ones(m), torch.tensor([float(n)])]).double()
        v = torch.ones(m + 1).double()
        for _ in range(iterations):
            u = rows / (k @ v)
            v = columns / (k.T @ u)
        p = u[:, None] * k * v[None]
        for i in range(n):
            match = t[i].nonzero().flatten().tolist() or [m]
            total = total - p[i, match[0]].log()
        for j in range(m):
            if t[:, j].sum() == 0:
                total = total - p[n, j].log()
    return total / len(s)


def disk(a, b, chosen, chosen_r, on, on_r, reward, temperature=10.0, each=-0.001):
    """Tyszkiewicz, Fua, Trulls, DISK (2020): the expected reward of a match, exact over all pairs of places that were
    accepted, with the gradient of its chance and, by the score function, of the chances that both were chosen; every keypoint costs a
    little. Negated."""
    total = 0.0
    for k in range(len(a)):
        here, there = on[k, :, 0] > 0, on_r[k, :, 0] > 0
        x, y, p, q, r = a[k][here], b[k][there], chosen[k, here, 0], chosen_r[k, there, 0], reward[k][here][:, there]
        d = torch.stack([torch.stack([(v - w).norm() for w in y]) for v in x])
        match = F.softmax(-temperature * d, 1) * F.softmax(-temperature * d, 0)
        total = total + (match * r).sum() + (match.detach() * r * (p[:, None] + q[None])).sum() + each * (p.sum() + q.sum())
    return -total / len(a)


def disk_places(logits, pick, accepted, size):
    """Tyszkiewicz et al., section 3.1: in every cell one place is drawn by softmax and accepted by the sigmoid of its own logit; the
    logarithm of the chance of what was drawn."""
    total = 0.0
    for l, p, ok in zip(logits[:, 0], pick[:, 0], accepted[:, 0]):
        for r in range(0, l.shape[0], size):
            for c in range(0, l.shape[1], size):
                cell, one = l[r : r + size, c : c + size].flatten(), int(p[r : r + size, c : c + size].flatten().argmax())
                accept = torch.sigmoid(cell[one])
                total = total + F.log_softmax(cell, 0)[one] + (accept if ok[r // size, c // size] > 0 else 1 - accept).log()
    return total


def cases(case, rand):
    a = rand("ma", (2, 5, 6))
    pair = {"a": ("Vectors", "", a), "b": ("Vectors", "", a + 0.9 * rand("mb", (2, 5, 6)))}
    sure = {"r": ("Vectors", "", rand("mr", (2, 5, 1), -2, 2)), "r_r": ("Vectors", "", rand("ms", (2, 5, 1), -2, 2))}
    case("xfeat", "dual softmax", "dual_softmax_nll(similarities(a, b))", xfeat_match, pair, ["a", "b"])
    case("xfeat", "reliability", "reliability(a, b, r, r_r)", xfeat_sure, pair | sure, ["r", "r_r"])
    logits = {"l": sure["r"], "l_r": sure["r_r"]}
    noisy = pair | {"b": ("Vectors", "", a + 1.4 * rand("mn", (2, 5, 6)))}
    case("silk", "both", "cycle(a, b) + found(a, b, l, l_r)", silk, noisy | logits, ["a", "b", "l", "l_r"])

    truth = torch.zeros(2, 5, 4)
    for at in [(0, 0, 2), (0, 3, 1), (1, 1, 1), (1, 2, 3), (1, 4, 0)]:
        truth[at] = 1.0
    other = {"a": ("Vectors", "", a), "b": ("Vectors", "", rand("mo", (2, 4, 6)))}
    t = {"truth": ("Values", "", truth)}
    case("loftr", "coarse", "coarse(a, b, truth)", loftr_coarse, other | t, ["a", "b"])
    x = torch.linspace(-1, 1, 5, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(x, x, indexing="xy"), -1).reshape(-1, 2).expand(4, -1, -1)
    fine = {"center": ("Vectors", "", rand("lc", (4, 1, 6), -2, 2)), "window": ("Vectors", "", rand("lw", (4, 25, 6), -2, 2)),
            "at": ("Vectors", "", grid), "truth": ("Vectors", "", rand("lt", (4, 1, 2))),
            "inside": ("Values", "", (rand("li", (4, 1, 25)) > -0.8).double())}
    case("loftr", "fine", "fine(center, window, at, truth, inside)", loftr_fine, fine, ["center", "window"])
    scores = {"s": ("Values", "", rand("gs", (2, 5, 4), -2, 3)), "bin": ("Values", "", torch.tensor([[0.75]]))}
    case("superglue", "assignment", "assignment(s, mean(bin), truth, iterations = 20)",
         lambda s, bin, truth: superglue(s, bin[0, 0], truth), scores | t, ["s", "bin"])
    reward = torch.where(truth > 0, 1.0, -0.25)
    on, on_r = torch.ones(2, 5, 1), torch.ones(2, 4, 1)
    on[0, 2], on[1, 0], on[1, 3], on_r[1, 2] = 0.0, 0.0, 0.0, 0.0
    drawn = {"chosen": ("Vectors", "", rand("kp", (2, 5, 1), -3, -0.1)), "chosen_r": ("Vectors", "", rand("kq", (2, 4, 1), -3, -0.1)),
             "on": ("Vectors", "", on), "on_r": ("Vectors", "", on_r), "reward": ("Values", "", reward)}
    small = {k: (kind, frame, 0.2 * x) for k, (kind, frame, x) in other.items()}
    case("disk", "expected reward", "0 - expected_reward(a, b, chosen, chosen_r, on, on_r, reward)", disk, small | drawn,
         ["a", "b", "chosen", "chosen_r"])
    pick = torch.zeros(2, 1, 8, 12)
    for b in range(2):
        for r in range(2):
            for c in range(3):
                pick[b, 0, 4 * r + (2 * c + b) % 4, 4 * c + (r + 3 * b) % 4] = 1.0
    places = {"logits": ("Logit", "@f", rand("kl", (2, 1, 8, 12), -2, 2)), "pick": ("Label", "@f", pick),
              "accepted": ("Label", "@f", (rand("ko", (2, 1, 2, 3)) > -0.2).double())}
    case("disk", "chance of a draw", "sum(log_chance(logits, pick, accepted, size = 4))",
         lambda **x: disk_places(**x, size=4), places, ["logits"])
