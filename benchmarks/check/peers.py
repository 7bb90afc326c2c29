"""Runs `losskit check` on every loss of the installed libraries.

`python benchmarks/check/peers.py [LIBRARY ...]` prints one line per loss. Libraries that are not installed are listed
and skipped.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "tests")]

import torch  # noqa: E402
from torch import nn  # noqa: E402

import losskit  # noqa: E402
from losskit.checker import Severity, Unsure, battery  # noqa: E402
from losskit.checker.finding import said as evidence  # noqa: E402
from peers import peer as of_library  # noqa: E402

# The modules of each library that contain its losses.
MODULES = {
    "monai": ("monai.losses",),
    "kornia": ("kornia.losses",),
    "smp": ("segmentation_models_pytorch.losses",),
    "toolbelt": ("pytorch_toolbelt.losses",),
    "timm": ("timm.loss",),
    "torchvision": ("torchvision.ops",),
    "fvcore": ("fvcore.nn",),
    "pytorch-metric-learning": ("pytorch_metric_learning.losses",),
    "lightly": ("lightly.loss",),
    "piq": ("piq",),
    "auraloss": ("auraloss.time", "auraloss.freq"),
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
    "monai.GeneralizedWassersteinDiceLoss": {"dist_matrix": 1 - torch.eye(3)},
    "torchvision.complete_box_iou_loss": {"reduction": "mean"},
    "torchvision.distance_box_iou_loss": {"reduction": "mean"},
    "torchvision.generalized_box_iou_loss": {"reduction": "mean"},
    "torchvision.sigmoid_focal_loss": {"reduction": "mean"},
    "fvcore.giou_loss": {"reduction": "mean"},
    "fvcore.sigmoid_focal_loss": {"reduction": "mean"},
    "fvcore.sigmoid_focal_loss_star": {"reduction": "mean"},
    "fvcore.smooth_l1_loss": {"beta": 1.0, "reduction": "mean"},
    **{
        f"pytorch-metric-learning.{name}Loss": {"num_classes": 10, "embedding_size": 8}
        for name in (
            *("ArcFace", "CosFace", "LargeMarginSoftmax", "NormalizedSoftmax", "ProxyAnchor", "ProxyNCA"),
            *("SoftTriple", "SphereFace", "SubCenterArcFace"),
        )
    },
    "pytorch-metric-learning.P2SGradLoss": {"num_classes": 10, "descriptors_dim": 8},
    "pytorch-metric-learning.ManifoldLoss": {"l": 8, "K": 3},
    "pytorch-metric-learning.RankedListLoss": {"margin": 0.4, "Tn": 10},
    "toolbelt.BiTemperedLogisticLoss": {"t1": 0.8, "t2": 1.2},
    "toolbelt.BinaryBiTemperedLogisticLoss": {"t1": 0.8, "t2": 1.2},
    "timm.DistributionBalancedLoss": {"class_counts": [40.0, 30.0, 20.0], "num_samples": 60},
    "monai.JukeboxLoss": {"spatial_dims": 2},
    "monai.NACLLoss": {"classes": 3, "dim": 2},
    "kornia.PSNRLoss": {"max_val": 1.0},
    "lightly.DINOLoss": {"output_dim": 8},
    "lightly.IBOTPatchLoss": {"output_dim": 8},
    "lightly.IBOTPlusPlusPatchLoss": {"output_dim": 8},
    "lightly.PMSNCustomLoss": {"target_distribution": lambda shares: torch.ones_like(shares) / len(shares)},
    "auraloss.SumAndDifferenceSTFTLoss": {"fft_sizes": [512], "hop_sizes": [128], "win_lengths": [512]},
}
# What a user states about losses of large images.
STATED: dict[str, dict[str, Any]] = {
    f"piq.{name}Loss": {"kind": "regression", "scores": "images", "layout": "images", "shape": (size, size)}
    for name, size in (("DSS", 64), ("SRSIM", 64), ("VIF", 48))
}
LEFT_OUT = {
    **dict.fromkeys(("DeepSupervisionLoss", "MaskedLoss", "MultiScaleLoss", "BaseLossWrapper"), "wraps another loss"),
    **dict.fromkeys(("JointLoss", "WeightedLoss", "MultipleLosses", "SelfSupervisedLoss"), "wraps other losses"),
    **dict.fromkeys(("CrossBatchMemory", "ThresholdConsistentMarginLoss"), "wraps another loss"),
    **dict.fromkeys(("PerceptualLoss", "ContentLoss", "StyleLoss", "LPIPS", "DISTS", "PieAPP"), "downloads a network"),
    "piq.VSILoss": "takes minutes; by hand: reduction='sum' is 1 minus the sum of the scores",
    **dict.fromkeys(("BRISQUELoss", "CLIPIQA"), "downloads a model"),
    **dict.fromkeys(("FID", "GS", "IS", "KID", "MSID", "PR"), "a metric"),
    **dict.fromkeys(("BaseMetricLossFunction", "GenericPairLoss", "Whitening2d"), "no loss by itself"),
    **{
        f"{kind}LossFromRef{dimensions}": "its function, with a fixed target"
        for kind in ("MI", "NMI")
        for dimensions in ("", "2D", "3D")
    },
    **{
        f"{kind}mutual_information_loss_{dimensions}": "flattens its input for the loss of this name"
        for kind in ("", "normalized_")
        for dimensions in ("2d", "3d")
    },
    **dict.fromkeys(("toolbelt.FocalLoss", "toolbelt.sigmoid_focal_loss"), "an old name of another loss"),
    **dict.fromkeys(("MelSTFTLoss", "ChromaSTFTLoss"), "needs librosa"),
    **dict.fromkeys(("SumAndDifference", "FIRFilter", "create_classification_loss"), "no loss by itself"),
}
# What the code says about each verdict that is not "sound".
REVIEWED = {
    "monai.AUCMLoss": "its parameters start at 0, where it does not depend on the sign of the scores",
    "monai.AsymmetricUnifiedFocalLoss": "confirmed: `-y_true` wraps around in uint8; its parts always return a mean",
    "monai.DiceCELoss": "confirmed: of one channel, the cross-entropy is BCEWithLogitsLoss, without label_smoothing",
    "monai.DiceFocalLoss": "confirmed: the sum averages the focal part over positions, and adds each Dice once",
    "monai.FocalLoss": "confirmed: the sum averages over positions first, and over everything if there are none",
    "monai.GeneralizedDiceFocalLoss": "confirmed: as `FocalLoss`",
    "monai.HausdorffDTLoss": "confirmed: distances are stored in the dtype of the target and truncated to integers",
    "monai.JukeboxLoss": "confirmed: the square root of an amplitude of 0, as of silence, has no finite gradient",
    "monai.LogHausdorffDTLoss": "confirmed: as `HausdorffDTLoss`; its sum is the logarithm of a sum",
    "monai.SoftDiceclDiceLoss": "confirmed: (N, C, 1, 1) plus (N,) is (N, C, 1, N); `-img` wraps around in uint8",
    "monai.SoftclDiceLoss": "confirmed: `-img` wraps around in uint8",
    "kornia.HausdorffERLoss": "confirmed: a range of rounding errors, which is not exactly 0, is stretched to 1",
    "kornia.PSNRLoss": "confirmed: equal images give minus infinity and NaN gradients",
    "kornia.kl_div_loss_2d": "confirmed: the logarithm of a prediction of exactly 0, as of a softmax that underflows",
    "toolbelt.BalancedBCEWithLogitsLoss": "confirmed: the weights are raised to the power gamma twice",
    "toolbelt.FocalCosineLoss": "confirmed: with reduction='sum' the focal part is not reduced",
    "toolbelt.LogCoshLoss": "confirmed: (N, 1) against (N,) averages all pairs",
    "toolbelt.LovaszLoss": "confirmed: it returns `probas * 0.0`, which is empty",
    "toolbelt.SoftF1Loss": "confirmed: probabilities are clamped to [1e-6, 1 - 1e-6]",
    "toolbelt.WingLoss": "confirmed: (N, 1) against (N,) averages all pairs",
    "timm.AsymmetricLossSingleLabel": "confirmed: reduction='sum' is accepted and not applied",
    "timm.SoftTargetCrossEntropy": "confirmed: `-target` wraps around in uint8",
    "fvcore.smooth_l1_loss": "confirmed: (N, 1) against (N,) averages all pairs",
    "pytorch-metric-learning.DynamicSoftMarginLoss": "confirmed, without labels: `fill_diagonal_` changes distances",
    "pytorch-metric-learning.InstanceLoss": "confirmed: the number of a class is taken for that of a sample",
    "pytorch-metric-learning.NTXentLoss": "confirmed: `log(x + 6e-5)` in float16 is at least -9.7",
    "pytorch-metric-learning.TupletMarginLoss": "confirmed: acos of a cosine of 1, as of equal embeddings",
    "pytorch-metric-learning.SmoothAPLoss": "confirmed: labels are counted only; samples must be sorted by class",
    "lightly.IBOTPatchLoss": "its mask marks the tokens of the other tensors, (N, H, W)",
    "lightly.IBOTPlusPlusPatchLoss": "it takes tokens (N, L, K)",
    "lightly.SwaVLoss": "convention: outputs are cosine similarities; Sinkhorn overflows above 4.4",
    "lightly.VICRegLLoss": "it takes lists of pairs of tensors",
    "lightly.WMSELoss": "its batch has 256 samples",
    "piq.DSSLoss": "confirmed: the square root of a variance of 0, as in constant areas",
    "piq.SRSIMLoss": "confirmed: with reduction='sum' 1 minus the clamped sum of the scores, 0 for good images",
    "piq.FSIMLoss": "confirmed: its filters run in bfloat16",
    "piq.GMSDLoss": "confirmed: the square root of a gradient of 0, as in equal or constant images",
    "piq.HaarPSILoss": "confirmed: 1 minus the sum of the scores, not the sum of 1 minus the scores",
    "piq.MDSILoss": "confirmed: powers of 0, as in equal or constant images",
    "piq.MultiScaleGMSDLoss": "confirmed: as `GMSDLoss`",
    "piq.InformationWeightedSSIMLoss": "its images have at least 161 rows and columns",
    "piq.MultiScaleSSIMLoss": "its images have at least 161 rows and columns",
    "piq.VIFLoss": "confirmed: 1 minus the sum of the scores, not the sum of 1 minus the scores",
    "piq.SSIMLoss": "confirmed: 1 minus the sum of the scores, not the sum of 1 minus the scores",
    "auraloss.LogCoshLoss": "confirmed: cosh overflows",
    "auraloss.RandomResolutionSTFTLoss": "its windows are longer than the signals tried",
    "auraloss.STFTLoss": "its windows are longer than the signals tried",
    "auraloss.SpectralConvergenceLoss": "confirmed: it divides by the norm of the target, 0 for silence",
}
KEPT = Path(__file__).parent / "said"
PAGE = Path(__file__).parents[2] / "docs" / "measure" / "peers.md"
SLOW = (  # never the only reason for the verdict "faulty"
    *("compile", "export", "half-sums-overflow", "saves-more", "peak-memory", "copies", "unsafe-on-gpu-autocast"),
    *("float64-lost", "empty-batch", "weights-stay-behind", "keeps-graph"),
    *("forward-mode", "vmap", "func-grad", "memory-layout"),
)


@dataclass(frozen=True)
class Peer:
    """One loss of another library."""

    library: str
    name: str
    made: Callable[[], Any]


def modules_of(library: str) -> list[Any]:
    """The modules of a library that contain its losses; empty if the import fails."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            of_library("torchvision")  # most of the libraries import it
            return [importlib.import_module(name) for name in MODULES[library]]
    except ImportError:
        return []


