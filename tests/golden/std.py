"""Makes tests/golden/std.safetensors: losses of the standard library, value and gradients, computed with PyTorch.

    venv/bin/python tests/golden/std.py

A case is an expression of the language and the types of its inputs (in the metadata, as JSON), and tensors `case/in/<input>` (f32),
`case/out` and `case/d/<input>` (f64). Numbers are exact in f32 and everything is computed in f64. The formulas are PyTorch's own where it
has the loss, and written from the papers where it has not; none is taken from src/ops/std.
"""

import json
import math
import pathlib
import zlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

TENSORS, CASES = {}, {}


def rand(key, shape, low=-1.0, high=1.0):
    generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
    return torch.rand(shape, generator=generator, dtype=torch.float64) * (high - low) + low


def case(name, expression, f, inputs, wants):
    """`inputs` are name: (kind, frame, tensor)."""
    leaves = {k: v.float().double().clone().requires_grad_(k in wants) for k, (_, _, v) in inputs.items()}
    out = f(**leaves)
    slopes = torch.autograd.grad(out, [leaves[k] for k in wants]) if wants else []
    TENSORS.update({f"{name}/in/{k}": v.detach().float().contiguous() for k, v in leaves.items()})
    TENSORS[f"{name}/out"] = out.detach()
    TENSORS.update({f"{name}/d/{k}": v.contiguous() for k, v in zip(wants, slopes)})
    assert all(torch.isfinite(v).all() for k, v in TENSORS.items() if k.startswith(f"{name}/")), name

    def declared(kind, frame, x):
        axes = list(x.shape)[: {"Homography": 1, "Points": 2}.get(kind, x.dim())]
        return f"{kind}[{', '.join(map(str, axes))}]{frame}"

    CASES[name] = {"expression": expression, "inputs": {k: declared(*v) for k, v in inputs.items()}}


SHAPE, SEEN = (2, 3, 7, 6), (2, 1, 7, 6)
MASKS = {
    "": None, ", half seen": (rand("half", SEEN) > 0).double(), ", softly seen": rand("soft", SEEN, 0, 1),
    ", nothing seen": torch.zeros(SEEN), ", one sample seen": torch.stack([torch.zeros(1, 7, 6), torch.ones(1, 7, 6)]).double(),
}


def mean(cells, mask):
    return cells.mean() if mask is None else (cells * mask).sum() / mask.expand_as(cells).sum().clamp(min=1.0)


