"""CONTRACT.md 15: no pair of options takes a label loss below its least value, for any prediction."""

from itertools import combinations, product
from typing import Literal, get_args, get_origin

import pytest
import torch

from cases import LABELLED
from domains import APART, accepted
from effort import one_in
from inputs import Shape

SHAPE = Shape(3, 3, (4,))
ELSE = {"lovasz_loss", "nll_loss"}  # of hard labels, and of log-probabilities
CASES = [c for c in LABELLED if c.kind in ("binary", "multilabel", "soft") and not c.hard and c.entry.name not in ELSE]
# Two subtract the Dice score and the square of an alpha, one takes half the logarithm of 5e-4.
LEAST = {"combo_loss": -1.0, "aucm_loss": -100.0, "rmi_loss": -3.81}


def values(option):
    """A few values of an option, or none if its values depend on the input."""
    annotation = option.domain.annotation
    if annotation is bool:
        return (False, True)
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if isinstance(option.default, float):
        found = [value for value in (0.0, 0.3, 0.75, 1.0, 2.0) if accepted(option, value)]
        return found[:: max(1, len(found) // 3)]
    return ()


def predictions(case):
    """Logits near and far, and those at which p = t."""
    generator = torch.Generator().manual_seed(0)
    input, target = case.given(SHAPE, 3, torch.float64).tensors
    target = torch.rand(target.shape, generator=generator, dtype=torch.float64) * (target != 0.123)
    target = target / target.sum(1, keepdim=True) if case.kind == "soft" else target
    same = target.log() if case.kind == "soft" else target.logit()
    yield same, target
    for scale in (0.1, 1.0, 10.0, 100.0):
        yield same + scale * torch.randn(input.shape, generator=generator, dtype=torch.float64), target


@pytest.mark.parametrize("case", one_in(3, CASES))
def test_no_pair_of_options_has_a_value_below_the_least(case):
    known = {n: values(o) for n, o in case.loss.options.items() if n not in {*APART, *case.options}}
    pairs = list(combinations([name for name in known if known[name]], 2)) or [()]
    tried = 0
    for names in pairs:
        for chosen in product(*(known[name] for name in names)):
            options = dict(zip(names, chosen, strict=True))
            if options.get("squared") and options.get("overlap") == "l1":
                with pytest.raises(ValueError, match="no lower bound"):
                    case(**options)
                continue
            loss = case(**options)
            for input, target in predictions(case):
                value = loss(input, target)
                assert value >= LEAST.get(case.entry.name, 0.0) - 1e-12, (options, value)
                tried += 1
    assert tried
