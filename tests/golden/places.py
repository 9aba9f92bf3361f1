"""Cases of operations on places, for make.py: what PyTorch makes of them."""

import torch
import torch.nn.functional as F

WIDTH, HEIGHT = 36.0, 24.0
SIZE = {"width": WIDTH, "height": HEIGHT}
HALF = torch.tensor([WIDTH / 2, HEIGHT / 2], dtype=torch.float64)


def arithmetic(case, rand):
    for batch, count in [(2, 7), (1, 1)]:
        name, shape = f"{batch} by {count}", (batch, count, 2)
        a, b, s = rand(f"pa/{name}", shape), rand(f"pb/{name}", shape), rand(f"ps/{name}", (batch, count), 0.5, 2)
        case("place_sub", name, lambda a, b: (a - b) * HALF, {"a": a, "b": b}, SIZE)
        case("place_add", name, lambda a, b: a + b / HALF, {"a": a, "b": b * 30}, SIZE)
        case("offset_mul", name, lambda a, b: a * b[..., None], {"a": a * 9, "b": s})
        case("offset_div", name, lambda a, b: a / b[..., None], {"a": a * 9, "b": s})
        case("length", name, lambda x: torch.linalg.vector_norm(x, dim=-1), {"x": a * 9})
        for p, squared in [(2.0, False), (2.0, True), (1.0, False), (3.0, False)]:
            far = lambda a, b: torch.linalg.vector_norm((a - b) * HALF, p, dim=-1)
            f = (lambda a, b: ((a - b) * HALF).square().sum(-1)) if squared else far
            about = f"{name}, p = {p:g}{', squared' if squared else ''}"
            case("place_distance", about, f, {"a": a, "b": b}, SIZE | {"p": p, "squared": squared})
    nothing = torch.zeros(1, 3, 2)
    case("length", "nothing", lambda x: torch.linalg.vector_norm(x, dim=-1), {"x": nothing})


def middles(like):
    """The middles of a map's cells, (B, h·w, 2)."""
    eye = torch.eye(2, 3, dtype=torch.float64).expand(len(like), 2, 3)
    return F.affine_grid(eye, like.shape, align_corners=False).flatten(1, 2)


def maps(case, rand):
    for name, shape in [("odd", (2, 3, 5, 7)), ("one cell", (1, 1, 1, 1)), ("one row", (2, 2, 1, 6))]:
        b, c, h, w = shape
        x = rand(f"cells/{name}", shape)
        case("coords", name, middles, {"like": x}, wants=[])
        case("as_vectors", name, lambda x: x.flatten(2).transpose(1, 2), {"x": x})
        back = lambda x, like: x.transpose(1, 2).unflatten(2, like.shape[2:])
        case("as_map", name, back, {"x": rand(f"map/{name}", (b, h * w, c)), "like": x}, wants=["x"])
        one = lambda x, like: x.reshape(len(x), 1, *like.shape[2:])
        case("as_map", f"{name}, a number each", one, {"x": rand(f"one/{name}", (b, h * w)), "like": x}, wants=["x"])


def marks(case, rand):
    points = rand("seen", (2, 40, 2), -1.5, 1.5)
    points[0, :4] = torch.tensor([[1.0, -1.0], [-1.0, 0.0], [1e6, 1e6], [0.0, 1.0]])
    for border in [0.0, 4.0]:
        f = lambda points: ((points.abs() * HALF) <= HALF - border).all(-1).double()
        case("seen", f"border {border:g}", f, {"points": points}, SIZE | {"border": border}, wants=[])


def tables(case, rand):
    far = lambda a, b: torch.cdist(a * HALF, b * HALF, compute_mode="donot_use_mm_for_euclid_dist")
    for name, batch, rows, columns in [("oblong", 2, 3, 5), ("one pair", 1, 1, 1), ("many", 1, 11, 67)]:
        inputs = {"a": rand(f"ta/{name}", (batch, rows, 2)), "b": rand(f"tb/{name}", (batch, columns, 2))}
        case("place_distances", name, far, inputs, SIZE)
        case("place_distances", f"{name}, squared", lambda a, b: far(a, b).square(), inputs, SIZE | {"squared": True})
        for within in [3.0, 12.0]:
            gap = (far(**{k: v.float().double() for k, v in inputs.items()}) - within).abs()
            assert (gap > 1e-4).all(), "no case may hang on rounding"
            f = lambda a, b: (far(a, b) <= within).double()
            case("near", f"{name} within {within:g}", f, inputs, SIZE | {"within": within}, wants=[])


def chosen(score, cells):
    """The middles of these cells of (B, 1, h, w), (B, keep, 2)."""
    return middles(score).gather(1, cells[..., None].expand(-1, -1, 2))


