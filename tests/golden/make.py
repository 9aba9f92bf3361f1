"""Makes tests/golden/ops/<operation>.safetensors with PyTorch. Run once, by hand; the tests read the files and need no Python.

    python -m venv venv && venv/bin/pip install torch numpy safetensors
    venv/bin/python tests/golden/make.py            all of them
    venv/bin/python tests/golden/make.py relu warp   only these

A file holds any number of cases. Tensors are named `case/in/<input>` (f32), `case/grad` (f32), `case/out` and `case/d/<input>` (f64).
Everything is computed in f64 from inputs that are exact in f32, so that both precisions can be held against it. The metadata holds,
as JSON, torch's version and every case's settings. A case that has no `d/` of an input says nothing about that gradient.
"""

import json
import math
import pathlib
import sys
import zlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from axes import axes
import places as of_places

FOLDER = pathlib.Path(__file__).parent / "ops"
FILES = {}


def rand(key, shape, low=-1.0, high=1.0):
    """Uniform numbers that depend on `key` alone."""
    generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
    return torch.rand(shape, generator=generator, dtype=torch.float64) * (high - low) + low


def exact(x):
    """The nearest numbers that are exact in f32."""
    return torch.as_tensor(x, dtype=torch.float64).float().double()


def case(op, name, f, inputs, settings=None, wants=None, training=True):
    """Runs one case: `f` takes the inputs by name; `wants` lists those with a gradient (all of them by default)."""
    inputs = {k: exact(v).clone() for k, v in inputs.items()}
    wants = list(inputs) if wants is None else wants
    leaves = {k: v.requires_grad_(k in wants) for k, v in inputs.items()}
    out = f(**leaves)
    tensors = {f"{name}/in/{k}": v.detach().float() for k, v in inputs.items()}
    tensors[f"{name}/out"] = out.detach().double()
    grad = exact(rand(f"{op}/{name}/grad", out.shape))
    tensors[f"{name}/grad"] = grad.float()
    if wants:
        slopes = torch.autograd.grad(out, [leaves[k] for k in wants], grad)
        tensors |= {f"{name}/d/{k}": v for k, v in zip(wants, slopes)}
    for key, value in tensors.items():
        assert torch.isfinite(value).all(), f"{op}: {key}"
    file = FILES.setdefault(op, ({}, {}))
    assert name not in file[1], f"{op}: {name} is there twice"
    file[0].update({k: v.clone().contiguous() for k, v in tensors.items()})
    file[1][name] = {"settings": settings or {}, "training": training}


def maps(op, name, shape, low=-1.0, high=1.0, **more):
    return {k: rand(f"{op}/{name}/{k}", s, low, high) for k, s in {"x": shape, **more}.items()}


# Layers


