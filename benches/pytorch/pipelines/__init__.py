"""Training steps of shipped pipelines in PyTorch: the same layers, losses, optimizers and sizes on random pictures.

A twin is a module with `inputs(generator)`, the tensors of a batch; `loss(run, *inputs)`, where `run` calls the module; `optimizer()`;
and `clip`, if the pipeline clips. `benches/compare` reads the list below without torch, which is why the twins are imported by name.
"""

from importlib import import_module

# pipelines/NAME.rord, and where its twin is. default.rord is network S, but for the last kernel of its detector and its data.
PIPELINES = {
    "distill": "triplets.Distill",
    "find": "found.Find",
    "hardnet": "patches.HardNet",
    "photos": "found.Photos",
    "segment": "patches.Segment",
    "start": "triplets.Start",
    "teacher": "triplets.Teacher",
}


def twin(name):
    """The class that is the twin of a shipped pipeline."""
    module, made = PIPELINES[name].split(".")
    return getattr(import_module(f"{__name__}.{module}"), made)
