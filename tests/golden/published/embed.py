"""Objectives of one vector an image: self-supervised and of classes."""

import torch
import torch.nn.functional as F


def cosine(p, q):
    return (p * q).sum(-1) / (p.norm(dim=-1) * q.norm(dim=-1))


def simsiam(p, q, y, z):
    """Chen and He, SimSiam (2021), equations 1 and 2: predictions p, q against the other view's projection, held constant."""
    return -0.5 * cosine(p, z.detach()).mean() - 0.5 * cosine(q, y.detach()).mean()


def byol(p, q, y, z):
    """Grill et al., BYOL (2020), equation 2 and its symmetric form: squared distance of normalized prediction and target's projection."""
    far = lambda p, z: (F.normalize(p, dim=1) - F.normalize(z, dim=1)).square().sum(1).mean()
    return far(p, z) + far(q, y)


def moco(q, k, queue, temperature=0.07):
    """He et al., MoCo (2020), equation 1: each query chooses its key among that and a queue of K others."""
    q, k, queue = [F.normalize(x, dim=1) for x in (q, k, queue)]
    total = 0.0
    for x, y in zip(q, k):
        s = torch.cat([(x @ y)[None], queue @ x]) / temperature
        total = total - F.log_softmax(s, 0)[0]
    return total / len(q)


def moco_v3(p, q, y, z, temperature=0.2):
    """Chen, Xie, He, MoCo v3 (2021), algorithm 1: the keys of the batch are the negatives; both ways; 2·temperature times cross-entropy."""

    def one(q, k):
        s = F.normalize(q, dim=1) @ F.normalize(k, dim=1).T / temperature
        return 2 * temperature * F.cross_entropy(s, torch.arange(len(s)))

    return one(p, z) + one(q, y)


def barlow(a, b, weight=0.005):
    """Zbontar et al., Barlow Twins (2021), equations 1 and 2: the cross-correlation of two views' embeddings is the identity."""
    a, b = a - a.mean(0), b - b.mean(0)
    total = 0.0
    for i in range(a.shape[1]):
        for j in range(a.shape[1]):
            c = (a[:, i] @ b[:, j]) / (a[:, i].norm() * b[:, j].norm())
            total = total + ((1 - c) ** 2 if i == j else weight * c**2)
    return total


def vicreg(a, b, invariance=25.0, variance=25.0, covariance=1.0):
    """Bardes, Ponce, LeCun, VICReg (2022), equations 1 to 6."""

    def spread(z):
        return sum(F.relu(1 - (z[:, j].var() + 1e-4).sqrt()) for j in range(z.shape[1])) / z.shape[1]

    def mixed(z):
        c = torch.cov(z.T)
        return (c.square().sum() - c.diagonal().square().sum()) / z.shape[1]

    same = (a - b).square().sum(1).mean()
    return invariance * same + variance * (spread(a) + spread(b)) + covariance * (mixed(a) + mixed(b))


def nt_xent(a, b, temperature=0.5):
    """Chen et al., SimCLR (2020), equation 1: each of 2N views chooses its partner among all others of both lists."""
    z = F.normalize(torch.cat([a, b]), dim=1)
    n = len(a)
    total = 0.0
    for i in range(2 * n):
        s = torch.stack([z[i] @ z[k] for k in range(2 * n) if k != i]) / temperature
        total = total + s.logsumexp(0) - z[i] @ z[(i + n) % (2 * n)] / temperature
    return total / (2 * n)


def multi_similarity(x, y, alpha=2.0, beta=50.0, level=1.0, slack=0.1):
    """Wang et al., Multi-Similarity Loss (2019): negatives that are nearer than the farthest positive, positives that
    are farther than the nearest negative, each within a slack; then soft weighting of both."""
    z, kind = F.normalize(x, dim=1), y.argmax(1).tolist()
    s = z @ z.T
    n, total, taken = len(s), 0.0, 0
    for i in range(n):
        same = [k for k in range(n) if k != i and kind[k] == kind[i]]
        other = [k for k in range(n) if kind[k] != kind[i]]
        if not same or not other:
            continue
        hard = [k for k in other if s[i, k] > min(s[i, j] for j in same) - slack]
        easy = [k for k in same if s[i, k] < max(s[i, j] for j in other) + slack]
        taken += len(hard) < len(other)
        total = total + torch.log1p(sum((-alpha * (s[i, k] - level)).exp() for k in easy)) / alpha
        total = total + torch.log1p(sum((beta * (s[i, k] - level)).exp() for k in hard)) / beta
    assert taken, "the mining mined nothing"
    return total / n


