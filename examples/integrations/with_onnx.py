"""ONNX: a model with its loss as one file, which another runtime evaluates. The losses' operators become plain ones.

python examples/integrations/with_onnx.py
"""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnxscript import opset18 as op
from torch import nn

import losskit


class WithLoss(nn.Module):
    """Logits and loss, as an evaluation or a training on a device takes them."""

    def __init__(self, criterion):
        super().__init__()
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))
        self.criterion = criterion

    def forward(self, x, target):
        logits = self.model(x)
        return logits, self.criterion(logits, target)


def batch(samples, seed):
    make = torch.Generator().manual_seed(seed)
    target = torch.randint(4, (samples, 16, 16), generator=make)
    target[:, :2] = 255
    return torch.randn(samples, 3, 16, 16, generator=make), target


def stable_sort(x, stable=True, dim=-1, descending=False):  # noqa: ARG001
    """What Lovász sorts its errors with: PyTorch has no translation, though TopK puts equal numbers in their order."""
    return op.TopK(x, op.Gather(op.Shape(x), op.Constant(value_ints=[dim])), axis=dim, largest=int(descending))


def export(module, path):
    """For every number of samples."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        samples = torch.export.Dim("samples", min=1, max=1024)
        shapes = {"x": {0: samples}, "target": {0: samples}}
        torch.onnx.export(
            module,
            batch(2, 0),
            path,
            dynamo=True,
            dynamic_shapes=shapes,
            custom_translation_table={torch.ops.aten.sort.stable: stable_sort},
            verbose=False,
        )


if __name__ == "__main__":
    for text in (
        "ce(ignore_index=255, class_weight=[1, 2, 3, 4])",
        "dice(ignore_index=255) + 0.5 * focal(ignore_index=255)",
        "lovasz(ignore_index=255)",
    ):
        module = WithLoss(losskit.build(text))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            export(module, path)
            session = onnxruntime.InferenceSession(path)
        for samples in 2, 5:
            x, target = batch(samples, 1)
            _, loss = session.run(None, {"x": x.numpy(), "target": target.numpy()})
            wanted = module(x, target)[1].item()
            print(f"{text}, {samples} samples: {loss.item():.6f} of {wanted:.6f}")
            assert abs(loss.item() - wanted) < 1e-5
        target[0, 5, 5] = 4  # no class: a file of numbers cannot raise an error, so the loss is NaN
        _, loss = session.run(None, {"x": x.numpy(), "target": target.numpy()})
        assert np.isnan(loss)