def maps():
    truth, hard, p = rand("truth", SHAPE, 0, 1), (rand("hard", SHAPE) > 0.4).double(), rand("p", SHAPE, 0.01, 0.99)
    logits = rand("logits", SHAPE, -6, 6)

    def dice(smooth):
        def f(t, p, s=None):
            m = torch.ones_like(p) if s is None else s.expand_as(p)
            both, t, p = [(m * x).flatten(1).sum(1) for x in (t * p, t, p)]
            return 1 - ((2 * both + smooth) / (t + p + smooth)).mean()

        return f

    def focal(gamma):
        def f(t, l, s=None):
            q = torch.sigmoid(l)
            right = q * t + (1 - q) * (1 - t)
            return mean(F.binary_cross_entropy_with_logits(l, t, reduction="none") * (1 - right) ** gamma, s)

        return f

    for about, mask in MASKS.items():
        seen = {} if mask is None else {"s": ("Prob", "@f", mask)}
        given = "" if mask is None else ", mask = s"

        def two(name, expression, f, kind, other, t, x, wants):
            inputs = {"t": (kind, "@f", t), other: ({"p": "Prob", "l": "Logit"}[other] if kind == "Prob" else kind, "@f", x)}
            case(name + about, expression.replace(")", given + ")"), f, inputs | seen, wants)

        two("l1", "l1(t, p)", lambda t, p, s=None: mean(F.l1_loss(p, t, reduction="none"), s), "Prob", "p", truth, p, ["t", "p"])
        for delta in [1.0, 0.2]:
            f = lambda t, p, s=None, delta=delta: mean(F.huber_loss(p, t, reduction="none", delta=delta), s)
            two(f"huber {delta}", f"huber(t, p, delta = {delta})", f, "Map", "p", truth * 4 - 2, p, ["t", "p"])
        for gamma in [2.0, 0.5, 0.0]:
            two(f"focal {gamma}", f"focal_logits(t, l, gamma = {gamma})", focal(gamma), "Prob", "l", hard, logits, ["l"])
        for smooth in [1.0, 0.3]:
            two(f"dice {smooth}", f"dice(t, p, smooth = {smooth})", dice(smooth), "Prob", "p", truth, p, ["t", "p"])
        two("dice, nothing true", "dice(t, p)", dice(1.0), "Prob", "p", torch.zeros(SHAPE), p, ["p"])
        two("dice, both empty", "dice(t, p)", dice(1.0), "Prob", "p", torch.zeros(SHAPE), torch.zeros(SHAPE), ["p"])
        two("dice, all true", "dice(t, p)", dice(1.0), "Prob", "p", torch.ones(SHAPE), torch.ones(SHAPE), ["p"])

        def peaky(size):
            def f(x, s=None):
                m = torch.ones_like(x[:, :1]) if s is None else s
                part = F.avg_pool2d(m, size, 1)
                return mean(1 - F.max_pool2d(x * m, size, 1) + F.avg_pool2d(x * m, size, 1) / part.clamp(min=1e-9), part)

            return f

        def cosim(size, stride):
            def f(a, b, s=None):
                m = torch.ones_like(a) if s is None else s
                windows = lambda x: F.unfold(x, size, stride=stride)
                w, x, y = windows(m), windows(a), windows(b)
                far = (w * x * y).sum(1) / ((w * x * x).sum(1) * (w * y * y).sum(1) + 1e-12 * size**4).sqrt()
                return mean(1 - far, w.mean(1))

            return f

        x, one, other = rand("peaky", SHAPE, 0.01, 1), rand("one", SEEN, 0.01, 1), rand("other", SEEN, 0.01, 1)
        for size in [2, 3]:
            case(f"peaky {size}{about}", f"peaky(x, size = {size}{given})", peaky(size), {"x": ("Prob", "@f", x)} | seen, ["x"])
            pair = {"a": ("Prob", "@f", one), "b": ("Prob", "@f", other)}
            for stride in [1, 2]:
                expression = f"cosim(a, b, size = {size}, stride = {stride}{given})"
                case(f"cosim {size} {stride}{about}", expression, cosim(size, stride), pair | seen, ["a", "b"])
    far = torch.tensor([-1e4, 1e4, 1e4, -1e4, 40.0, 0.0]).reshape(1, 1, 2, 3)
    sure = torch.tensor([0.0, 1.0, 0.0, 1.0, 1.0, 1.0]).reshape(1, 1, 2, 3)
    inputs = {"t": ("Label", "@f", sure), "l": ("Logit", "@f", far)}
    case("focal, saturated", "focal_logits(t, l)", focal(2.0), inputs, ["l"])
    pair = {"a": ("Desc", "@f", rand("ca", SHAPE)), "b": ("Desc", "@f", rand("cb", SHAPE))}
    case("cosine", "mean(cosine(a, b))", lambda a, b: F.cosine_similarity(a, b, dim=1).mean(), pair, ["a", "b"])


