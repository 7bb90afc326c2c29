"""Runs `losskit check` on every loss of the installed libraries.

`python benchmarks/check/peers.py [LIBRARY ...]` prints one line per loss. Libraries that are not installed are listed
and skipped.
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
# Required constructor arguments, by loss or by library and loss.
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
LEFT_OUT = {  # not losses of two tensors, or wrappers of other losses
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
SLOW = (  # never the only reason for the verdict "faulty"
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
    """The module of a library that contains its losses; None if the import fails."""
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
    """Every module class and, for some libraries, every function with "loss" in its name."""
    module = installed(library)
    for name, found in sorted(vars(module).items()) if module is not None else ():
        ours = "loss" in name.lower() and not name.startswith("_") and name not in LEFT_OUT
        options = OPTIONS.get(f"{library}.{name}", OPTIONS.get(name, {}))
        if ours and isinstance(found, type) and issubclass(found, nn.Module):
            yield Peer(library, name, lambda found=found, options=options: found(**options))  # type: ignore[misc]
        elif ours and inspect.isfunction(found) and library in ("torchvision", "fvcore"):
            yield Peer(library, name, lambda found=found: found)  # type: ignore[misc]


def said_of(peer: Peer) -> tuple[str, str]:
    """The verdict: sound, faulty, unsure or not made; and the first finding, or the reason."""
    asked = [each for each in battery.checks() if each not in SLOW]
    try:
        made = peer.made()
    except Exception as error:  # noqa: BLE001 - the constructor needs more arguments
        return "not made", f"{type(error).__name__}: {error}".splitlines()[0][:100]
    try:
        report = losskit.check(made, select=asked)
    except Unsure as error:
        return "unsure", str(error).splitlines()[0][:160]
    except Exception as error:  # noqa: BLE001 - an error of the checker itself, to be reported
        return "error", f"{type(error).__name__}: {error}"[:160]
    faults = [
        each for each in report.findings if min(f.severity for f in [each, *each.consequences]) <= Severity.NO_GRADIENT
    ]
    spec = report.spec
    taken = "" if spec is None else f"{spec.kind} {spec.scores} {spec.layout}"
    first = f"`{faults[0].check}`: {faults[0].what}; {evidence(faults[0].evidence)}" if faults else ""
    return ("faulty" if report.exit_code() else "sound"), f"({taken}) {first}"


def page(kept: dict[str, list[list[str]]]) -> str:
    """The page from the stored rows."""
    lines = [
        "# Losses of other libraries",
        "",
        "Verdicts of `losskit check` on every loss of the installed libraries, with the evidence for the first fault.",
        "`python benchmarks/check/peers.py` writes this page.",
        f"Skipped, since not installed: {', '.join(name for name in MODULES if name not in kept)}.",
        "",
        "| library | sound | faulty | unsure | not constructed: needs more options |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for library, rows in kept.items():
        counts = Counter(verdict for _, verdict, _ in rows)
        told = " | ".join(str(counts[verdict]) for verdict in ("sound", "faulty", "unsure", "not made"))
        lines.append(f"| {library} | {told} |")
    for library, rows in kept.items():
        lines += ["", f"## {library}", "", "| loss | verdict | tested as, and the first fault |", "| --- | --- | --- |"]
        lines += [f"| `{name}` | {verdict} | {said.replace('|', '/')} |" for name, verdict, said in rows]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    wanted = [each for each in arguments if not each.startswith("-")]
    for library in wanted or MODULES:
        if installed(library) is None:
            print(f"{library}: not installed, skipped")
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
