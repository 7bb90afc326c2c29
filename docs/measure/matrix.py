"""Run `losskit check` on every loss of losskit and of the installed libraries, and write the page of results.

`python docs/measure/matrix.py` writes docs/measure/matrix.md. The other libraries are not installed when the pages are
built, so the measured page is committed.
"""

from __future__ import annotations

import importlib.metadata
import logging
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent / "tests")]

import torch  # noqa: E402

from losskit.checker import battery  # noqa: E402
from losskit.checker.finding import Report, Severity  # noqa: E402
from losskit.checker.spec import Unsure  # noqa: E402
from losskit.checker.subject import Subject  # noqa: E402
from losskit.core.catalogue import entries  # noqa: E402
from peers import peer  # noqa: E402

PAGE = HERE / "matrix.md"
SNIPPETS = str(HERE / "snippets.py")
ADAPTED = str(HERE / "adapted.py")
BINARY = {"kind": "binary", "scores": "logits", "target": "same"}
INDICES = {"kind": "multiclass", "scores": "logits", "target": "indices"}
CHANNEL = {**INDICES, "target": "indices-channel"}
ONE_HOT = {"softmax": True, "to_onehot_y": True}


@dataclass(frozen=True, eq=False)
class Row:
    """One loss of a library, with the input that its documentation names."""

    library: str
    place: str  # module:name
    options: dict[str, Any] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The loss, as written in its library."""
        said = ", ".join(f"{key}={value!r}" for key, value in self.options.items())
        return self.place.split(":")[-1] + (f"({said})" if said else "")


def _rows(library: str, module: str, *given: tuple[Any, ...]) -> list[Row]:
    return [Row(library, f"{module}:{each[0]}", *each[1:]) for each in given]


ROWS = [
    *_rows(
        "torch",
        "torch.nn",
        ("CrossEntropyLoss",),
        ("CrossEntropyLoss", {"label_smoothing": 0.1}),
        ("NLLLoss",),
        ("BCEWithLogitsLoss",),
        ("BCELoss",),
        ("MultiLabelSoftMarginLoss", {}, {**BINARY, "kind": "multilabel"}),
        ("MultiMarginLoss",),
        ("MSELoss",),
        ("L1Loss",),
        ("SmoothL1Loss",),
        ("HuberLoss",),
        ("PoissonNLLLoss",),
        ("GaussianNLLLoss",),
        ("KLDivLoss", {"reduction": "batchmean"}),
        ("SoftMarginLoss",),
        ("HingeEmbeddingLoss",),
        ("MarginRankingLoss",),
        ("CosineEmbeddingLoss",),
        ("TripletMarginLoss",),
    ),
    *_rows(
        "monai",
        "monai.losses",
        ("DiceLoss", {"sigmoid": True}, BINARY),
        ("DiceLoss", ONE_HOT, CHANNEL),
        ("DiceLoss", {**ONE_HOT, "batch": True}, CHANNEL),
        ("DiceLoss", {**ONE_HOT, "jaccard": True}, CHANNEL),
        ("DiceLoss", {}, {**BINARY, "scores": "probabilities"}),
        ("TverskyLoss", ONE_HOT, CHANNEL),
        ("GeneralizedDiceLoss", ONE_HOT, CHANNEL),
        ("FocalLoss", {}, BINARY),
        ("FocalLoss", {"use_softmax": True, "to_onehot_y": True}, CHANNEL),
        ("DiceCELoss", {"sigmoid": True}, BINARY),
        ("DiceCELoss", ONE_HOT, CHANNEL),
        ("DiceFocalLoss", ONE_HOT, CHANNEL),
        ("AsymmetricUnifiedFocalLoss", {"to_onehot_y": True, "num_classes": 3}, CHANNEL),
    ),
    *_rows(
        "kornia",
        "kornia.losses",
        ("DiceLoss", {}, INDICES),
        ("DiceLoss", {"average": "macro"}, INDICES),
        ("TverskyLoss", {"alpha": 0.5, "beta": 0.5}, INDICES),
        ("FocalLoss", {"alpha": None, "reduction": "mean"}, INDICES),
        ("BinaryFocalLossWithLogits", {"alpha": None, "reduction": "mean"}, BINARY),
        ("LovaszHingeLoss",),
        ("LovaszSoftmaxLoss", {}, INDICES),
    ),
    *[
        Row("smp", f"segmentation_models_pytorch.losses:{name}", {"mode": mode}, told)
        for name in ("DiceLoss", "JaccardLoss", "TverskyLoss", "FocalLoss", "LovaszLoss")
        for mode, told in (("binary", BINARY), ("multiclass", INDICES))
    ],
    *_rows(
        "smp",
        "segmentation_models_pytorch.losses",
        ("SoftBCEWithLogitsLoss", {}, BINARY),
        ("SoftCrossEntropyLoss", {"smooth_factor": 0.0}, INDICES),
    ),
    Row("smp", f"{ADAPTED}:mcc_of_sigmoid", {}, BINARY),
    *[
        Row("toolbelt", f"pytorch_toolbelt.losses:{name}", {"mode": mode}, told)
        for name in ("DiceLoss", "JaccardLoss")
        for mode, told in (("binary", BINARY), ("multiclass", INDICES))
    ],
    *_rows(
        "toolbelt",
        "pytorch_toolbelt.losses",
        ("BinaryFocalLoss", {}, BINARY),
        ("CrossEntropyFocalLoss", {}, INDICES),
        ("BinaryLovaszLoss", {}, BINARY),
        ("SoftBCEWithLogitsLoss", {}, BINARY),
        ("SoftCrossEntropyLoss", {"smooth_factor": 0.0}, INDICES),
    ),
    Row("toolbelt", f"{ADAPTED}:lovasz_of_softmax", {}, INDICES),
    *_rows("torchvision", "torchvision.ops", ("sigmoid_focal_loss", {"reduction": "mean"}, BINARY)),
    *_rows("fvcore", "fvcore.nn", ("sigmoid_focal_loss", {"reduction": "mean"}, BINARY)),
    *_rows(
        "timm",
        "timm.loss",
        ("LabelSmoothingCrossEntropy", {"smoothing": 0.0}, INDICES),
        ("SoftTargetCrossEntropy", {}, {**INDICES, "target": "one-hot"}),
        ("BinaryCrossEntropy", {"smoothing": 0.0}, {**BINARY, "kind": "multilabel"}),
        ("AsymmetricLossMultiLabel", {}, {**BINARY, "kind": "multilabel"}),
        ("AsymmetricLossSingleLabel", {}, INDICES),
    ),
    *_rows(
        "tutorial snippets",
        SNIPPETS,
        ("DiceLoss", {}, BINARY),
        ("DiceBCELoss", {}, BINARY),
        ("IoULoss", {}, BINARY),
        ("FocalLoss", {}, BINARY),
        ("TverskyLoss", {}, BINARY),
        ("mse",),
        ("smooth_l1",),
        ("bce_after_sigmoid", {}, BINARY),
        ("sigmoid_twice", {}, BINARY),
        ("multiclass_dice", {}, INDICES),
        ("cross_entropy_of_softmax", {}, INDICES),
    ),
]
DISTRIBUTIONS = {
    "torch": "torch",
    "monai": "monai",
    "kornia": "kornia",
    "smp": "segmentation-models-pytorch",
    "toolbelt": "pytorch-toolbelt",
    "torchvision": "torchvision",
    "fvcore": "fvcore",
    "timm": "timm",
}
MARKS = {
    Severity.WRONG: "W",
    Severity.NO_GRADIENT: "G",
    Severity.TRAP: "T",
    Severity.PROPERTY: "P",
    Severity.COST: "C",
    Severity.CONVENIENCE: "V",
}


def ours() -> list[Row]:
    """The catalogue of losskit, with default options."""
    return [Row("losskit", f"losskit:{e.loss.__name__}") for e in entries() if e.family != "your own"]


def report_of(row: Row) -> Report | None:
    """The report of all checks; None if the input of the loss cannot be determined."""
    try:
        return battery.run(Subject.of(row.place, row.options or None, **row.told))
    except Unsure:
        return None


def version_of(library: str) -> str:
    """The library with its version, if it has one."""
    if library == "losskit":
        return f"losskit {importlib.metadata.version('losskit')}"
    found = DISTRIBUTIONS.get(library)
    return library if found is None else f"{found} {importlib.metadata.version(found)}"


def page(found: dict[Row, Report | None]) -> str:
    """The page with these reports."""
    libraries = list(dict.fromkeys(row.library for row in found))
    parts = [_HEAD.format(versions=", ".join(version_of(each) for each in libraries)), _summary(libraries, found)]
    parts += [_LEGEND, *(_library(each, found) for each in libraries), _questions()]
    return "\n\n".join(parts) + "\n"


def _summary(libraries: list[str], found: dict[Row, Report | None]) -> str:
    rows = []
    for library in libraries:
        reports = [report for row, report in found.items() if row.library == library and report is not None]
        faulty = sum(report.exit_code() for report in reports)
        trapped = sum(report.exit_code(strict=True) for report in reports) - faulty
        clean = len(reports) - faulty - trapped
        rows.append([library, str(len(reports)), str(faulty), str(trapped), str(clean)])
    return _table(["library", "losses", "faults", "only traps", "neither"], rows)


def _library(library: str, found: dict[Row, Report | None]) -> str:
    rows = [(row, report) for row, report in found.items() if row.library == library]
    listed = [[f"`{row.name}`", *_told(report)] for row, report in rows]
    first = _table(["loss", "faults", "traps", "properties"], listed)
    known = [(row, report) for row, report in rows if report is not None]
    lines = [[f"`{check}`", *(_mark(report, check) for _, report in known)] for check in battery.checks()]
    lines = [line for line in lines if any(cell not in ("", ".") for cell in line[1:])]
    second = "{.matrix}\n" + _table(["check", *(f"`{row.name}`" for row, _ in known)], lines) if lines else ""
    return f"## {version_of(library)}\n\n{first}\n\nChecks with findings:\n\n{second}"


def _told(report: Report | None) -> list[str]:
    if report is None:
        return ["input not determined", "", ""]
    grades = (Severity.WRONG, Severity.NO_GRADIENT), (Severity.TRAP,), (Severity.PROPERTY,)
    return [", ".join(dict.fromkeys(f"`{f.check}`" for f in report.of(*each))) for each in grades]


def _mark(report: Report, check: str) -> str:
    worst = min((finding.severity for finding in report if finding.check == check), default=None)
    if worst is not None:
        return MARKS[worst]
    (outcome,) = (each for each in report.outcomes if each.check == check)
    return {"passed": ".", "refused": "r"}.get(outcome.status, "")


def _questions() -> str:
    rows = [[f"`{each.id}`", each.asks, each.severity.value] for each in battery.checks().values()]
    return f"## The checks\n\n{_table(['check', 'question', 'severity'], rows)}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


_HEAD = """# Check results by loss

Results of all checks of `losskit check` for every loss of losskit and of the installed libraries. Generated by
`python docs/measure/matrix.py` with {versions}; on a CPU, with torch's kernels, each loss called as documented. A fault
contradicts the loss's own numbers, a trap is invalid input that gives a plausible number, and a property is a design
choice to be aware of."""

_LEGEND = (
    "Marks: "
    + ", ".join(f"{mark} {severity.value}" for severity, mark in MARKS.items())
    + ", . passed, r the loss rejected the call, empty: not applicable. A property is not a fault: `uneven-ignored` "
    "marks a mean that excludes ignored positions, `depends-on-batch` a loss that pools its batch."
)


def main() -> None:
    """Measure and write the page."""
    torch.set_num_threads(1)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    for library in ("smp", "monai", "kornia", "toolbelt", "timm", "torchvision", "fvcore"):
        peer(library)
    found = {}
    for row in [*ours(), *ROWS]:
        began = time.monotonic()
        report = report_of(row)
        found[row] = report
        verdict = "unsure" if report is None else report.verdict
        sys.stdout.write(f"{time.monotonic() - began:5.1f} s  {row.library}: {verdict}\n")
    PAGE.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