def lists():
    def choice(a, b, temperature):
        s = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T / temperature
        return F.cross_entropy(s, torch.arange(len(a)))

    def hardest(a, b, margin=1.0):
        d = ((a[:, None] - b[None]).square().sum(-1) + 1e-6).sqrt()
        others = d + 1e6 * torch.eye(len(d))
        return F.relu(margin + d.diagonal() - torch.minimum(others.amin(0), others.amin(1))).mean()

    def circle(a, b, margin, scale):
        s = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T
        own, wrong = s.diagonal(), s[~torch.eye(len(s), dtype=torch.bool)].reshape(len(s), -1)
        pull, push = F.relu(1 + margin - own).detach(), F.relu(wrong + margin).detach()
        # log(1 + Σ exp(push) · Σ exp(pull)), with the 1 as exp(0) in the sum.
        terms = scale * push * (wrong - margin) + (scale * pull * (1 - margin - own))[:, None]
        return torch.cat([torch.zeros(len(s), 1), terms], 1).logsumexp(1).mean()

    a, b = rand("la", (6, 5)), rand("lb", (6, 5))
    near = a + 0.2 * rand("ln", (6, 5))
    for about, b in [("", b), (", near", near)]:
        pair = {"a": ("Vectors", "", a), "b": ("Vectors", "", b)}
        case(f"info_nce{about}", "info_nce(a, b)", lambda a, b: choice(a, b, 0.07), pair, ["a", "b"])
        case(f"info_nce 0.5{about}", "info_nce(a, b, temperature = 0.5)", lambda a, b: choice(a, b, 0.5), pair, ["a", "b"])
        case(f"hardest{about}", "hardest_in_batch(a, b)", hardest, pair, ["a", "b"])
        case(f"hardest 0.2{about}", "hardest_in_batch(a, b, margin = 0.2)", lambda a, b: hardest(a, b, 0.2), pair, ["a", "b"])
        case(f"circle{about}", "circle(a, b)", lambda a, b: circle(a, b, 0.25, 256), pair, ["a", "b"])
        case(f"circle 0.4 10{about}", "circle(a, b, margin = 0.4, scale = 10)", lambda a, b: circle(a, b, 0.4, 10), pair, ["a", "b"])
    zero = {"a": ("Vectors", "", torch.zeros(4, 3)), "b": ("Vectors", "", torch.zeros(4, 3))}
    case("hardest, zero vectors", "hardest_in_batch(a, b)", hardest, zero, ["a", "b"])
    case("info_nce, zero vectors", "info_nce(a, b)", lambda a, b: choice(a, b, 0.07), zero, [])
    case("circle, zero vectors", "circle(a, b)", lambda a, b: circle(a, b, 0.25, 256), zero, [])
    one = {"a": ("Vectors", "", a[:1]), "b": ("Vectors", "", b[:1])}
    case("info_nce, one pair", "info_nce(a, b)", lambda a, b: choice(a, b, 0.07), one, ["a", "b"])


def places():
    read = lambda x, at: F.grid_sample(x, at[:, :, None], align_corners=False).squeeze(3).transpose(1, 2)
    turn = torch.tensor([[0.8, -0.3, 0.1], [0.25, 0.9, -0.05], [0.0, 0.0, 1.0]], dtype=torch.float64)
    centre = (torch.arange(3).double() * 2 + 1) / 3 - 1
    grid = torch.stack(torch.meshgrid(centre, centre, indexing="xy"), -1).reshape(1, 9, 2).expand(2, -1, -1)

    def chosen(anchor, map, positive, cand, semi, apart):
        """The index of each anchor's negative, as a plain number without any gradient."""
        far = (anchor[:, :, None] - read(map, cand)[:, None]).norm(dim=-1).detach()
        half = torch.tensor([12.0, 10.0], dtype=torch.float64)
        free = ((positive[:, :, None] - cand[:, None]) * half).norm(dim=-1) >= apart
        own = (anchor - read(map, positive)).norm(dim=-1).detach()
        index = torch.zeros(far.shape[:2], dtype=torch.long)
        for i in range(far.shape[0]):
            for j in range(far.shape[1]):
                left = [k for k in range(far.shape[2]) if free[i, j, k]]
                assert left, "another seed: nothing is far enough"
                beyond = [k for k in left if far[i, j, k] > own[i, j]]
                pool = left if not semi else beyond
                pick = min(pool, key=lambda k: far[i, j, k]) if pool else max(left, key=lambda k: far[i, j, k])
                index[i, j] = pick
        return index

    def vectors(desc, desc_r, H, cand, semi=False, apart=0.0):
        anchor = read(desc, grid)
        moved = torch.cat([grid, torch.ones(2, 9, 1)], -1) @ H.transpose(1, 2)
        positive = moved[..., :2] / moved[..., 2:]
        index = chosen(anchor, desc_r, positive, cand, semi, apart)
        negative = read(desc_r, cand.gather(1, index[..., None].expand(-1, -1, 2)))
        return anchor, read(desc_r, positive), negative

    inputs = {
        "image": ("Image", "@g", torch.zeros(2, 1, 20, 24)), "desc": ("Desc", "@f", rand("pa", (2, 4, 6, 5))),
        "desc_r": ("Desc", "@g", rand("pb", (2, 4, 5, 6))), "H": ("Homography", "@f->g", turn.expand(2, 3, 3)),
        "cand": ("Points", "@g", rand("pc", (2, 12, 2))),
    }
    away = lambda a, b: 1 - F.cosine_similarity(a, b, dim=-1)
    for miner, semi, apart in [("hardneg", False, 0.0), ("hardneg", False, 6.0), ("semihard", True, 0.0), ("semihard", True, 6.0)]:
        at = f"{miner}(at = cand, apart = {apart}px)"
        for name, options, loss in [
            ("l2", "", lambda a, p, n: F.triplet_margin_loss(a, p, n, margin=1.0, p=2)),
            ("l1, margin", ", margin = 0.4, p = 1", lambda a, p, n: F.triplet_margin_loss(a, p, n, margin=0.4, p=1)),
            ("squared", ", squared = true", lambda a, p, n: F.relu((a - p).square().sum(-1) - (a - n).square().sum(-1) + 1).mean()),
            ("cosine", ", margin = 0.3, cosine = true", lambda a, p, n: F.triplet_margin_with_distance_loss(
                a, p, n, distance_function=away, margin=0.3)),
        ]:
            def f(image, loss=loss, semi=semi, apart=apart, **given):
                return loss(*vectors(semi=semi, apart=apart, **given))

            case(f"triplet {name}, {miner} {apart}", f"triplet(grid(9), {at}{options})", f, inputs, ["desc", "desc_r"])

        def stopped(image, semi=semi, apart=apart, **given):
            a, p, n = vectors(semi=semi, apart=apart, **given)
            return F.triplet_margin_loss(a, p, n.detach())

        at = f"{miner}(at = cand, apart = {apart}px, gradient = false)"
        case(f"triplet, stopped, {miner} {apart}", f"triplet(grid(9), {at})", stopped, inputs, ["desc", "desc_r"])

        def contrastive(image, semi=semi, apart=apart, **given):
            a, p, n = vectors(semi=semi, apart=apart, **given)
            apart = F.pairwise_distance(a, n)
            return 0.5 * ((a - p).square().sum(-1).mean() + F.relu(1.5 - apart).square().mean())

        at = f"{miner}(at = cand, apart = {apart}px)"
        case(f"contrastive, {miner} {apart}", f"contrastive(grid(9), {at}, margin = 1.5)", contrastive, inputs, ["desc", "desc_r"])
    blank = inputs | {"desc": ("Desc", "@f", torch.zeros(2, 4, 6, 5)), "desc_r": ("Desc", "@g", torch.zeros(2, 4, 5, 6))}
    f = lambda image, **given: F.triplet_margin_loss(*vectors(**given))
    case("triplet, zero vectors", "triplet(grid(9), hardneg(at = cand))", f, blank, ["desc", "desc_r"])