def arcface(x, prototypes, y, scale=64.0, margin=0.5):
    """Deng et al., ArcFace (2019), equation 3: the angle to the right class's prototype is widened by the margin."""
    c = F.normalize(x, dim=1) @ F.normalize(prototypes, dim=1).T
    total = 0.0
    for row, kind in zip(c, y.argmax(1).tolist()):
        logits = torch.stack([(row[k].acos() + margin).cos() if k == kind else row[k] for k in range(len(row))])
        total = total - F.log_softmax(scale * logits, 0)[kind]
    return total / len(x)


def proxy_anchor(x, proxies, y, scale=32.0, margin=0.1):
    """Kim et al., Proxy Anchor Loss (2020), equation 4: each proxy pulls its class and pushes all others, the hard ones most."""
    s, kind = F.normalize(x, dim=1) @ F.normalize(proxies, dim=1).T, y.argmax(1).tolist()
    pull, with_some = 0.0, 0
    push = 0.0
    for p in range(s.shape[1]):
        own = [i for i in range(len(s)) if kind[i] == p]
        if own:
            pull, with_some = pull + torch.log1p(sum((-scale * (s[i, p] - margin)).exp() for i in own)), with_some + 1
        push = push + torch.log1p(sum((scale * (s[i, p] + margin)).exp() for i in range(len(s)) if i not in own))
    assert with_some < s.shape[1], "every proxy has one"
    return pull / with_some + push / s.shape[1]


def cases(case, rand):
    four = {k: ("Vectors", "", rand(f"e{k}", (6, 5))) for k in "pqyz"}
    case("simsiam", "loss", "0.5 * predicts(p, z) + 0.5 * predicts(q, y)", simsiam, four,
         ["p", "q"])
    case("byol", "loss", "predicts(p, z) + predicts(q, y)", byol, four, ["p", "q"])
    case("moco", "v3", "finds_key(p, z) + finds_key(q, y)", moco_v3, four, ["p", "q"])
    queue = {"q": four["p"], "k": four["z"], "queue": ("Vectors", "", rand("queue", (9, 5)))}
    case("moco", "queue", "finds_key_with(q, k, queue)", moco, queue, ["q"])
    near = {"a": ("Vectors", "", rand("ba", (7, 4))), "b": ("Vectors", "", rand("ba", (7, 4)) + 0.5 * rand("bb", (7, 4)))}
    case("barlow_twins", "loss", "barlow_twins(a, b)", barlow, near, ["a", "b"])
    case("vicreg", "loss", "vicreg(a, b)", vicreg, near, ["a", "b"])
    case("nt_xent", "loss", "nt_xent(a, b)", nt_xent, near, ["a", "b"])
    kinds = F.one_hot(torch.tensor([0, 2, 1, 0, 2, 2, 1, 0]), 4).double()
    labelled = {"x": ("Vectors", "", rand("mx", (8, 4))), "y": ("Vectors", "", kinds)}
    case("multi_similarity", "with mining", "multi_similarity(x, y)", multi_similarity, labelled, ["x"])
    proxies = {"p": ("Vectors", "", rand("proxies", (4, 4)))}
    case("arcface", "loss", "arcface(x, p, y)", lambda x, y, p: arcface(x, p, y), labelled | proxies, ["x", "p"])
    case("proxy_anchor", "loss", "proxy_anchor(x, p, y)", lambda x, y, p: proxy_anchor(x, p, y), labelled | proxies, ["x", "p"])