def conv():
    def one(name, x, width, kernel, stride=1, pad="same", dilation=1, groups=1, bias=True):
        inputs = {"x": rand(f"conv/{name}/x", x), "weight": rand(f"conv/{name}/w", (width, x[1] // groups, kernel, kernel))}
        if bias:
            inputs["bias"] = rand(f"conv/{name}/b", (width,))
        cells = dilation * (kernel - 1) // 2 if pad == "same" else pad
        f = lambda x, weight, bias=None: F.conv2d(x, weight, bias, stride, cells, dilation, groups)
        names = ["width", "kernel", "stride", "pad", "dilation", "groups", "bias"]
        case("conv", name, f, inputs, dict(zip(names, [width, kernel, stride, pad, dilation, groups, bias])))

    def normed(name, x, width, stride=1, relu=True):
        """A map that is normalized over the batch on its way into the convolution, as the pass `through` leaves it."""
        of = lambda what, shape, *range: rand(f"conv/{name}/{what}", shape, *range)
        inputs = {"x": of("x", x, -2, 3), "weight": of("w", (width, x[1], 3, 3))}
        inputs |= {"norm_weight": of("nw", x[1:2], 0.5, 2), "norm_bias": of("nb", x[1:2])}
        inputs |= {"running_mean": of("m", x[1:2]), "running_var": of("v", x[1:2], 0.5, 2)}

        def f(x, weight, norm_weight, norm_bias, running_mean, running_var):
            y = F.batch_norm(x, None, None, norm_weight, norm_bias, training=True, eps=1e-5)
            return F.conv2d(F.relu(y) if relu else y, weight, None, stride, 1)

        settings = {"width": width, "kernel": 3, "stride": stride, "pad": "same", "dilation": 1, "groups": 1, "bias": False}
        settings |= {"norm": "relu" if relu else "plain", "eps": 1e-5, "momentum": 0.1}
        case("conv", name, f, inputs, settings, wants=["x", "weight", "norm_weight", "norm_bias"])

    normed("normalized", (2, 5, 7, 9), 6, relu=False)
    normed("normalized and rectified", (3, 8, 6, 10), 11)
    normed("normalized, rectified, strided", (2, 4, 9, 7), 10, stride=2)
    one("odd and oblong", (2, 3, 7, 5), 4, 3)
    one("one channel, as an image", (1, 1, 17, 12), 5, 3)
    one("no bias", (2, 3, 6, 9), 2, 3, bias=False)
    one("strided", (2, 3, 9, 8), 5, 3, stride=2)
    one("strided, an edge unseen", (1, 2, 8, 6), 3, 3, stride=2, pad=0)
    one("dilated", (2, 4, 9, 8), 6, 3, dilation=2)
    one("groups", (2, 4, 5, 6), 6, 3, groups=2)
    one("depthwise", (2, 5, 6, 7), 5, 3, groups=5)
    one("pointwise", (3, 17, 4, 3), 19, 1)
    one("sixteen channels", (1, 16, 6, 5), 32, 3)
    one("more than sixteen", (1, 19, 5, 7), 17, 3)
    one("large kernel", (1, 2, 9, 11), 3, 7)
    one("even kernel, wide pad", (1, 1, 5, 6), 2, 2, stride=2, pad=2)
    one("whole map", (5, 3, 4, 4), 7, 4, pad=0)
    one("one cell", (2, 3, 1, 1), 4, 3)
    one("dilated, strided, grouped", (2, 4, 11, 9), 4, 3, stride=3, pad=1, dilation=2, groups=2)


def transposed():
    def one(name, x, width, kernel, stride=1, pad=0, output_pad=0, dilation=1, groups=1, bias=True):
        inputs = {"x": rand(f"ct/{name}/x", x), "weight": rand(f"ct/{name}/w", (x[1], width // groups, kernel, kernel))}
        if bias:
            inputs["bias"] = rand(f"ct/{name}/b", (width,))
        f = lambda x, weight, bias=None: F.conv_transpose2d(x, weight, bias, stride, pad, output_pad, groups, dilation)
        names = ["width", "kernel", "stride", "pad", "output_pad", "dilation", "groups", "bias"]
        case("conv_transpose", name, f, inputs, dict(zip(names, [width, kernel, stride, pad, output_pad, dilation, groups, bias])))

    one("doubled", (2, 3, 5, 4), 4, 2, stride=2)
    one("doubled, many channels", (1, 18, 3, 2), 17, 2, stride=2)
    one("smooth", (2, 2, 4, 5), 3, 4, stride=2, pad=1, bias=False)
    one("rows at the end", (1, 2, 3, 4), 3, 3, stride=2, pad=1, output_pad=1)
    one("of one size", (1, 18, 5, 4), 5, 3, pad=1)
    one("of one size, few", (2, 2, 6, 5), 3, 3, pad=1)
    one("one output", (1, 16, 3, 5), 1, 3, pad=1)
    one("pointwise", (2, 5, 3, 4), 7, 1)
    one("dilated groups", (2, 4, 4, 3), 6, 3, dilation=2, groups=2)
    one("depthwise", (1, 3, 4, 5), 3, 3, stride=3, pad=1, groups=3)
    one("one cell", (3, 4, 1, 1), 2, 4)


# The turns of a symmetry group, as what they do to an array of rows and columns.


def turned_array(x, t):
    """Turn t of the last two axes: a mirror image first if t is 4 or more, then quarter turns from the right to below."""
    return torch.rot90(x.flip(-1) if t >= 4 else x, -(t % 4), (-2, -1))


PATTERN = torch.arange(9.0).reshape(3, 3)


def turn_of(x):
    return next(t for t in range(8) if torch.equal(turned_array(PATTERN, t), x))


def after(a, b):
    return turn_of(turned_array(turned_array(PATTERN, b), a))


INVERSE = [next(s for s in range(8) if after(t, s) == 0) for t in range(8)]


def fields():
    def one(name, x, width, kernel, turns, stride=1, pad="same", dilation=1, bias=True, said=True):
        shape = (width, *x[1:-2], kernel, kernel)
        inputs = {"x": rand(f"field/{name}/x", x), "weight": rand(f"field/{name}/w", shape)}
        if bias:
            inputs["bias"] = rand(f"field/{name}/b", (width,))
        cells = dilation * (kernel - 1) // 2 if pad == "same" else pad

        def f(x, weight, bias=None):
            # Turn by turn, each a convolution of its own.
            out = []
            for t in range(turns):
                if x.dim() == 4:
                    form = turned_array(weight, t)
                else:
                    form = torch.stack([turned_array(weight[:, after(INVERSE[t], s)], t) for s in range(turns)], 1).flatten(1, 2)
                out.append(F.conv2d(x if x.dim() == 4 else x.flatten(1, 2), form, bias, stride, cells, dilation))
            return torch.stack(out, 1)

        names = ["width", "kernel", "stride", "pad", "dilation", "groups", "bias", "symmetry"]
        symmetry = ("c4" if turns == 4 else "d4") if said else "none"
        case("conv", name, f, inputs, dict(zip(names, [width, kernel, stride, pad, dilation, 1, bias, symmetry])))

    one("to a field of d4", (2, 2, 6, 5), 3, 3, 8)
    one("to a field of c4", (1, 1, 5, 4), 2, 5, 4, bias=False)
    one("to a wide field", (1, 3, 4, 3), 5, 3, 8)
    one("from field to field of d4", (1, 8, 2, 4, 5), 2, 3, 8, said=False)
    one("from field to field of c4", (2, 4, 3, 4, 3), 3, 3, 4)
    one("a field, strided", (1, 8, 1, 6, 4), 1, 4, 8, stride=2, pad=1)
    one("a field, dilated", (1, 4, 1, 7, 6), 2, 3, 4, dilation=2)
    one("a field, pointwise", (2, 8, 2, 3, 2), 3, 1, 8)
    for by, f in [("mean", lambda x: x.mean(1)), ("max", lambda x: x.max(1).values)]:
        for name, shape in [("d4", (2, 8, 3, 4, 5)), ("c4", (1, 4, 17, 2, 1))]:
            case("invariant", f"{by} of {name}", f, maps("invariant", f"{by} {name}", shape), {"by": by})
    for name, shape in [("d4", (2, 8, 3, 4, 5)), ("c4", (1, 4, 1, 2, 3))]:
        case("turns_to_channel", name, lambda x: x.flatten(1, 2), maps("turns_to_channel", name, shape))

    def permuted(name, shape, turns, moves):
        symmetry = "c4" if turns == 4 else "d4"
        by = torch.stack([MATRICES[m] if m in MATRICES else linear(*SYMMETRIES[m]) for m in moves.keys()])

        def f(x, by):
            blocks = x.unflatten(1, (turns, -1))
            order = [[after(INVERSE[g], t) for t in range(turns)] for g in moves.values()]
            return torch.stack([one[o] for one, o in zip(blocks, order)]).flatten(1, 2)

        inputs = {"x": rand(f"permute/{name}", shape), "by": by}
        case("permute_turns", name, f, inputs, {"symmetry": symmetry}, wants=["x"])

    # A matrix that takes (x, y) to (-y, x) is the first quarter turn.
    every = {"identity": 0, "90 degrees": 1, "180 degrees": 2, "270 degrees": 3, "mirrored": 4, "mirrored, 90 degrees": None,
             "mirrored, 180 degrees": 6, "mirrored, 270 degrees": None}
    for name in ["mirrored, 90 degrees", "mirrored, 270 degrees"]:
        a, b, c, d = SYMMETRIES[name]
        moved = torch.zeros(3, 3)
        for i in range(3):
            for j in range(3):
                x, y = j - 1, i - 1
                moved[c * x + d * y + 1, a * x + b * y + 1] = PATTERN[i, j]
        every[name] = turn_of(moved)
    permuted("every symmetry", (8, 16, 2, 3), 8, every)
    permuted("quarter turns", (4, 8, 3, 2), 4, {k: v for k, v in every.items() if v < 4})
    permuted("near the identity", (3, 8, 2, 2), 8, {"turned": 0, "sheared": 0, "projective": 0})


def vectors():
    def line(name, x, width, bias=True):
        inputs = {"x": rand(f"linear/{name}/x", x), "weight": rand(f"linear/{name}/w", (width, x[-1]))}
        if bias:
            inputs["bias"] = rand(f"linear/{name}/b", (width,))
        case("linear", name, lambda x, weight, bias=None: F.linear(x, weight, bias), inputs, {"width": width, "bias": bias})

    line("odd", (3, 5), 7)
    line("long", (3, 67), 11)
    line("batched", (2, 3, 6), 4, bias=False)
    line("one output", (5, 70), 1)
    for name, shape in [("odd", (2, 3, 5, 7)), ("one cell", (3, 4, 1, 1)), ("wide", (1, 17, 3, 24))]:
        case("global_pool", name, lambda x: x.mean((2, 3)), maps("global_pool", name, shape))

    def layer(name, shape, affine=True, eps=1e-5, low=-2.0):
        last = len(shape) != 4
        size = shape[-1] if last else shape[1]
        inputs = {"x": rand(f"ln/{name}/x", shape, low, low + 5)}
        if affine:
            inputs |= {"weight": rand(f"ln/{name}/w", (size,), 0.5, 2), "bias": rand(f"ln/{name}/b", (size,))}

        def f(x, weight=None, bias=None):
            x = x if last else x.permute(0, 2, 3, 1)
            y = F.layer_norm(x, (size,), weight, bias, eps)
            return y if last else y.permute(0, 3, 1, 2)

        case("layer_norm", name, f, inputs, {"affine": affine, "eps": eps})

    layer("map", (2, 5, 3, 7))
    layer("map of many channels", (1, 96, 2, 2), eps=1e-6)
    layer("vectors", (4, 19))
    layer("batched vectors, plain", (2, 4, 6), affine=False)
    layer("many cells", (2, 3, 9, 11))
    layer("mean far from zero", (1, 8, 2, 3), low=40.0)
    # One channel is level by itself.
    case("layer_norm", "one channel", lambda x: torch.zeros_like(x) + 0 * x, {"x": rand("ln/one", (2, 1, 3, 2))}, {"affine": False, "eps": 1e-5})


def pools():
    def one(op, f, name, shape, k, stride=None, x=None, pad=0, **more):
        x = rand(f"{op}/{name}/x", shape) if x is None else x
        settings = {"k": k} if stride is None else {"k": k, "stride": stride}
        settings |= {"pad": pad} if pad else {}
        settings |= {"count_pad": v for v in more.values()}
        case(op, name, lambda x: f(x, k, stride, pad, **more), {"x": x}, settings)

    ties = (rand("ties", (2, 3, 8, 7)) * 2).round()
    for op, f in [("max_pool", F.max_pool2d), ("avg_pool", F.avg_pool2d)]:
        one(op, f, "halved", (2, 3, 5, 7), 2)
        one(op, f, "halved, even", (1, 4, 8, 6), 2)
        one(op, f, "by three", (1, 2, 9, 11), 3)
        one(op, f, "overlapping", (1, 2, 5, 6), 3, 1)
        one(op, f, "with gaps", (1, 2, 8, 11), 2, 3)
        one(op, f, "one cell", (2, 2, 3, 3), 3)
        one(op, f, "ties", None, 2, x=ties)
        one(op, f, "overlapping ties", None, 3, 2, x=ties)
        one(op, f, "padded", (2, 3, 8, 7), 3, 2, pad=1)
        one(op, f, "padded, of its own size", (1, 2, 5, 6), 5, 1, pad=2)
        one(op, f, "padded, even", (1, 3, 5, 4), 2, 2, pad=1)
        one(op, f, "padded, a last window unseen", (1, 17, 6, 9), 4, 3, pad=2)
    one("max_pool", F.max_pool2d, "padded ties", None, 3, 1, x=ties, pad=1)
    one("avg_pool", F.avg_pool2d, "padded, own cells", (2, 3, 8, 7), 3, 2, pad=1, count_include_pad=False)
    one("avg_pool", F.avg_pool2d, "padded, own cells, own size", (1, 2, 5, 6), 5, 1, pad=2, count_include_pad=False)
    shrink = lambda by: lambda x: F.max_pool2d(x, by)
    case("shrink", "by two", shrink(2), maps("shrink", "a", (2, 1, 6, 8), 0, 1), {"by": 2})
    case("shrink", "by four, single marks", shrink(4), {"x": (rand("shrink/b", (2, 1, 8, 12), 0, 1) > 0.93).double()}, {"by": 4})
    def sobel(x):
        u = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=x.dtype) / 8
        channels = x.shape[1]
        filters = torch.stack([u, u.T])[:, None].repeat(channels, 1, 1, 1)
        slopes = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), filters, groups=channels)
        u, v = slopes.unflatten(1, (channels, 2)).unbind(2)
        return (u * u + v * v + 1e-6).sqrt()

    case("sobel", "two channels", sobel, maps("sobel", "a", (2, 2, 5, 7), -1, 1), {})
    case("sobel", "a column", sobel, maps("sobel", "b", (1, 1, 6, 1), -1, 1), {})
    case("shrink", "by one", shrink(1), maps("shrink", "c", (1, 2, 3, 5), 0, 1), {"by": 1})


def pointwise():
    edge = torch.tensor([0.0, -0.0, 1e30, -1e30, 1e-30, -1e-30, 2.0])
    relu, sigmoid = (lambda x: F.relu(x)), (lambda x: torch.sigmoid(x))
    for op in ["relu", "hinge"]:
        case(op, "odd", relu, maps(op, "odd", (2, 3, 5, 7)))
        case(op, "one number", relu, {"x": torch.tensor(0.25)})
        case(op, "at zero", relu, {"x": edge})
    case("sigmoid", "odd", sigmoid, maps("sigmoid", "odd", (2, 1, 5, 7), -6, 6))
    far = torch.tensor([-1e4, -800.0, -90.0, -40.0, -17.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 17.0, 40.0, 90.0, 800.0, 1e4])
    case("sigmoid", "saturated", sigmoid, {"x": far})
    curves = {
        "leaky_relu": [(lambda x: F.leaky_relu(x, 0.2), {"slope": 0.2}, "")],
        "gelu": [(lambda x: F.gelu(x), {"form": "exact"}, ""), (lambda x: F.gelu(x, approximate="tanh"), {"form": "tanh"}, ", tanh")],
        "silu": [(lambda x: F.silu(x), {}, "")],
        "tanh": [(lambda x: torch.tanh(x), {}, "")],
    }
    for op, forms in curves.items():
        for f, settings, about in forms:
            case(op, f"odd{about}", f, maps(op, "odd", (2, 3, 5, 7), -6, 6), settings)
            case(op, f"near 0{about}", f, maps(op, "near", (5, 9), -0.7, 0.7), settings)
            case(op, f"far{about}", f, {"x": far}, settings)
            case(op, f"at 0{about}", f, {"x": torch.tensor([0.0])}, settings)
    case("detach", "odd", lambda x: x.detach(), maps("detach", "odd", (2, 3, 5)), wants=[])
    case("flatten", "maps", lambda x: x.flatten(1), maps("flatten", "maps", (2, 3, 5, 2)))
    case("flatten", "vectors", lambda x: x.flatten(1), maps("flatten", "vectors", (3, 4, 1, 1)))
    cat = lambda a, b: torch.cat([a, b], 1)
    case("concat", "odd", cat, {"a": rand("concat/a", (2, 3, 5, 3)), "b": rand("concat/b", (2, 1, 5, 3))})
    case("concat", "wide", cat, {"a": rand("concat/c", (1, 17, 2, 3)), "b": rand("concat/d", (1, 16, 2, 3))})
    x = rand("dropout/x", (2, 3, 4, 5))
    case("dropout", "nothing dropped", lambda x: F.dropout(x, 0.0, True), {"x": x}, {"p": 0.0})
    case("dropout", "all dropped", lambda x: F.dropout(x, 1.0, True), {"x": x}, {"p": 1.0})
    case("dropout", "validation", lambda x: F.dropout(x, 0.3, False), {"x": x}, {"p": 0.3}, training=False)
    for by in [1, 2, 3, 4]:
        for mode in ["nearest", "bilinear"]:
            f = lambda x, by=by, mode=mode: F.interpolate(x, scale_factor=by, mode=mode)
            inputs = maps("upsample", f"{by} {mode}", (2, 3, 3, 5))
            case("upsample", f"{mode} by {by}", f, inputs, {"by": by, "mode": mode})
    one = lambda x: F.interpolate(x, scale_factor=3, mode="bilinear")
    case("upsample", "one cell", one, maps("upsample", "one", (1, 2, 1, 1)), {"by": 3, "mode": "bilinear"})


def normalizations():
    def instance(name, eps, x):
        case("instance_norm", name, lambda x: F.instance_norm(x, eps=eps), {"x": x}, {"eps": eps})

    instance("odd", 1e-5, rand("in/odd", (2, 3, 5, 7), -2, 3))
    instance("wide", 1e-5, rand("in/wide", (1, 17, 8, 6)))
    instance("another eps", 0.1, rand("in/eps", (2, 2, 3, 4)))
    instance("mean far from zero", 1e-5, rand("in/mean", (1, 2, 4, 9), 10, 14))
    instance("constant", 1e-5, torch.full((1, 2, 3, 3), 2.5))
    rows = lambda x: x.reshape(len(x), -1)
    level = lambda x: ((rows(x) - rows(x).mean(1, True)) / (rows(x).std(1, correction=0, keepdim=True) + 1e-6)).reshape(x.shape)
    for name, x in [("odd", rand("st/odd", (3, 1, 5, 7), -2, 3)), ("channels", rand("st/ch", (2, 3, 4, 3), 0, 1))]:
        case("standardize", name, level, {"x": x}, {"eps": 1e-6})
    # The slope of torch's deviation is not a number where all cells are equal.
    case("standardize", "constant", level, {"x": torch.full((2, 1, 3, 3), 0.5)}, {"eps": 1e-6}, wants=[])
    for name, x in [
        ("map", rand("l2/map", (2, 5, 3, 7))),
        ("128 channels", rand("l2/128", (1, 128, 2, 3))),
        ("one channel", rand("l2/one", (1, 1, 2, 3))),
        ("vectors", rand("l2/v", (3, 19))),
        ("batched vectors", rand("l2/bv", (2, 4, 6))),
        ("some zero vectors", rand("l2/z", (2, 4, 6)) * torch.tensor([1.0, 0.0, 1.0, 0.0])[:, None]),
        ("zero map", torch.zeros(1, 3, 2, 2)),
    ]:
        axis = 1 if x.dim() == 4 else -1
        case("l2norm", name, lambda x, axis=axis: F.normalize(x, dim=axis, eps=1e-12), {"x": x}, {"eps": 1e-12})


# Places

SYMMETRIES = {
    "identity": [1, 0, 0, 1], "90 degrees": [0, -1, 1, 0], "180 degrees": [-1, 0, 0, -1], "270 degrees": [0, 1, -1, 0],
    "mirrored": [-1, 0, 0, 1], "mirrored, 90 degrees": [0, 1, 1, 0], "mirrored, 180 degrees": [1, 0, 0, -1],
    "mirrored, 270 degrees": [0, -1, -1, 0],
}


def linear(a, b, c, d, x=0.0, y=0.0, u=0.0, v=0.0, w=1.0):
    return torch.tensor([[a, b, x], [c, d, y], [u, v, w]], dtype=torch.float64)


def turned(degrees, scale=1.0, x=0.0, y=0.0):
    c, s = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    return linear(c, -s, s, c, x, y)


MATRICES = {
    "turned": turned(33, 0.9, 0.1, -0.2),
    "turned far, leaving the image": turned(-70, 1.3, 0.6, 0.4),
    "sheared": linear(1.1, 0.3, -0.25, 0.8, 0.05, 0.1),
    "enlarged": linear(0.4, 0.0, 0.0, 0.3, 0.21, -0.33),
    "reduced": linear(2.3, 0.1, 0.0, 1.9, 0.1, 0.2),
    "all outside": linear(1, 0, 0, 1, 5, 0),
    "half a cell": linear(1, 0, 0, 1, 1 / 7, 0),
    "projective": linear(0.9, 0.2, -0.15, 1.1, 0.1, -0.2, 0.1, -0.05),
    "steeply projective": linear(1.0, 0.1, 0.05, 0.9, 0.0, 0.1, 0.4, 0.3),
    "partly behind": linear(1, 0, 0, 1, 0, 0, 1.7, 0.2, 0.45),
    "all behind": linear(1, 0, 0, 1, 0, 0, 0, 0, -1),
}


def places(back, size):
    """Where the cells of a result of `size` come from: affine_grid where that knows the matrix."""
    h, w = size
    if torch.all(back[:, 2] == torch.tensor([0.0, 0.0, 1.0])):
        return F.affine_grid(back[:, :2], [len(back), 1, h, w], align_corners=False)
    x, y = torch.arange(w).double() * 2 + 1, torch.arange(h).double() * 2 + 1
    x, y = torch.meshgrid(x / w - 1, y / h - 1, indexing="xy")
    moved = torch.stack([x, y, torch.ones_like(x)], -1) @ back[:, None].transpose(2, 3)
    front = moved[..., 2:] > 0
    return torch.where(front, moved[..., :2] / torch.where(front, moved[..., 2:], 1.0), 9.0)


def read(x, grid):
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def inside(back, size):
    """1 where the whole weight of a read falls on cells; no case may lie where the rim of 1e-4 cells ends."""
    weight = read(torch.ones(len(back), 1, *size, dtype=torch.float64), places(back, size))
    assert not ((weight > 0.9997) & (weight < 1 - 1e-6)).any()
    return (weight > 0.9997).double()


def warps():
    def one(name, back, shape, size=None):
        size = size or shape[2:]
        inputs = {"x": rand(f"warp/{name}", shape), "back": back.expand(shape[0], 3, 3)}
        case("warp", name, lambda x, back: read(x, places(back, size)), inputs, wants=["x"])

    for name, m in SYMMETRIES.items():
        one(f"{name} of 5 by 5", linear(*m)[None], (1, 2, 5, 5))
        one(f"{name} of 8 by 8", linear(*m)[None], (1, 1, 8, 8))
        one(f"{name}, oblong", linear(*m)[None], (2, 2, 4, 7))
        case("inside", f"{name} of 5 by 5", lambda back: inside(back, (5, 5)), {"back": linear(*m)[None]}, wants=[])
    for name, m in MATRICES.items():
        m = exact(m)
        one(name, m[None], (2, 3, 5, 7))
        one(f"{name}, another size", m[None], (1, 2, 6, 5), (9, 4))
        case("inside", name, lambda back: inside(back, (9, 6)), {"back": m[None]}, wants=[])
        case("inside", f"{name}, large", lambda back: inside(back, (16, 17)), {"back": m[None]}, wants=[])
    both = exact(torch.stack([MATRICES["sheared"], MATRICES["turned"]]))
    one("each its own", both, (2, 2, 6, 6))
    one("one cell", MATRICES["sheared"][None], (1, 2, 1, 1), (2, 3))
    one("all equal to one", torch.eye(3).double()[None], (3, 1, 3, 4))


def samples():
    f = lambda map, points: read(map, points[:, :, None]).squeeze(3).transpose(1, 2)
    for name, shape, n, reach in [
        ("odd", (2, 3, 5, 7), 9, 1.0), ("partly outside", (1, 2, 4, 3), 23, 1.6), ("one cell", (2, 2, 1, 1), 5, 1.2),
        ("many channels", (1, 33, 6, 8), 7, 1.0),
    ]:
        inputs = {"map": rand(f"sample/{name}", shape), "points": rand(f"points/{name}", (shape[0], n, 2), -reach, reach)}
        case("sample", name, f, inputs)
    far = torch.tensor([[[1e6, 1e6], [-1e6, 0.0], [0.0, 3.0], [-1.0, -1.0], [1.0, 1.0], [1.0, -1.0], [0.0, 0.0]]])
    case("sample", "far away and on corners", f, {"map": rand("sample/far", (1, 2, 3, 3)), "points": far})
    centre = (torch.arange(8).double() * 2 + 1) / 8 - 1
    square = torch.cartesian_prod(centre, centre)
    for name, m in SYMMETRIES.items():
        points = (square[::3] @ linear(*m)[:2, :2].T)[None]
        case("sample", name, f, {"map": rand(f"sample/{name}", (1, 2, 8, 8)), "points": points}, wants=["map"])


def homographies():
    everything = exact(torch.stack([linear(*m) for m in SYMMETRIES.values()] + list(MATRICES.values())))
    regular = everything[torch.linalg.det(everything).abs() > 1e-3]

    def inverse(x):
        y = torch.linalg.inv(x)
        last = y[:, 2:, 2:]
        return torch.where(last > 0, y / last, y)

    case("inv", "all matrices", inverse, {"x": regular}, wants=[])
    case("compose", "all matrices", lambda a, b: a @ b, {"a": regular, "b": regular.flip(0)}, wants=[])

    def move(points, by):
        moved = torch.cat([points, torch.ones_like(points[..., :1])], -1) @ by.transpose(1, 2)
        front = moved[..., 2:] > 0
        return torch.where(front, (moved[..., :2] / torch.where(front, moved[..., 2:], 1.0)).clamp(-1e6, 1e6), 1e6)

    points = rand("move/points", (len(everything), 9, 2))
    case("move", "all matrices", move, {"points": points, "by": everything}, wants=["points"])
    horizon = linear(1, 0, 0, 1, 0, 0, 1, 0, 0)[None]
    edge = torch.tensor([[[0.0, 0.0], [-1.0, 1.0], [1e-30, 1.0], [0.5, 0.5]]])
    case("move", "horizon", move, {"points": edge, "by": horizon}, wants=[])


def hardest():
    def choose(apart, width, height):
        def f(anchor, map, positive, at):
            vectors = read(map, at[:, :, None]).squeeze(3).transpose(1, 2)
            far = torch.cdist(anchor, vectors, compute_mode="donot_use_mm_for_euclid_dist")
            half = torch.tensor([width / 2, height / 2], dtype=torch.float64)
            gap = torch.cdist(positive * half, at * half, compute_mode="donot_use_mm_for_euclid_dist")
            # No case may hang on the rounding of two nearly equal distances.
            best = far.masked_fill(gap < apart, math.inf).topk(2, largest=False)[0]
            assert ((best[..., 1] - best[..., 0]).nan_to_num(1.0) > 1e-3).all() and ((gap - apart).abs() > 1e-3).all()
            chosen = torch.where((gap >= apart).any(2), far.masked_fill(gap < apart, math.inf).argmin(2), gap.argmax(2))
            return at.gather(1, chosen[..., None].expand(-1, -1, 2))

        return f

    for name, apart, reach in [("anywhere", 0.0, 1.0), ("apart", 8.0, 1.0), ("all excluded", 1000.0, 1.0), ("outside too", 5.0, 1.5)]:
        inputs = {"anchor": rand(f"hn/{name}/a", (2, 7, 5)), "map": rand(f"hn/{name}/m", (2, 5, 6, 9))}
        inputs |= {"positive": rand(f"hn/{name}/p", (2, 7, 2), -reach, reach), "at": rand(f"hn/{name}/t", (2, 13, 2))}
        settings = {"candidates": 13, "apart": apart, "width": 36.0, "height": 24.0, "gradient": True}
        case("hardneg", name, choose(apart, 36.0, 24.0), inputs, settings, wants=[])


# Losses


def reduced(cells, reduce, mask=None):
    if mask is not None:
        cells = cells * mask
    if reduce == "none":
        return cells
    if reduce == "sum":
        return cells.sum()
    if mask is None:
        return cells.mean()
    return cells.sum() / mask.expand_as(cells).sum().clamp(min=1.0)


SHAPE, SEEN = (2, 3, 5, 3), (2, 1, 5, 3)
MASKS = {
    "": None, ", masked": rand("mask", SEEN, 0, 1), ", half seen": (rand("half", SEEN) > 0).double(),
    ", nothing seen": torch.zeros(SEEN), ", one cell seen": F.one_hot(torch.tensor(13), 30).double().reshape(SEEN),
    ", hardly seen": torch.full(SEEN, 1e-3), ", own mask": rand("own", SHAPE, 0, 1),
}


def losses():
    truth, hard = rand("truth", SHAPE, 0, 1), (rand("hard", SHAPE) > 0.5).double()

    def one(op, other, name, f, target, pred, settings, wants=None):
        for about, mask in MASKS.items():
            for reduce in ["mean", "sum", "none"] if about in ["", ", masked"] else ["mean"]:
                inputs = {"target": target, other: pred} | ({} if mask is None else {"mask": mask})
                g = lambda mask=None, *, f=f, reduce=reduce, **pair: reduced(f(pair["target"], pair[other], mask), reduce, mask)
                case(op, f"{name}, {reduce}{about}", g, inputs, settings | {"reduce": reduce}, wants or ["target", other])

    bce = lambda y, p, _=None: F.binary_cross_entropy(p, y, reduction="none")
    one("bce", "pred", "grey", bce, truth, rand("pred", SHAPE, 0.02, 0.98), {})
    # Where a logarithm is clamped torch's slopes are not those of the clamped formula.
    ends = torch.tensor([0.0, 1.0, 0.0, 1.0, 0.5, 0.5, 1.0, 0.25]).reshape(1, 1, 2, 4)
    preds = torch.tensor([0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1e-38, 1 - 2**-24]).reshape(1, 1, 2, 4)
    for reduce in ["mean", "none"]:
        f = lambda target, pred, reduce=reduce: reduced(bce(target, pred), reduce)
        case("bce", f"saturated, {reduce}", f, {"target": ends, "pred": preds}, {"reduce": reduce}, wants=[])

    def balance(y, mask):
        mask = torch.ones_like(y) if mask is None else mask.expand_as(y)
        p, n = (mask * y).sum().detach(), (mask * (1 - y)).sum().detach()
        return (p + n) * (y / (2 * p) + (1 - y) / (2 * n)).detach() if p > 1e-6 and n > 1e-6 else torch.ones_like(y)

    logits = lambda y, x, _=None: F.binary_cross_entropy_with_logits(x, y, reduction="none")
    balanced = lambda y, x, mask=None: logits(y, x) * balance(y, mask)
    scores = rand("logits", SHAPE, -5, 5)
    one("bce_logits", "logits", "grey", logits, truth, scores, {"balance": "none"})
    one("bce_logits", "logits", "balanced", balanced, hard, scores, {"balance": "auto"}, ["logits"])
    one("bce_logits", "logits", "no positives", balanced, torch.zeros(SHAPE), scores, {"balance": "auto"}, ["logits"])
    one("bce_logits", "logits", "no negatives", balanced, torch.ones(SHAPE), scores, {"balance": "auto"}, ["logits"])
    far = torch.tensor([-1e4, 1e4, 1e4, -1e4, -90.0, 40.0, 0.0, 104.0]).reshape(1, 1, 2, 4)
    sure = torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.5, 0.0]).reshape(1, 1, 2, 4)
    for reduce in ["mean", "none"]:
        f = lambda target, logits, reduce=reduce: F.binary_cross_entropy_with_logits(logits, target, reduction=reduce)
        case("bce_logits", f"saturated, {reduce}", f, {"target": sure, "logits": far}, {"balance": "none", "reduce": reduce})

    for beta in [1.0, 0.25, 0.0]:
        smooth = lambda y, p, _=None, beta=beta: F.smooth_l1_loss(p, y, beta=beta, reduction="none")
        one("smoothl1", "pred", f"beta {beta}", smooth, rand("s1", SHAPE, -1.5, 1.5), rand("s2", SHAPE, -1.5, 1.5), {"beta": beta})
    smooth = lambda target, pred: F.smooth_l1_loss(pred, target)
    case("smoothl1", "identical", smooth, {"target": truth, "pred": truth}, {"beta": 1.0, "reduce": "mean"})

    def distance(name, a, b, p, squared=False):
        f = lambda a, b: (a - b).square().sum(-1) if squared else F.pairwise_distance(a, b, p, eps=1e-6)
        case("distance", name, f, {"a": a, "b": b}, {"p": p, "squared": squared})

    a, b = rand("d/a", (2, 5, 7)), rand("d/b", (2, 5, 7))
    for name, p in [("euclidean", 2.0), ("city block", 1.0), ("cubic", 3.0), ("between", 1.5)]:
        distance(name, a, b, p)
    distance("squared", a, b, 2.0, True)
    distance("128 channels", rand("d/c", (1, 3, 128)), rand("d/d", (1, 3, 128)), 2.0)
    distance("identical vectors", a, a, 2.0)
    distance("identical vectors, squared", a, a, 2.0, True)
    distance("zero vectors", torch.zeros(1, 4, 3), torch.zeros(1, 4, 3), 2.0)
    distance("one identical vector", a, torch.cat([a[:, :1], b[:, 1:]], 1), 2.0)

    for op in ["mean", "sum"]:
        total = lambda x, per, op=op: getattr(x, op)() if per == "none" else getattr(x.flatten(1), op)(1)
        for per in ["none", "batch"]:
            gone = lambda n, per=per: {"per": per, "axes": list(range(1 if per == "batch" else 0, n))}
            case(op, f"map, per {per}", lambda x, per=per: total(x, per), maps(op, "map", SHAPE), gone(4))
            case(op, f"rows, per {per}", lambda x, per=per: total(x, per), maps(op, "rows", (3, 4)), gone(2))
            for about, mask in list(MASKS.items())[1:]:
                def f(x, mask, per=per, op=op):
                    weights = mask.expand_as(x)
                    along = (lambda t: t.sum()) if per == "none" else (lambda t: t.flatten(1).sum(1))
                    return along(x * weights) / (along(weights).clamp(min=1.0) if op == "mean" else 1.0)

                inputs = {**maps(op, about, SHAPE), "mask": mask}
                case(op, f"map, per {per}{about}", f, inputs, gone(4), wants=["x"])
        case(op, "one number", lambda x, op=op: getattr(x, op)(), {"x": torch.tensor(0.75)}, {"per": "none"})


def operators():
    smooth = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div}
    steps = {"greater": torch.gt, "less": torch.lt, "greater_equal": torch.ge, "less_equal": torch.le, "equal": torch.eq}
    for op, f in (smooth | steps).items():
        for name, a, b in [
            ("alike", (2, 3, 5, 7), (2, 3, 5, 7)), ("number and map", (), (2, 3, 5, 7)), ("map and number", (2, 3, 5, 7), ()),
            ("one channel", (2, 3, 5, 7), (2, 1, 5, 7)), ("one channel first", (2, 1, 5, 7), (2, 3, 5, 7)),
            ("numbers", (), ()), ("one each", (3,), (3,)),
        ]:
            pair = {"a": rand(f"{op}/{name}/a", a, -2, 2), "b": rand(f"{op}/{name}/b", b, 0.5, 2)}
            if op in steps:  # A few levels, so that equal numbers meet.
                pair = {k: (v * 2).round() / 2 for k, v in pair.items()}
            case(op, name, lambda a, b, f=f: f(a, b).double(), pair, wants=list(pair) if op in smooth else [])


