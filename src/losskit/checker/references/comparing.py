"""Comparing: whether a loss is a variant of a formula, up to positive factors of its terms and a constant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from losskit.checker.references.binding import EXAMPLES, Bound, Seen
from losskit.checker.references.reference import Pick, variants

SAME = 3e-3  # relative difference below which a loss is the formula: constants in denominators and roots
REACHED = 3e-4  # below which a changed loss is the formula
_MOST = 64
OTHER = 1e-2  # above which a loss is another formula


@dataclass
class Table:
    """The variants of a formula for the tensors of one form."""

    bound: Bound
    drawing: int
    tensors: list[dict[str, object]]
    paths: list[tuple[int, ...]]
    bases: Tensor  # (variants, elements, terms): an orthonormal basis of the gradients for the first example
    kept: dict[tuple[int, ...], list[Seen]] = field(default_factory=dict)

    def near(self, slopes: Tensor, limit: float) -> list[tuple[int, ...]]:
        """The variants whose gradient for the first example differs by less than this, relatively; nearest first."""
        length = float(slopes.norm())
        if length == 0 or not torch.isfinite(slopes).all():
            return []
        unit = slopes / length
        parts = torch.einsum("vet,e->vt", self.bases, unit)
        distances = (unit - torch.einsum("vet,vt->ve", self.bases, parts)).norm(dim=1)
        order = [int(n) for n in distances.argsort()[:_MOST] if distances[n] < limit]
        return [self.paths[n] for n in order]

    def variant(self, path: tuple[int, ...]) -> list[Seen]:
        if path not in self.kept:
            self.kept[path] = [self.bound.formula(each, Pick(path)) for each in self.tensors]
        return self.kept[path]


def table(bound: Bound, drawing: int) -> Table | None:
    """The variants for the tensors of a form; None if no variant takes them."""
    tensors = [bound.tensors(drawing, seed) for seed in range(EXAMPLES)]
    paths, bases, widths = [], [], 0
    for path, seen in variants(lambda pick: bound.formula(tensors[0], pick)):
        if not torch.isfinite(seen.slopes).all() or float(seen.slopes.norm()) == 0:
            continue
        basis = _basis(seen.slopes)
        widths = max(widths, basis.shape[1])
        paths.append(path)
        bases.append(basis)
    if not paths:
        return None
    padded = [torch.nn.functional.pad(each, (0, widths - each.shape[1])) for each in bases]
    return Table(bound, drawing, tensors, paths, torch.stack(padded))


def _basis(columns: Tensor) -> Tensor:
    lengths = columns.norm(dim=0)
    kept = columns[:, lengths > 0] / lengths[lengths > 0]
    left, sizes, _ = torch.linalg.svd(kept, full_matrices=False)
    return left[:, sizes > 1e-9]  # type: ignore[no-any-return]


def distance(written: Sequence[Seen], formula: Sequence[Seen]) -> float:
    """How far a loss is from a formula over all examples; infinite where it falls as a term of the formula rises."""
    made = torch.cat([each.slopes[:, 0] for each in written])
    terms = torch.cat([each.slopes for each in formula])
    lengths = terms.norm(dim=0)
    used = lengths > 0
    if not used.any() or not torch.isfinite(made).all() or not torch.isfinite(terms).all():
        return float("inf")
    solved = torch.linalg.lstsq(terms[:, used] / lengths[used], made.unsqueeze(1), driver="gelsd").solution
    weights = torch.zeros(len(lengths), dtype=torch.float64)
    weights[used] = solved.squeeze(1) / lengths[used]
    size = float(made.norm())
    if size == 0 or bool((solved.squeeze(1) < 1e-6 * size).any()):
        return float("inf")
    slope = float((terms @ weights - made).norm()) / size
    values = torch.stack([each.values[0] for each in written])
    if not torch.isfinite(values).all():
        return float("inf")
    expected = torch.stack([each.values @ weights for each in formula])
    rest = (values - expected) - (values - expected).mean()
    spread = float((values - values.mean()).norm())
    value = float(rest.norm()) / max(spread, 1e-12)
    return max(slope, value) if spread > 1e-9 else slope


def closest(table: Table, written: Sequence[Seen], limit: float) -> tuple[int, ...] | None:
    """The variant that a loss is, within a relative difference."""
    for path in table.near(written[0].slopes[:, 0], limit):
        if distance(written, table.variant(path)) < limit:
            return path
    return None
