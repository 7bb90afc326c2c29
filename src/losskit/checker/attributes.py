"""Attributes of a loss that say what it takes: its ignored label, and its number of classes."""

from __future__ import annotations

import math
import re

from torch import Tensor, nn

from losskit.checker.origin import Criterion, Origin
from losskit.checker.uses import source_of

IGNORED = (
    *("ignore_index", "ignore_lb", "ignore_label", "ignore_value", "ignored_index", "ignore_class", "ignore"),
    *("void", "void_label", "void_index", "padding_idx", "pad_idx", "padding_index", "pad_token_id"),
    *("pad_id", "pad_index", "pad_token", "padding_id", "pad_value", "padding_value", "pad"),
)


_OF_LABELS = r"(lb|lbl|labels?|idx|index|class|cls|targets?|values?)"
_IGNORES = rf"{_OF_LABELS}_(to_)?(ignored?|void)|(ignored?|void)_{_OF_LABELS}"  # such as lb_ignore


def ignored_of(criterion: Criterion, origin: Origin) -> tuple[str, int | None]:
    """The option that names the ignored label, and that label."""
    for name in (*IGNORED, *(each for each in origin.options if re.fullmatch(_IGNORES, each))):
        if name in origin.options or hasattr(criterion, name):
            found = getattr(criterion, name, origin.options.get(name))
            known = isinstance(found, int) and not isinstance(found, bool)
            if known or found is None:
                return name, found if known else None
    return "ignore_index", None


def classes_of(criterion: Criterion) -> int | None:
    """The number of classes of a loss, if it stores a number for each."""
    if not isinstance(criterion, nn.Module):
        return None
    held = [*criterion.buffers(), *criterion.parameters(), *vars(criterion).values()]
    sizes = {t.shape[0] for t in held if isinstance(t, Tensor) and t.dim() == 1 and t.shape[0] > 1}
    sizes = sizes or {len(v) for n, v in vars(criterion).items() if re.fullmatch(_LEVELS, n) and _are_shares(v)}
    counts = {
        v for n in ("num_classes", "n_classes", "classes", "cls") if isinstance(v := getattr(criterion, n, None), int)
    }
    found = sizes or {n for n in counts if n > 1}
    return found.pop() if len(found) == 1 else None


_LEVELS = r"_?(quantiles?|quantile_levels|taus?|levels|qs?)"


def _are_shares(held: object) -> bool:
    """Whether an attribute is a list of several numbers between 0 and 1."""
    return isinstance(held, (list, tuple)) and len(held) > 1 and all(isinstance(v, float) and 0 < v < 1 for v in held)


_PARTS = "(tasks|losses|terms|objectives|outputs|heads|scales|stages|levels|layers|positions|views|predictions)"
_TASKS = rf"(num|n)_?{_PARTS}|(task|loss)_?(num|count)|{_PARTS}"


def terms_of(criterion: Criterion) -> int:
    """The number of losses or tensors that a loss combines, if it stores that or something for each; otherwise 2."""
    if not isinstance(criterion, nn.Module):
        return 2
    named = [v for n, v in vars(criterion).items() if re.fullmatch(_TASKS, n.lower()) and type(v) is int and v > 0]
    stored = [
        each for n, each in vars(criterion).items() if n not in vars(nn.Module()) and isinstance(each, (list, tuple))
    ]
    lists = (nn.ParameterList, nn.ParameterDict, nn.ModuleList)
    held = [len(each) for each in [*(m for m in criterion.modules() if isinstance(m, lists)), *stored] if len(each) > 1]
    return next(iter([*named, *held]), classes_of(criterion) or 2)


_SAMPLES = ("batch_size", "batchsize", "bs", "bsz", "n_samples", "num_samples")


def samples_of(criterion: Criterion, origin: Origin) -> int:
    """The number of samples that a loss was made for; 0 if it does not say."""
    stored = vars(criterion) if hasattr(criterion, "__dict__") else {}
    known = (stored.get(name, origin.options.get(name)) for name in _SAMPLES)
    return next((each for each in known if isinstance(each, int) and each > 1), 0)


_WIDTH = r"(?:view|reshape)\(-1, ?(\d+(?: ?\* ?\d+)*)\)"  # x.view(-1, 784)
_WIDEST = 4096


def numbers_in(criterion: Criterion) -> list[int]:
    """The integers in the code of a loss: one may be its number of classes."""
    found = [v for v in vars(criterion).values() if isinstance(v, int)] if hasattr(criterion, "__dict__") else []
    function = criterion.forward if isinstance(criterion, nn.Module) else criterion
    code = getattr(function, "__code__", None)
    found += [v for v in code.co_consts if isinstance(v, int)] if code is not None else []
    widths = [math.prod(map(int, each.split("*"))) for each in re.findall(_WIDTH, source_of(criterion))]
    return [*(v for v in widths if 1 < v <= _WIDEST), *(v for v in found if not isinstance(v, bool) and 1 < v <= 200)]
