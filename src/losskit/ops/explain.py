"""Reports which operators compute a loss on given tensors, in how many passes, and why not others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from losskit.ops.choice import PassRecord, recorded


class Explanation:
    """The passes of a call over its input: printable, and iterable as `PassRecord`."""

    def __init__(self, name: str, passes: list[PassRecord]) -> None:
        self.name = name
        self.passes = passes

    def __iter__(self) -> Iterator[PassRecord]:
        return iter(self.passes)

    def __len__(self) -> int:
        return len(self.passes)

    def __str__(self) -> str:
        if not self.passes:
            return f"{self.name}: no fused operator; its formula runs as plain PyTorch, element by element"
        count = "one pass" if len(self.passes) == 1 else f"{len(self.passes)} passes"
        return "\n".join([f"{self.name}: {count} over the input", *(f"  {one}" for one in self.passes)])

    __repr__ = __str__


def explain(criterion: nn.Module, *tensors: Tensor, **arguments: Any) -> Explanation:
    """Call the criterion once and report its operators, its number of passes, and why other operators were not used.

    `LOSSKIT_BACKEND=reference`, `native` or `triton` forces one, for debugging.
    """
    with recorded() as passes:
        criterion(*tensors, **arguments)
    name = getattr(criterion, "name", None)
    return Explanation(name if isinstance(name, str) else type(criterion).__name__, passes)
