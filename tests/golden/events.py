"""Bytes of TensorBoard's own classes, for src/record/tensorboard/event.rs; with the folder of a run, what TensorBoard reads of it.

    pip install tensorboard
    python tests/golden/events.py                 # prints the golden bytes
    python tests/golden/events.py runs/a          # reads runs/a/tensorboard, and compares it with runs/a/metrics.jsonl
"""

import io
import json
import math
import pathlib
import sys

from tensorboard.backend.event_processing import event_accumulator
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.summary.writer.record_writer import RecordWriter


def record(event):
    out = io.BytesIO()
    RecordWriter(out).write(event.SerializeToString())
    return out.getvalue().hex()


def goldens():
    value = summary_pb2.Summary.Value
    scalars = [value(tag="total", simple_value=0.5), value(tag="lr", simple_value=math.nan)]
    metadata = summary_pb2.SummaryMetadata(plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="text"))
    shape = tensor_shape_pb2.TensorShapeProto()
    text = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_shape=shape, string_val=[b"a"])
    texts = [value(tag="pipeline", tensor=text, metadata=metadata)]
    yield event_pb2.Event(wall_time=1.5, file_version="brain.Event:2")
    yield event_pb2.Event(wall_time=1.5, step=300, summary=summary_pb2.Summary(value=scalars))
    yield event_pb2.Event(wall_time=2.0, summary=summary_pb2.Summary(value=texts))


def read(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for split in ["train", "val"]:
        events = event_accumulator.EventAccumulator(str(run / "tensorboard" / split), size_guidance={"scalars": 0, "tensors": 0})
        events.Reload()
        tags = events.Tags()
        print(f"{split}: scalars {tags['scalars']}, texts {tags['tensors']}")
        for tag in tags["scalars"]:
            found = [event.value for event in events.Scalars(tag)]
            own, name = ("figures", tag.removeprefix("health/")) if tag.startswith("health/") else (split, tag)
            wanted = [line[name] for line in lines if line["split"] == own]
            assert len(found) == len(wanted), (tag, len(found), len(wanted))
            assert all(abs(a - b) <= 1e-6 * max(1, abs(b)) for a, b in zip(found, wanted) if b is not None), tag
        for tag in tags["tensors"]:
            text = events.Tensors(tag)[0].tensor_proto.string_val[0].decode()
            assert [line[4:] for line in text.splitlines()] == (run / "pipeline.rord").read_text().splitlines()
    print("as in metrics.jsonl and pipeline.rord")


if len(sys.argv) > 1:
    read(pathlib.Path(sys.argv[1]))
else:
    for event in goldens():
        print(record(event))