def axes():
    """Formulas in which values with different axes meet."""
    x, y = rand("ax/x", (2, 5, 3, 4), -2, 2), rand("ax/y", (2, 5, 3, 4), 0, 1)
    a, b = rand("ax/a", (6, 8)), rand("ax/b", (6, 8))
    va, vb, shared = rand("ax/va", (3, 4, 8)), rand("ax/vb", (3, 5, 8)), rand("ax/shared", (5, 8))
    logits, vectors = ("Logit", "@f", x), lambda t: ("Vectors", "", t)
    pair = {"a": vectors(a), "b": vectors(b)}
    soft = lambda x, t: -(t * F.log_softmax(x, 1)).sum(1).mean()
    case("soft labels over channels", "0 - mean(sum(t * log_softmax(x, over = channel), over = channel))", soft,
         {"x": logits, "t": ("Prob", "@f", y)}, ["x"])
    case("softmax by hand", "mean(square(exp(x) / sum(exp(x), over = channel)))", lambda x: x.softmax(1).square().mean(),
         {"x": logits}, ["x"])
    case("a place's share", "mean(square(softmax(x, over = place)))", lambda x: x.flatten(2).softmax(2).square().mean(),
         {"x": logits}, ["x"])
    case("less the mean of each channel", "mean(abs(x - mean(x, per = channel)))",
         lambda x: (x - x.mean((0, 2, 3), keepdim=True)).abs().mean(), {"x": logits}, ["x"])
    case("more than each place's mean", "sum(x * (x > mean(x, over = channel)))",
         lambda x: (x * (x > x.mean(1, keepdim=True))).sum(), {"x": logits}, ["x"])
    case("a row against the table", "0 - mean(diagonal(s(a, b) - log_sum_exp(s(a, b), over = column)))".replace("s(a, b)", "similarities(a, b)"),
         lambda a, b: F.cross_entropy(a @ b.T, torch.arange(6)), pair, ["a", "b"])
    case("both sides' softmax", "0 - mean(diagonal(log_softmax(similarities(a, b), over = row) + log_softmax(similarities(a, b), over = column)))",
         lambda a, b: F.cross_entropy(a @ b.T, torch.arange(6)) + F.cross_entropy(b @ a.T, torch.arange(6)), pair, ["a", "b"])
    case("variance of each channel", "mean(hinge(1 - sqrt(variance(z, over = item, unbiased = true) + 1e-4)))",
         lambda z: F.relu(1 - (z.var(0) + 1e-4).sqrt()).mean(), {"z": vectors(a * 1.5)}, ["z"])
    def decorrelated(z):
        z = z - z.mean(0)
        c = z.T @ z / 5
        return (c - torch.diag(c.diag())).square().sum() / 8
    case("covariance", "sum(square(off_diagonal(product(transpose(m(z)), m(z)) / 5, fill = 0))) / size(z, channel)"
         .replace("m(z)", "rename(rename(z - mean(z, over = item), channel, column), item, row)"),
         decorrelated, {"z": vectors(a)}, ["z"])
    tables = {"a": vectors(va), "b": vectors(vb)}
    case("tables of each sample", "mean(log_sum_exp(similarities(a, b), over = column))",
         lambda a, b: torch.einsum("bnc,bmc->bnm", a, b).logsumexp(2).mean(), tables, ["a", "b"])
    case("one list for all samples", "mean(min(distances(a, p), over = column))",
         lambda a, p: ((a[:, :, None] - p).square().sum(-1) + 1e-6).sqrt().amin(2).mean(), {"a": vectors(va), "p": vectors(shared)}, ["a", "p"])
    case("attention", "mean(square(product(softmax(similarities(a, b) / 0.5, over = column), b)))",
         lambda a, b: ((torch.einsum("bnc,bmc->bnm", a, b) / 0.5).softmax(2) @ b).square().mean(), tables, ["a", "b"])
    def histogram(a, b):
        bins = F.relu(1 - ((a @ b.T)[..., None] - torch.linspace(-1, 1, 5)).abs() * 2)
        return bins.sum(1).square().mean()
    case("a histogram of each row", "mean(square(sum(hinge(1 - abs(similarities(a, b) - levels(-1..1, count = 5, axis = bin)) * 2), over = column)))",
         histogram, pair, ["a", "b"])
    case("cumulative", "mean(square(cumsum(similarities(a, b), over = column)))", lambda a, b: (a @ b.T).cumsum(1).square().mean(), pair, ["a", "b"])
    case("the greatest three", "mean(square(top(similarities(a, b), 3, over = column)))",
         lambda a, b: (a @ b.T).topk(3, 1).values.square().mean(), pair, ["a", "b"])
    case("hardest under a mask", "mean(min(distances(a, b), over = column, mask = 1 - identity(similarities(a, b))))",
         lambda a, b: ((a[:, None] - b).square().sum(-1) + 1e-6).sqrt().masked_fill(torch.eye(6, dtype=torch.bool), 9).amin(1).mean(), pair, ["a", "b"])
    case("the nearest vector", "mean(square(a - take(b, rename(argmax(similarities(a, b), over = column), row, item), over = item)))",
         lambda a, b: (a - b[(a @ b.T).argmax(1)]).square().mean(), pair, ["a", "b"])
    case("cells as channels", "mean(log_sum_exp(space_to_channel(p, 2), over = channel))",
         lambda p: F.pixel_unshuffle(p, 2).logsumexp(1).mean(), {"p": ("Map", "@f", rand("ax/p", (2, 1, 4, 6)))}, ["p"])
    case("a map without channels, pooled", "mean(square(max_pool(max(x, over = channel), 2)))",
         lambda x: F.max_pool2d(x.amax(1, keepdim=True), 2).square().mean(), {"x": ("Feat", "@f", rand("ax/pool", (2, 3, 4, 6)))}, ["x"])
    case("rows and columns of a map", "mean(abs(max(x, over = row) - mean(x, over = [row, column])))",
         lambda x: (x.amax(2) - x.mean((2, 3))[..., None]).abs().mean(), {"x": logits}, ["x"])


maps()
lists()
places()
axes()
path = pathlib.Path(__file__).parent / "std.safetensors"
save_file(TENSORS, path, {"golden": json.dumps({"made_by": f"torch {torch.__version__}", "cases": CASES})})
path.chmod(0o644)
print(f"{len(CASES)} cases, {path.stat().st_size / 1024:.0f} KiB")