def losses_of(library: str) -> Iterator[Peer]:
    """Every module class, and every function with "loss" in its name that has no class."""
    found = {name: each for module in modules_of(library) for name, each in vars(module).items() if name[0] != "_"}
    classes = {n: each for n, each in found.items() if isinstance(each, type) and issubclass(each, nn.Module)}
    if library in ("torchvision", "fvcore", "piq"):  # their modules also contain layers
        classes = {name: each for name, each in classes.items() if "loss" in name.lower()}
    functions = {n: each for n, each in found.items() if inspect.isfunction(each) and "loss" in n.lower()}
    known = {name.lower() for name in classes}
    functions = {n: each for n, each in functions.items() if n.replace("_", "").lower() not in known}
    for name, made in sorted({**functions, **{each.__name__: each for each in classes.values()}}.items()):
        options = OPTIONS.get(f"{library}.{name}", {})
        if not {name, f"{library}.{name}"} & set(LEFT_OUT):
            bound = functools.partial(made, **options) if options else made
            yield Peer(library, name, bound if isinstance(made, type) else lambda bound=bound: bound)  # type: ignore[misc]


def said_of(peer: Peer) -> tuple[str, str]:
    """The verdict: sound, faulty, unsure or not made; and the first finding, or the reason."""
    asked = [each for each in battery.checks() if each not in SLOW]
    torch.manual_seed(0)  # some have random weights
    try:
        made = peer.made()
    except Exception as error:  # noqa: BLE001 - the constructor needs more arguments
        return "not made", f"{type(error).__name__}: {error}".splitlines()[0][:100]
    try:
        report = losskit.check(made, select=asked, **STATED.get(f"{peer.library}.{peer.name}", {}))
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


