"""Makes tests/golden/papers.safetensors: the objectives of pipelines/papers, value and gradients, computed with PyTorch.

    venv/bin/python tests/golden/papers.py

A case names the file of pipelines/papers whose functions it calls, an expression of the language and the types of its inputs (in the
metadata, as JSON), and has tensors `case/in/<input>` (f32), `case/out` and `case/d/<input>` (f64). Numbers are exact in f32 and everything is computed in f64. Every formula is written here from the paper that it
cites, on purpose in another shape than the language would say it: loops over pairs and sorted lists instead of tables.
"""

import json
import pathlib
import zlib

import torch
from safetensors.torch import save_file

from published import describe, detect, embed, match, segment

TENSORS, CASES = {}, {}


def rand(key, shape, low=-1.0, high=1.0):
    """Uniform numbers, exact in f32, that hang on their name alone."""
    generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
    return (torch.rand(shape, generator=generator, dtype=torch.float64) * (high - low) + low).float().double()


def case(paper, name, expression, f, inputs, wants):
    """`inputs` are name: (kind, frame, tensor)."""
    name = f"{paper}: {name}"
    assert name not in CASES, name
    leaves = {k: v.float().double().clone().requires_grad_(k in wants) for k, (_, _, v) in inputs.items()}
    out = f(**leaves)
    assert out.dim() == 0, name
    slopes = torch.autograd.grad(out, [leaves[k] for k in wants])
    assert all(s.abs().max() > 1e-6 for s in slopes), f"{name}: nothing moves"
    TENSORS.update({f"{name}/in/{k}": v.detach().float().contiguous() for k, v in leaves.items()})
    TENSORS[f"{name}/out"] = out.detach()
    TENSORS.update({f"{name}/d/{k}": v.contiguous() for k, v in zip(wants, slopes)})
    assert all(torch.isfinite(v).all() for k, v in TENSORS.items() if k.startswith(f"{name}/")), name

    def declared(kind, frame, x):
        axes = list(x.shape)[: {"Homography": 1, "Points": 2}.get(kind, x.dim())]
        return f"{kind}[{', '.join(map(str, axes))}]{frame}"

    types = {k: declared(*v) for k, v in inputs.items()}
    CASES[name] = {"paper": paper, "expression": expression, "inputs": types}


if __name__ == "__main__":
    for part in [detect, describe, match, embed, segment]:
        part.cases(case, rand)
    path = pathlib.Path(__file__).parent / "papers.safetensors"
    save_file(TENSORS, path, {"golden": json.dumps({"made_by": f"torch {torch.__version__}", "cases": CASES})})
    path.chmod(0o644)
    papers = len({c["paper"] for c in CASES.values()})
    print(f"{len(CASES)} cases of {papers} papers, {path.stat().st_size / 1024:.0f} KiB")
