"""build: a loss from a line of text or from a config, for command lines and settings files.

The text is parsed and walked, never evaluated: names, numbers, options, + - * / and parentheses are its whole grammar.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload

from torch import nn

from losskit.building.config import from_config
from losskit.building.evaluating import Evaluation
from losskit.building.references import Reference
from losskit.building.text import Text
from losskit.core.domains import quoted
from losskit.core.loss import Loss
from losskit.core.operands import as_loss

M = TypeVar("M", bound=nn.Module)


@overload
def build(loss: M, *, references: bool = False) -> M: ...  # type: ignore[overload-overlap]
@overload
def build(loss: str | Mapping[str, Any] | Callable[..., Any], *, references: bool = False) -> Loss: ...
def build(loss: Any, *, references: bool = False) -> nn.Module:
    """Build a loss from text or from a config; a loss or a module is returned as it is.

    Text names losses by class, function or short name, with options, and adds and scales them::

        losskit.build("dice + 0.5 * focal(gamma=2)")

    With `references=True` text also names a class or a function in a file or a module. Building it imports and runs
    that code, so pass it only for text that you trust as you trust code::

        losskit.build("bce + my_losses.py:my_dice(smooth=0.5)", references=True)
        losskit.build("torch.nn:HuberLoss(delta=2.0) / 2", references=True)

    A config is a mapping, as JSON, YAML or TOML give it. It names a loss and its options, or a sum::

        {"loss": "dice", "smooth": 1.0}
        {"dice": {"smooth": 1.0}}                                   # the same
        {"sum": [{"loss": "dice"}, {"weight": 0.5, "loss": "focal", "gamma": 2}]}

    A config accepts text wherever it accepts a loss: `{"sum": ["dice", "0.5 * focal"]}`. Raises a ValueError that
    points at the place for anything that does not describe a loss, and for text of more than 10 000 characters.
    """
    if isinstance(loss, nn.Module):
        return loss
    if isinstance(loss, str):
        return Evaluation(loss, references).loss()
    if isinstance(loss, Mapping):
        return from_config(loss, "", references)
    if isinstance(loss, type) and issubclass(loss, nn.Module):
        raise TypeError(f"build takes a loss; got the class {loss.__name__}. Pass {loss.__name__}().")
    if callable(loss):
        return as_loss(loss)
    advice = ' For a sum pass {"sum": [...]}.' if isinstance(loss, Sequence) else ""
    raise TypeError(f"build takes text, a config or a loss; got {quoted(loss)}.{advice}")


def split(text: str) -> list[str]:
    """The losses of a comma-separated list, each as its text: "dice, focal(gamma=2)" is two."""
    parsed = Text(text)
    root = parsed.parse()
    if not isinstance(root, ast.Tuple):
        return [parsed.text]
    return [parsed.text[slice(*parsed.span(node))] for node in root.elts]


def reference_of(text: str) -> Reference | None:
    """The reference that is the whole text, such as `my_losses.py:my_dice`; None for any other text."""
    parsed = Text(text)
    whole = parsed.references.get(0)
    return whole if whole and set(parsed.code) == {"_"} else None