def choices(case, rand):
    score = rand("topk", (2, 1, 9, 7), 0, 1)
    like = {"score": score, "like": rand("topk like", (2, 3, 9, 7))}
    case("topk", "best", lambda score, like: chosen(score, score.flatten(1).topk(5).indices), like, {"keep": 5}, wants=[])

    def peaks(keep, radius):
        """Peaks of a square window on square cells; `apart` is between radius·√2 and radius + 1 cells only for radius 1."""

        def f(score, like):
            high = F.max_pool2d(score, 2 * radius + 1, 1, radius)
            only = torch.where(score == high, score, -1.0).flatten(1)
            best = only.topk(keep)
            assert (best.values > 0).all(), "fewer peaks than asked for"
            return chosen(score, best.indices)

        return f

    # Cells of 4 by 4 px: 6 px hold the eight neighbors, 5.6 px apart at most, and no other cell, 8 px apart.
    size = {"width": 28.0, "height": 36.0, "border": 0.0}
    case("peaks", "the eight neighbors", peaks(5, 1), like, size | {"keep": 5, "apart": 6.0}, wants=[])
    case("peaks", "one", peaks(1, 1), like, size | {"keep": 1, "apart": 6.0}, wants=[])

    def greedy(keep, apart, border):
        """Peaks in a round window, and what follows where there are too few: cell by cell, from the definition."""

        def f(score, like):
            centre = (middles(score) * torch.tensor([14.0, 18.0])).double()
            cells = []
            for values, places in zip(score.flatten(1), centre):
                far = torch.cdist(places[None], places[None], compute_mode="donot_use_mm_for_euclid_dist")[0]
                free = ((places.abs() + border) <= torch.tensor([14.0, 18.0]) + 1e-9).all(1)
                order = values.argsort(descending=True).tolist()
                peak = [bool(free[i]) and all(values[j] < values[i] for j in range(len(values)) if j != i and far[i, j] < apart) for i in range(len(values))]
                taken = [i for i in order if peak[i]][:keep]
                for fits in [lambda i: free[i] and all(far[i, j] >= apart for j in taken), lambda i: free[i], lambda i: True]:
                    for i in order:
                        if len(taken) < keep and i not in taken and fits(i):
                            taken.append(i)
                cells.append(taken)
            return chosen(score, torch.tensor(cells))

        return f

    for keep, apart, border in [(4, 9.5, 0.0), (12, 9.5, 6.0), (50, 13.0, 5.0), (63, 0.0, 0.0)]:
        settings = {"width": 28.0, "height": 36.0, "keep": keep, "apart": apart, "border": border}
        case("peaks", f"{keep} that are {apart:g} apart", greedy(keep, apart, border), like, settings, wants=[])


def soft(case, rand):
    def spread(weights, places, squared=None):
        """The mean place, or the spread around it in pixels."""
        mean = (weights[..., None] * places).sum(-2)
        if squared is None:
            return mean
        offsets = (places - mean[..., None, :]) * HALF
        far = offsets.square().sum(-1)
        return (weights * (far if squared else far.sqrt())).sum(-1)

    def whole(temperature, squared):
        def f(score):
            return spread((score.flatten(2) / temperature).softmax(-1), middles(score)[:, None], squared)

        return f

    def tiles(window, temperature, squared):
        def f(score):
            cut = lambda x: F.unfold(x, window, stride=window).transpose(1, 2)
            places = middles(score).transpose(1, 2).unflatten(2, score.shape[2:])
            xy = torch.stack([cut(places[:, :1]), cut(places[:, 1:])], -1)
            return spread((cut(score) / temperature).softmax(-1), xy, squared)

        return f

    def around(window, temperature, squared):
        def f(score, at):
            b, _, h, w = score.shape
            reach, size = window // 2, torch.tensor([w, h])
            corner = ((at + 1) / 2 * size).floor().long()
            steps = torch.cartesian_prod(*[torch.arange(-reach, reach + 1)] * 2).flip(1)
            cells = corner[:, :, None] + steps
            inside = ((cells >= 0) & (cells < size)).all(-1)
            number = (cells[..., 1].clamp(0, h - 1) * w + cells[..., 0].clamp(0, w - 1)).flatten(1)
            values = score.flatten(1).gather(1, number).view(inside.shape)
            logits = (values / temperature).masked_fill(~inside, -torch.inf)
            none = ~inside.any(-1, keepdim=True)
            weights = logits.masked_fill(none, 0.0).softmax(-1)
            xy = (cells * 2 + 1).double() / size - 1
            return spread(weights, torch.where(none[..., None], at[:, :, None].detach(), xy), squared)

        return f

    def both(name, f, inputs, settings):
        case("soft_argmax", name, f(None), inputs, settings, wants=["score"])
        for squared in [False, True]:
            about = f"{name}{', squared' if squared else ''}"
            case("dispersion", about, f(squared), inputs, settings | SIZE | {"squared": squared}, wants=["score"])

    both("whole maps", lambda s: whole(0.5, s), {"score": rand("soft whole", (2, 3, 5, 7))}, {"temperature": 0.5})
    both("tiles", lambda s: tiles(4, 1.0, s), {"score": rand("soft tiles", (2, 1, 8, 12))}, {"temperature": 1.0, "window": 4})
    for window, temperature, reach in [(5, 0.1, 0.9), (3, 1.0, 1.0), (7, 0.4, 1.2)]:
        inputs = {"score": rand(f"soft {window}", (2, 1, 9, 8)), "at": rand(f"soft at {window}", (2, 6, 2), -reach, reach)}
        settings = {"temperature": temperature, "window": window}
        both(f"{window} around places", lambda s: around(window, temperature, s), inputs, settings)


def places(case, rand):
    for part in [arithmetic, maps, marks, tables, choices, soft]:
        part(case, rand)
