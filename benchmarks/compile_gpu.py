"""Compile every form of the GPU kernels for architectures that need not be present. Nothing runs.

    python benchmarks/compile_gpu.py [--targets sm_90,gfx942] [--forms 4] [--only numbers]

Prints, for each architecture, how many kernels compile and the error of each other one. Takes about one second per
kernel. The exit code is 1 if a kernel fails, and 2 if Triton is missing or too old.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch

import losskit
from losskit.ops import device_forms, triton
from losskit.ops.columns import kernel_columns, programs_of
from losskit.ops.inputs import can_hold

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the launch recorder of the tests

TARGETS = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120", "gfx942")
NUMBERS = {  # losses of differences
    "Huber of numbers": losskit.HuberLoss,
    "own formula of numbers": losskit.regression_loss(lambda x, t: torch.tanh(x - t).abs()).Module,
    "several of numbers": lambda: losskit.MSELoss() + 0.3 * losskit.L1Loss(),
}
LOSSES = {
    "own term": losskit.classification_loss(lambda log_p: (1 - log_p.exp()) ** 1.7).Module,
    "own region": losskit.region_loss(lambda total: 1 - total.tp / (total.pred + total.target).sqrt()).Module,
    "Dice": losskit.DiceLoss,
    "Dice + cross-entropy": losskit.DiceCELoss,
    "focal Tversky": lambda: losskit.FocalTverskyLoss(gamma=1.3),
    "log-cosh Dice": losskit.LogCoshDiceLoss,
    "smoothed cross-entropy": lambda: losskit.CrossEntropyLoss(label_smoothing=0.1, class_weight=[1.0, 2.0, 3.0]),
    "both poolings": lambda: losskit.DiceLoss(pool="batch") + 0.5 * losskit.JaccardLoss(absent="penalize"),
}


def launch(form: device_forms.Form) -> None:
    """A forward and a backward pass of a form."""
    from losskit.ops.triton import ranks

    inputs, columns = device_forms.inputs_of(form, torch.device("cpu")), device_forms.columns_of(form)
    pooled = form.is_pooled
    ignored = inputs.ignore_index if can_hold(inputs.target, inputs.ignore_index) else None
    rows = 1 if pooled else inputs.input.shape[0]
    coefficients = torch.ones(rows, inputs.num_classes, len(columns) or 3, dtype=torch.float64)
    if form.columns == device_forms.RANKS:
        given: Any = (inputs.input, inputs.target, inputs.mask, inputs.link, ignored)
        _, increments, _ = ranks.rank(*given, pooled=pooled, keep_increments=True)
        ranks.rank_gradient(coefficients, increments, *given, pooled=pooled)
        return
    planned = kernel_columns(columns)
    assert planned is not None
    given = (*inputs.tensors, inputs.link, ignored, *planned)
    triton.run(*given, pooled=pooled, totals=True, programs=programs_of(columns))
    triton.run(*given, pooled=pooled, coefficients=coefficients, programs=programs_of(columns))


def launches(most: int | None) -> Iterator[tuple[str, Any]]:
    """The launches of every form, forward and backward, and of the last kernel of each loss: (description, launch)."""
    import launch_cases  # imports Triton, whose version has been checked by now
    import triton_builds

    for form in islice(device_forms.every(), most):
        with triton_builds.recorded() as found:
            launch(form)
        yield from ((str(form), each) for each in found)
    x, t = torch.randn(2, 3, 8, 8), torch.randint(0, 3, (2, 8, 8))
    of_labels = [(name, make, t) for name, make in LOSSES.items()]
    of_numbers = [(name, make, torch.randn(x.shape)) for name, make in NUMBERS.items()]
    for name, make, target in islice([*of_labels, *of_numbers], most):
        with launch_cases.stubbed() as found:
            make()(x.clone().requires_grad_(), target)
        yield from ((f"the finish of {name}", launch) for launch in found if launch[0].__name__ == "finish")


def target_of(name: str) -> Any:
    from triton.backends.compiler import GPUTarget

    return (
        GPUTarget("hip", name, 64) if name.startswith("gfx") else GPUTarget("cuda", int(name.removeprefix("sm_")), 32)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", default=",".join(TARGETS), help="architectures, such as sm_90,gfx942")
    parser.add_argument("--forms", type=int, help="compile at most this many forms and losses")
    parser.add_argument("--only", default="", help="compile kernels whose description contains this text")
    arguments = parser.parse_args()
    if missing := triton.missing():
        sys.stderr.write(f"benchmarks/compile_gpu.py needs Triton {'.'.join(map(str, triton.LEAST))}: {missing}.\n")
        return 2
    import triton_builds

    every = [(of, launch) for of, launch in launches(arguments.forms) if arguments.only in of]
    failed = 0
    for name in arguments.targets.split(","):
        start, wrong = time.perf_counter(), []
        for of, launch in every:
            try:
                triton_builds.compiled(launch, target_of(name))
            except Exception as error:  # noqa: BLE001 - whatever a compiler raises
                wrong.append(
                    f"{launch[0].__name__} of {of}: {type(error).__name__}: {str(error).splitlines()[0][:160]}"
                )
        took = time.perf_counter() - start
        sys.stdout.write(f"{name:8} {len(every) - len(wrong)} of {len(every)} kernels compile, in {took:.0f} s\n")
        sys.stdout.write("".join(f"    {line}\n" for line in wrong))
        sys.stdout.flush()
        failed += len(wrong)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
