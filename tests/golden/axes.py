"""Cases of operations that work along axes, for make.py. The setting `axes` holds the positions that the checker derives."""

import torch
import torch.nn.functional as F

SHAPE = (2, 5, 3, 4)


def along(case, op, name, f, x, axes, settings=None, **more):
    inputs = {"x" if op not in ("min", "max") else "a": x, **more}
    case(op, name, f, inputs, {**(settings or {}), "axes": axes}, wants=[next(iter(inputs))])


def axes(case, rand):
    seen = (rand("axes/seen", (2, 1, 3, 4)) > 0).double()
    grey = rand("axes/grey", (2, 1, 3, 4), 0.1, 1)
    cuts = {"channels": [1], "places": [2, 3], "batch and rows": [0, 2], "batch": [0], "columns": [3]}
    reductions = {
        "mean": lambda x, d: x.mean(d), "sum": lambda x, d: x.sum(d), "log_sum_exp": lambda x, d: x.logsumexp(d),
        "max": lambda x, d: x.amax(d), "min": lambda x, d: x.amin(d),
    }
    for op, f in reductions.items():
        for name, d in cuts.items():
            along(case, op, f"over {name}", lambda a=None, x=None, f=f, d=d: f(x if a is None else a, d),
                  rand(f"{op}/{name}", SHAPE, -2, 2), d)
    for op in ["max", "min"]:
        ties = (rand(f"{op}/ties", (4, 9)) * 2).round()
        along(case, op, "ties share", lambda a, op=op: getattr(a, "a" + op)(1), ties, [1])
        far = -torch.inf if op == "max" else torch.inf
        f = lambda a, mask, op=op, far=far: getattr(a.masked_fill(mask.expand_as(a) == 0, far), "a" + op)((2, 3))
        along(case, op, "masked", f, rand(f"{op}/masked", SHAPE), [2, 3], mask=seen)
        case(op, "all", lambda a, op=op: getattr(a, "a" + op)(), {"a": rand(f"{op}/all", SHAPE)})
    f = lambda x, mask: (x + mask.expand_as(x).log()).logsumexp((2, 3))
    along(case, "log_sum_exp", "weighed", f, rand("lse/weighed", SHAPE, -2, 2), [2, 3], mask=grey)
    along(case, "log_sum_exp", "masked", f, rand("lse/masked", SHAPE, -2, 2), [2, 3], mask=seen.clamp(min=1e-38))
    for op, f in {"variance": torch.var, "std": torch.std}.items():
        for name, d in cuts.items():
            for unbiased in [False, True]:
                g = lambda x, f=f, d=d, unbiased=unbiased: f(x, d, correction=int(unbiased))
                along(case, op, f"over {name}, unbiased {unbiased}", g, rand(f"{op}/{name}", SHAPE), d, {"unbiased": unbiased})

        def weighed(x, mask, op=op):
            m = mask.expand_as(x)
            mean = (x * m).sum((2, 3), keepdim=True) / m.sum((2, 3), keepdim=True)
            square = ((x - mean) ** 2 * m).sum((2, 3)) / m.sum((2, 3))
            return square.sqrt() if op == "std" else square

        along(case, op, "weighed", weighed, rand(f"{op}/weighed", SHAPE), [2, 3], {"unbiased": False}, mask=grey)
    flags = (rand("axes/flags", SHAPE) > -0.6).double()
    for op, f in {
        "any": lambda x, d: x.bool().any(d), "all": lambda x, d: x.bool().all(d), "count": lambda x, d: torch.count_nonzero(x, d),
    }.items():
        for name, d in {"columns": 3, "channels": 1}.items():
            case(op, f"over {name}", lambda x, f=f, d=d: f(x, d).double(), {"x": flags}, {"axes": [d]}, wants=[])
    for name, d in {**cuts, "far": [1]}.items():
        x = rand(f"softmax/{name}", SHAPE, -3, 3) * (1e4 if name == "far" else 1)

        def run(x, f, d=d):
            moved = x.movedim(d, tuple(range(-len(d), 0)))
            return f(moved.flatten(-len(d)), -1).reshape(moved.shape).movedim(tuple(range(-len(d), 0)), d)

        along(case, "softmax", name, lambda x, run=run: run(x, torch.softmax), x, d)
        along(case, "log_softmax", name, lambda x, run=run: run(x, torch.log_softmax), x, d)
    for name, d in {"channels": 1, "columns": 3, "batch": 0}.items():
        x = rand(f"ranks/{name}", SHAPE)
        along(case, "cumsum", name, lambda x, d=d: x.cumsum(d), x, [d])
        for down in [False, True]:
            f = lambda x, d=d, down=down: x.sort(dim=d, descending=down, stable=True).values
            along(case, "sort", f"{name}, descending {down}", f, x, [d], {"descending": down})
        along(case, "top", name, lambda x, d=d: x.topk(2, d).values, x, [d], {"n": 2})
    level = (rand("ranks/level", (4, 9)) * 2).round()
    along(case, "sort", "equal numbers", lambda x: x.sort(dim=1, descending=False, stable=True).values, level, [1], {"descending": False})
    order = {"items as rows": ((3, 4), [1, 0]), "in place": ((2, 3, 4), [0, 1, 2])}
    for name, (shape, d) in order.items():
        case("rename", name, lambda x, d=d: x.permute(d), {"x": rand(f"rename/{name}", shape)}, {"order": d})
    for name, shape in {"a table": (3, 5), "a batch": (2, 3, 4)}.items():
        d = [1, 0] if len(shape) == 2 else [0, 2, 1]
        case("transpose", name, lambda x: x.mT, {"x": rand(f"transpose/{name}", shape)}, {"order": d})
    for name, a, b in [
        ("two tables", (3, 4), (4, 5)), ("a batch", (2, 3, 4), (2, 4, 5)), ("one table", (3, 4), (2, 4, 5)), ("one list", (2, 3, 4), (4, 5)),
    ]:
        case("product", name, lambda a, b: a @ b, {"a": rand(f"product/{name}/a", a), "b": rand(f"product/{name}/b", b)})
    x = {"x": rand("ranks/args", SHAPE)}
    for op in ["argmax", "argmin"]:
        case(op, "channels", lambda x, op=op: getattr(x, op)(1).double(), x, {"axes": [1]}, wants=[])
        case(op, "columns", lambda x, op=op: getattr(x, op)(3).double(), x, {"axes": [3]}, wants=[])
    at = torch.tensor([0.0, 3.0, 3.0, 1.0, 0.0]).double()
    case("take", "items", lambda x, at: x[at.long().flatten()], {"x": rand("take/items", (4, 3)), "at": at[:, None]}, {"axes": [0]}, wants=["x"])
    f = lambda x, at: torch.take_along_dim(x, at.long(), 1)[:, 0]
    case("take", "one of each row", f, {"x": rand("take/rows", (5, 4)), "at": at[:, None]}, {"axes": [1]}, wants=["x"])
    case("identity", "odd", lambda like: torch.eye(5).double(), {"like": rand("identity", (5, 5))}, wants=[])
    case("space_to_channel", "odd", lambda x: F.pixel_unshuffle(x, 3), {"x": rand("space/down", (2, 2, 6, 9))}, {"by": 3})
    case("channel_to_space", "odd", lambda x: F.pixel_shuffle(x, 3), {"x": rand("space/up", (2, 18, 2, 3))}, {"by": 3})
    for name, d in {"places": [2, 3], "channels": [1]}.items():
        x = rand(f"scaling/{name}", SHAPE)
        along(case, "l2norm", f"over {name}", lambda x, d=d: x / x.square().sum(d, keepdim=True).sqrt(), x, d, {"eps": 1e-12})
        level = lambda x, d=d: (x - x.mean(d, keepdim=True)) / (x.std(d, keepdim=True, correction=0) + 1e-6)
        along(case, "standardize", f"over {name}", level, x, d, {"eps": 1e-6})
    for name, d, a, b in [("items", 0, (3, 4), (2, 4)), ("a column", 2, (2, 3, 5), (2, 3, 1))]:
        pair = {"a": rand(f"append/{name}/a", a), "b": rand(f"append/{name}/b", b)}
        case("append", name, lambda a, b, d=d: torch.cat([a, b], d), pair, {"axes": [d]})
    for name, d in {"channels": 1, "columns": 3}.items():
        for down in [False, True]:
            given = {"x": rand(f"arrange/{name}/x", SHAPE), "by": (rand(f"arrange/{name}/by", SHAPE) * 3).round()}
            f = lambda x, by, d=d, down=down: x.gather(d, by.argsort(dim=d, descending=down, stable=True))
            case("arrange", f"{name}, descending {down}", f, given, {"axes": [d], "descending": down}, wants=["x"])