# Metrics


def metrics():
    def peaks(scores, keep):
        """Cells above all their neighbours as normalized places, the highest first."""
        h, w = scores.shape
        around = F.pad(scores, (1, 1, 1, 1), value=-math.inf).unfold(0, 3, 1).unfold(1, 3, 1).reshape(h, w, 9)
        around = torch.cat([around[..., :4], around[..., 5:]], -1)
        rows, columns = torch.where(scores > around.amax(-1))
        order = scores[rows, columns].argsort(descending=True, stable=True)[:keep]
        return torch.stack([(2 * columns + 1) / w - 1, (2 * rows + 1) / h - 1], -1)[order].double()

    def seen(points, matrix):
        moved = torch.cat([points, torch.ones_like(points[:, :1])], 1) @ matrix.T
        places = moved[:, :2] / moved[:, 2:]
        return places, (moved[:, 2] > 0) & (places.abs() <= 1).all(1)

    def repeatability(keep, within, half):
        def f(a, b, by):
            rates = []
            for x, y, matrix in zip(a[:, 0], b[:, 0], by):
                moved, there = seen(peaks(x, keep), matrix)
                second = peaks(y, keep)
                second = second[seen(second, torch.linalg.inv(matrix))[1]]
                moved = moved[there]
                count = len(moved) + len(second)
                near = torch.cdist(moved * half, second * half) <= within
                rates.append((near.any(1).sum() + near.any(0).sum()).double() / max(count, 1))
            return torch.stack(rates).mean()

        return f

    turns = exact(torch.stack([linear(*SYMMETRIES["90 degrees"]), MATRICES["projective"], MATRICES["turned far, leaving the image"]]))
    for name, b, keep, within in [("odd", (3, 1, 16, 18), 300, 3.0), ("few", (3, 1, 12, 9), 7, 8.0), ("wide", (3, 1, 16, 18), 20, 20.0)]:
        inputs = {"a": rand(f"rp/{name}/a", (3, 1, 16, 18), 0, 1), "b": rand(f"rp/{name}/b", b, 0, 1), "by": turns}
        settings = {"keep": keep, "within": within, "width": 72.0, "height": 64.0}
        f = repeatability(keep, within, torch.tensor([36.0, 32.0], dtype=torch.float64))
        case("repeatability", name, f, inputs, settings, wants=[])

    def matched(within, half):
        def f(anchor, map, places):
            b, c, h, w = map.shape
            far = torch.cdist(anchor, map.flatten(2).transpose(1, 2), compute_mode="donot_use_mm_for_euclid_dist")
            best = far.topk(2, largest=False)[0]
            assert ((best[..., 1] - best[..., 0]) > 1e-4).all()
            cell = far.argmin(2)
            found = torch.stack([(2 * (cell % w) + 1) / w - 1, (2 * (cell // w) + 1) / h - 1], -1).double()
            near = ((found - places) * half).norm(dim=-1) <= within
            counted = (places.abs() <= 1).all(-1)
            return (near & counted).sum().double() / counted.sum().clamp(min=1)

        return f

    for name, reach, within in [("odd", 1.0, 12.0), ("partly outside", 1.6, 9.0), ("never near", 1.0, 0.0)]:
        inputs = {"anchor": rand(f"mt/{name}/a", (2, 40, 5)), "map": rand(f"mt/{name}/m", (2, 5, 4, 5))}
        inputs["places"] = rand(f"mt/{name}/p", (2, 40, 2), -reach, reach)
        settings = {"within": within, "width": 36.0, "height": 24.0}
        case("matched", name, matched(within, torch.tensor([18.0, 12.0], dtype=torch.float64)), inputs, settings, wants=[])

    def rate(tpr):
        def f(d):
            n = len(d)
            limit = d.diagonal().sort().values[math.ceil(tpr * n - 1e-9) - 1]
            return (d[~torch.eye(n, dtype=torch.bool)] <= limit).double().mean()

        return f

    for name, n, tpr in [("most", 20, 0.95), ("half", 9, 0.5), ("all", 5, 1.0)]:
        case("fpr_at_tpr", name, rate(tpr), {"d": rand(f"fpr/{name}", (n, n), 0, 2)}, {"tpr": tpr}, wants=[])


def batches():
    def norm(name, shape, affine=True, training=True, momentum=0.1, eps=1e-5):
        channels = shape[1]
        inputs = {"x": rand(f"bn/{name}/x", shape, -2, 3)}
        inputs |= {"running_mean": rand(f"bn/{name}/m", (channels,)), "running_var": rand(f"bn/{name}/v", (channels,), 0.5, 2)}
        if affine:
            inputs |= {"weight": rand(f"bn/{name}/w", (channels,), 0.5, 2), "bias": rand(f"bn/{name}/b", (channels,))}
        wants = [k for k in inputs if not k.startswith("running")]

        def f(x, running_mean, running_var, weight=None, bias=None):
            return F.batch_norm(x, running_mean.clone(), running_var.clone(), weight, bias, training, momentum, eps)

        settings = {"affine": affine, "momentum": momentum, "eps": eps}
        case("batch_norm", name, f, inputs, settings, wants, training)

    norm("odd", (2, 3, 5, 7))
    norm("plain", (4, 2, 3, 3), affine=False)
    norm("rows", (6, 17, 1, 1))
    norm("another eps", (2, 2, 3, 4), eps=0.1)
    norm("validation", (2, 3, 5, 7), training=False)
    norm("validation, plain", (2, 3, 1, 1), affine=False, training=False)

    def group(name, shape, groups, affine=True):
        channels = shape[1]
        inputs = {"x": rand(f"gn/{name}/x", shape, -2, 3)}
        if affine:
            inputs |= {"weight": rand(f"gn/{name}/w", (channels,), 0.5, 2), "bias": rand(f"gn/{name}/b", (channels,))}
        f = lambda x, weight=None, bias=None: F.group_norm(x, groups, weight, bias, 1e-5)
        case("group_norm", name, f, inputs, {"groups": groups, "affine": affine, "eps": 1e-5})

    group("pairs", (2, 6, 3, 5), 3)
    group("all channels", (1, 5, 4, 3), 1)
    group("each its own", (2, 3, 4, 3), 3)
    group("plain", (2, 4, 3, 3), 2, affine=False)


def tables():
    def all_pairs(a, b):
        return ((a[:, None] - b[None]).square().sum(-1) + 1e-6).sqrt()

    for name, n, m, c in [("square", 5, 5, 8), ("oblong", 3, 9, 2), ("128 channels", 4, 4, 128)]:
        inputs = {"a": F.normalize(rand(f"ds/{name}/a", (n, c)), dim=1), "b": F.normalize(rand(f"ds/{name}/b", (m, c)), dim=1)}
        case("distances", name, all_pairs, inputs)
    for name, a, b in [("a batch", (2, 3, 5), (2, 4, 5)), ("one list for a batch", (2, 3, 5), (4, 5)), ("one list first", (4, 5), (2, 3, 5))]:
        inputs = {"a": rand(f"ds/{name}/a", a), "b": rand(f"ds/{name}/b", b)}
        f = lambda a, b: ((a[..., :, None, :] - b[..., None, :, :]).square().sum(-1) + 1e-6).sqrt()
        case("distances", name, f, inputs)
        case("similarities", name, lambda a, b: a @ b.mT, inputs)
        squares = lambda a, b: (a[..., :, None, :] - b[..., None, :, :]).square().sum(-1)
        case("distances", f"{name}, squared", squares, inputs, {"squared": True})
    tables = {"x": rand("tables", (2, 4, 4))}
    case("diagonal", "a batch", lambda x: x.diagonal(dim1=1, dim2=2), tables)
    case("off_diagonal", "a batch", lambda x: x.masked_fill(torch.eye(4, dtype=torch.bool), 9.0), tables, {"fill": 9.0})
    table = {"x": rand("table", (5, 5))}
    case("diagonal", "odd", lambda x: x.diagonal(), table)
    case("off_diagonal", "odd", lambda x: x.masked_fill(torch.eye(5, dtype=torch.bool), 1e6), table, {"fill": 1e6})
    case("off_diagonal", "negative", lambda x: x.masked_fill(torch.eye(5, dtype=torch.bool), -3.0), table, {"fill": -3.0})
    for op, f in [("min", torch.minimum), ("max", torch.maximum)]:
        for name, shape in [("maps", (2, 3, 5, 7)), ("rows", (3, 4)), ("one each", (5,)), ("numbers", ())]:
            case(op, name, lambda a, b, f=f: f(a, b), {"a": rand(f"{op}/{name}/a", shape), "b": rand(f"{op}/{name}/b", shape)})
        inputs = {"a": rand(f"{op}/and a number", (3, 4)), "b": torch.tensor(0.25, dtype=torch.float64)}
        case(op, "and a number", lambda a, b, f=f: f(a, b), inputs)
        level = (rand(f"{op}/level", (12,)) * 2).round()
        case(op, "equal numbers", lambda a, b, f=f: f(a, b), {"a": level, "b": level.flip(0)})


def functions():
    """Functions of one number, sums over tables, and what is made of them."""
    clamped = {"eps": 1e-12}
    for op, f, low, high, settings in [
        ("exp", torch.exp, -3, 3, None), ("abs", torch.abs, -2, 2, None), ("sqrt", torch.sqrt, 0.1, 4, None),
        ("log", lambda x: torch.log(x.clamp(min=1e-12)), 0.05, 3, clamped),
        ("softplus", lambda x: F.softplus(x, threshold=100.0), -15, 15, None),
        ("sin", torch.sin, -7, 7, None), ("cos", torch.cos, -7, 7, None),
    ]:
        case(op, "odd", lambda x, f=f: f(x), maps(op, "odd", (2, 3, 5, 7), low, high), settings)
        case(op, "rows", lambda x, f=f: f(x), maps(op, "rows", (3, 4), low, high), settings)
    case("abs", "at zero", lambda x: x.abs(), {"x": torch.tensor([0.0, -0.0, 1e30, -1e30])})
    case("log", "below", lambda x: torch.log(x.clamp(min=1e-12)), {"x": torch.tensor([-1.0, 0.0, 1e-20])}, clamped)
    case("sqrt", "zero", torch.sqrt, {"x": torch.zeros(3)}, wants=[])
    case("softplus", "far", lambda x: F.softplus(x, threshold=100.0), {"x": torch.tensor([-1e4, -80.0, 0.0, 80.0, 1e4])})
    for name, x in [("odd", rand("lse/odd", (5, 7), -3, 3)), ("one", rand("lse/one", (1, 1))), ("far", rand("lse/far", (4, 3), -1e4, 1e4))]:
        case("log_sum_exp", name, lambda x: x.logsumexp(1), {"x": x}, {"axes": [1]})
    for name, n, m, c in [("square", 5, 5, 8), ("oblong", 3, 9, 2)]:
        case("similarities", name, lambda a, b: a @ b.T, {"a": rand(f"sim/{name}/a", (n, c)), "b": rand(f"sim/{name}/b", (m, c))})
    case("rows", "odd", lambda x: x.flatten(0, 1), maps("rows", "odd", (3, 5, 4)))
    for name, shape in [("odd", (2, 5, 3, 7)), ("one channel", (1, 1, 2, 3))]:
        f = lambda a, b: (a * b).sum(1, keepdim=True)
        case("dot", name, f, {"a": rand(f"dot/{name}/a", shape), "b": rand(f"dot/{name}/b", shape)})
    for about, mask in MASKS.items():
        for reduce in ["mean", "sum", "none"] if about in ["", ", masked"] else ["mean"]:
            def f(target, pred, mask=None, reduce=reduce):
                return reduced(F.mse_loss(pred, target, reduction="none"), reduce, mask)

            inputs = {"target": rand("mse/t", SHAPE), "pred": rand("mse/p", SHAPE)} | ({} if mask is None else {"mask": mask})
            case("mse", f"{reduce}{about}", f, inputs, {"reduce": reduce}, ["target", "pred"])
    for name, t, p in [
        ("grey", rand("iou/t", SHAPE, 0, 1), rand("iou/p", SHAPE, 0, 1)), ("empty", torch.zeros(SHAPE), torch.zeros(SHAPE)),
        ("masks", (rand("iou/u", SHAPE) > 0).double(), (rand("iou/q", SHAPE) > 0.3).double()),
    ]:
        def share(part, whole, mask):
            return torch.where(whole > 0, part / whole.clamp(min=1e-30), (mask.sum() > 0).double())

        for about, mask in MASKS.items():
            def iou(target, pred, mask=None):
                m = torch.ones_like(pred) if mask is None else mask.expand_as(pred)
                return share((m * target * pred).sum(), (m * (target + pred - target * pred)).sum(), m)

            def f1(target, pred, mask=None):
                m = torch.ones_like(pred) if mask is None else mask.expand_as(pred)
                return share(2 * (m * target * pred).sum(), (m * (target + pred)).sum(), m)

            inputs = {"target": t, "pred": p} | ({} if mask is None else {"mask": mask})
            case("iou", name + about, iou, inputs, wants=[])
            case("f1", name + about, f1, inputs, wants=[])
    like = {"like": rand("valid", SHAPE)}
    case("valid", "all", lambda like: torch.ones_like(like), like, wants=[])
    for about in [", masked", ", own mask"]:
        case("valid", f"some{about}", lambda like, mask: mask.expand_as(like).clone(), like | {"mask": MASKS[about]}, wants=[])

    def semihard(apart, width, height):
        def f(anchor, map, positive, at):
            look = lambda places: read(map, places[:, :, None]).squeeze(3).transpose(1, 2)
            far = torch.cdist(anchor, look(at), compute_mode="donot_use_mm_for_euclid_dist")
            own = (anchor - look(positive)).norm(dim=-1, keepdim=True)
            half = torch.tensor([width / 2, height / 2], dtype=torch.float64)
            gap = torch.cdist(positive * half, at * half, compute_mode="donot_use_mm_for_euclid_dist")
            assert ((far - own).abs() > 1e-4).all() and ((gap - apart).abs() > 1e-3).all()
            free, beyond = gap >= apart, (gap >= apart) & (far > own)
            chosen = torch.where(beyond.any(2), far.masked_fill(~beyond, math.inf).argmin(2), far.masked_fill(~free, -math.inf).argmax(2))
            chosen = torch.where(free.any(2), chosen, gap.argmax(2))
            return at.gather(1, chosen[..., None].expand(-1, -1, 2))

        return f

    for name, apart, reach, size in [("anywhere", 0.0, 1.0, 1.0), ("apart", 8.0, 1.0, 1.0), ("all excluded", 1000.0, 1.0, 1.0), ("none beyond", 3.0, 1.0, 9.0)]:
        inputs = {"anchor": rand(f"sh/{name}/a", (2, 7, 5)), "map": rand(f"sh/{name}/m", (2, 5, 6, 9), 0, 1)}
        # Where anchors are far from everything no candidate may be farther than the positive.
        inputs["anchor"] = inputs["anchor"] * size
        inputs |= {"positive": rand(f"sh/{name}/p", (2, 7, 2), -reach, reach), "at": rand(f"sh/{name}/t", (2, 5, 2))}
        settings = {"candidates": 5, "apart": apart, "width": 36.0, "height": 24.0, "gradient": True}
        case("semihard", name, semihard(apart, 36.0, 24.0), inputs, settings, wants=[])


for make in [
    conv, transposed, fields, vectors, pools, pointwise, normalizations, warps, samples, homographies, hardest, losses, operators, metrics, batches, tables,
    functions,
]:
    make()
axes(case, rand)
of_places.places(case, rand)
FOLDER.mkdir(exist_ok=True)
size = 0
wanted = sys.argv[1:] or list(FILES)
assert set(wanted) <= set(FILES), set(wanted) - set(FILES)
for op, (tensors, cases) in FILES.items():
    if op not in wanted:
        continue
    about = {"made_by": f"torch {torch.__version__}", "operation": op, "cases": cases}
    # One key: several would be written in random order, and the file would differ from run to run.
    save_file(tensors, FOLDER / f"{op}.safetensors", {"golden": json.dumps(about)})
    (FOLDER / f"{op}.safetensors").chmod(0o644)
    size += (FOLDER / f"{op}.safetensors").stat().st_size
print(f"{len(wanted)} operations, {sum(len(FILES[op][1]) for op in wanted)} cases, {size / 1024:.0f} KiB, torch {torch.__version__}")
