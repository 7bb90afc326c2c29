"""Every loss of the libraries that are installed, and what `losskit check` says of it.

`python benchmarks/check/peers.py [LIBRARY ...]` prints a line a loss. Libraries that are not installed are named, and
left out.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "tests")]

from torch import nn  # noqa: E402

import losskit  # noqa: E402
from losskit.checker import Severity, Unsure, battery  # noqa: E402
from losskit.checker.finding import said as evidence  # noqa: E402

MODULES = {
    "monai": "monai.losses",
    "kornia": "kornia.losses",
    "smp": "segmentation_models_pytorch.losses",
    "toolbelt": "pytorch_toolbelt.losses",
    "timm": "timm.loss",
    "torchvision": "torchvision.ops",
    "fvcore": "fvcore.nn",
    "pytorch-metric-learning": "pytorch_metric_learning.losses",
    "lightly": "lightly.loss",
    "piq": "piq",
    "auraloss": "auraloss",
}
# What a constructor has to be given, by the loss's name, or by that of its library and the loss.
OPTIONS: dict[str, dict[str, Any]] = {
    "smp.DiceLoss": {"mode": "binary"},
    "smp.FocalLoss": {"mode": "binary"},
    "smp.JaccardLoss": {"mode": "binary"},
    "smp.LovaszLoss": {"mode": "binary"},
    "smp.TverskyLoss": {"mode": "binary"},
    "smp.SoftCrossEntropyLoss": {"smooth_factor": 0.0},
    "toolbelt.DiceLoss": {"mode": "binary"},
    "toolbelt.JaccardLoss": {"mode": "binary"},
    "toolbelt.SoftCrossEntropyLoss": {"smooth_factor": 0.0},
    "monai.SSIMLoss": {"spatial_dims": 2},
    "monai.DiceLoss": {"sigmoid": True},
    "monai.GeneralizedDiceLoss": {"sigmoid": True},
    "monai.DiceCELoss": {"sigmoid": True},
    "monai.DiceFocalLoss": {"sigmoid": True},
    "monai.GeneralizedDiceFocalLoss": {"sigmoid": True},
    "monai.TverskyLoss": {"sigmoid": True},
    "monai.HausdorffDTLoss": {"sigmoid": True},
    "monai.LogHausdorffDTLoss": {"sigmoid": True},
    "kornia.FocalLoss": {"alpha": 0.5, "reduction": "mean"},
    "kornia.BinaryFocalLossWithLogits": {"alpha": 0.25, "reduction": "mean"},
    "kornia.TverskyLoss": {"alpha": 0.5, "beta": 0.5},
    "kornia.SSIMLoss": {"window_size": 5},
    "kornia.SSIM3DLoss": {"window_size": 3},
}
LEFT_OUT = {  # what is no loss of two tensors, or wraps another one
    *(
        "DeepSupervisionLoss",
        "MaskedLoss",
        "MultiScaleLoss",
        "PatchAdversarialLoss",
        "PerceptualLoss",
        "BarlowTwinsLoss",
    ),
    *("JointLoss", "WeightedLoss", "SURELoss", "AUCMLoss", "FocalCosineLoss"),
}
KEPT = Path(__file__).parent / "said"
PAGE = Path(__file__).parents[2] / "docs" / "measure" / "peers.md"
SLOW = (  # what never makes a loss faulty by itself
    *("compile", "export", "half-sums-overflow", "saves-more", "peak-memory", "copies", "unsafe-on-gpu-autocast"),
    *("float64-lost", "empty-batch", "weights-stay-behind", "keeps-graph"),
)


@dataclass(frozen=True)
class Peer:
    """One loss of another library."""

    library: str
    name: str
    made: Callable[[], Any]


def installed(library: str) -> Any:
    """The module of a library that holds its losses; None where it does not import."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if library in ("torchvision", "smp", "toolbelt", "timm"):
                from peers import peer

                return peer(library)
            return importlib.import_module(MODULES[library])
    except ImportError:
        return None


def losses_of(library: str) -> Iterator[Peer]:
    """Every class of modules whose name ends in Loss, and every function whose name does."""
    module = installed(library)
    for name, found in sorted(vars(module).items()) if module is not None else ():
        ours = "loss" in name.lower() and not name.startswith("_") and name not in LEFT_OUT
        options = OPTIONS.get(f"{library}.{name}", OPTIONS.get(name, {}))
        if ours and isinstance(found, type) and issubclass(found, nn.Module):
            yield Peer(library, name, lambda found=found, options=options: found(**options))  # type: ignore[misc]
        elif ours and inspect.isfunction(found) and library in ("torchvision", "fvcore"):
            yield Peer(library, name, lambda found=found: found)  # type: ignore[misc]


def said_of(peer: Peer) -> tuple[str, str]:
    """sound, faulty, unsure or not made; and the first finding, or why."""
    asked = [each for each in battery.checks() if each not in SLOW]
    try:
        made = peer.made()
    except Exception as error:  # noqa: BLE001 - a constructor that has to be given more
        return "not made", f"{type(error).__name__}: {error}".splitlines()[0][:100]
    try:
        report = losskit.check(made, select=asked)
    except Unsure as error:
        return "unsure", str(error).splitlines()[0][:160]
    except Exception as error:  # noqa: BLE001 - of the checker itself, to be seen
        return "error", f"{type(error).__name__}: {error}"[:160]
    faults = [
        each for each in report.findings if min(f.severity for f in [each, *each.consequences]) <= Severity.NO_GRADIENT
    ]
    spec = report.spec
    taken = "" if spec is None else f"{spec.kind} {spec.scores} {spec.layout}"
    first = f"`{faults[0].check}`: {faults[0].what}; {evidence(faults[0].evidence)}" if faults else ""
    return ("faulty" if report.exit_code() else "sound"), f"({taken}) {first}"


def page(kept: dict[str, list[list[str]]]) -> str:
    """The page of what is kept."""
    lines = [
        "# Every loss of the libraries installed",
        "",
        "What `losskit check` says of each, as `python benchmarks/check/peers.py` found it, with the numbers of the",
        f"first fault. Not installed, and left out: {', '.join(name for name in MODULES if name not in kept)}.",
        "",
        "| library | sound | with a fault | unsure | not made without more options |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for library, rows in kept.items():
        counts = Counter(verdict for _, verdict, _ in rows)
        told = " | ".join(str(counts[verdict]) for verdict in ("sound", "faulty", "unsure", "not made"))
        lines.append(f"| {library} | {told} |")
    for library, rows in kept.items():
        lines += ["", f"## {library}", "", "| loss | verdict | taken for, and the first fault |", "| --- | --- | --- |"]
        lines += [f"| `{name}` | {verdict} | {said.replace('|', '/')} |" for name, verdict, said in rows]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    wanted = [each for each in arguments if not each.startswith("-")]
    for library in wanted or MODULES:
        if installed(library) is None:
            print(f"{library}: not installed, left out")
            continue
        rows = []
        for peer in losses_of(library):
            verdict, said = said_of(peer)
            rows.append([peer.name, verdict, said])
            print(f"{library:12} {peer.name:34} {verdict:8} {said}", flush=True)
        (KEPT / f"{library}.json").write_text(json.dumps(rows, indent=1) + "\n")
    kept = {file.stem: json.loads(file.read_text()) for file in sorted(KEPT.glob("*.json"))}
    PAGE.write_text(page(kept))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