def version_of(library: str) -> str:
    """The package of a library and its version."""
    (package, *_) = metadata.packages_distributions()[MODULES[library][0].split(".")[0]]
    return f"{package} {metadata.version(package)}"


def page(kept: dict[str, dict[str, Any]]) -> str:
    """The page from the stored rows."""
    counts = {name: Counter(verdict for _, verdict, _ in each["losses"]) for name, each in kept.items()}
    lines = [
        "# Losses of other libraries",
        "",
        "Verdicts of `losskit check` on every loss of these libraries, with the evidence for the first fault, and what",
        "reading the code of the library by hand says about it. `python benchmarks/check/peers.py` writes this page.",
        "",
        "A confirmed fault is a wrong number or a missing gradient for accepted input, which is not always input that",
        "the library promises to support. A convention is documented or inherent to the formula.",
        "",
        "Options that have no default are given, as by a user. These checks are not run, since they are slow:",
        f"{', '.join(f'`{each}`' for each in SLOW)}.",
        "",
        "| library | sound | faulty | of these confirmed | unsure |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, each in kept.items():
        confirmed = sum(REVIEWED.get(f"{name}.{row[0]}", "").startswith("confirmed") for row in each["losses"])
        numbers = [counts[name]["sound"], counts[name]["faulty"], confirmed, counts[name]["unsure"]]
        lines.append(f"| {each['version']} | {' | '.join(map(str, numbers))} |")
    for name, each in kept.items():
        lines += ["", f"## {name}", "", "| loss | verdict | tested as, and the first fault | by hand |"]
        lines += ["| --- | --- | --- | --- |"]
        for loss, verdict, said in each["losses"]:
            judged = REVIEWED.get(f"{name}.{loss}", "")
            lines.append(f"| `{loss}` | {verdict} | {said.replace('|', '/')} | {judged} |")
    lines += ["", "## Not checked", "", "| loss | reason |", "| --- | --- |"]
    lines += [f"| `{name}` | {reason} |" for name, reason in sorted(LEFT_OUT.items())]
    return "\n".join(lines) + "\n"


def kept() -> dict[str, dict[str, Any]]:
    """The stored rows of each library, and its version."""
    return {name: json.loads(file.read_text()) for name in MODULES if (file := KEPT / f"{name}.json").exists()}


def main(arguments: list[str]) -> int:
    """Check the losses named `library` or `library.loss`, by default all, and write the page."""
    for library in MODULES:
        chosen = [each for each in arguments if each.split(".")[0] == library]
        if arguments and not chosen:
            continue
        rows = {each[0]: each for each in kept().get(library, {}).get("losses", ())}
        peers = list(losses_of(library))
        for peer in peers:
            if not chosen or {library, f"{library}.{peer.name}"} & set(chosen):
                rows[peer.name] = [peer.name, *said_of(peer)]
                print(library.ljust(12), *rows[peer.name], flush=True)
                known = [rows[each.name] for each in peers if each.name in rows]
                found = {"version": version_of(library), "losses": known}
                (KEPT / f"{library}.json").write_text(json.dumps(found, indent=1) + "\n")
        if not peers:
            print(f"{library}: not installed, skipped")
    PAGE.write_text(page(kept()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
