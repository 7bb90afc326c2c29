"""Random formulas evaluated in C, against PyTorch in float64: `make fuzz`; the tests run a few of them."""

import argparse
import time
from collections import Counter

import torch

from losskit.ops import agreement, formula
from losskit.ops.programs import structure_of
from losskit.ops.tape import Untraceable
from own_formulas import drawn, in_c

POINTS = torch.cat([torch.linspace(-4, 4, 17), torch.tensor([0.3, 1e-12, -1e-12, 40.0, -40.0])]).double()
X, T = (axis.contiguous() for axis in torch.cartesian_prod(POINTS, POINTS).unbind(1))
NEAR = 1e-12  # shift of the points; a result that changes by more is as uncertain


def by_torch(written, x):
    x = x.detach().clone().requires_grad_()
    value = written(x, T)
    return value.detach(), torch.autograd.grad(value.sum(), x)[0]


def wrong(seed):
    """The difference found for the formula of a seed, the reason why it has no tape, or an empty text."""
    written, steps = drawn(seed, 2)

    def form(tensors, numbers):
        return written(*tensors)

    try:
        (program,) = formula.specialize(formula.record(form, 2, {}, "elements"), {})
        structure_of(program)
        agreement.check([program], form, {}, "elements", [], 1)
    except Untraceable as reason:
        return f"refused: {reason}"
    value, slope = by_torch(written, X)
    doubts = [torch.zeros_like(value), torch.zeros_like(slope)]
    for side in (1 + NEAR, 1 - NEAR):
        for k, moved in enumerate(by_torch(written, X * side)):
            doubts[k] += (moved - (value, slope)[k]).abs()
    total, found = in_c(program, X, T)
    sure = doubts[1].isfinite()
    far = (found - slope).abs() > 1e-9 * slope.abs() + 4 * doubts[1] + 1e-11
    if bool((sure & slope.isfinite() & (far | found.isnan())).any()) or bool(
        (sure & (slope.isnan() != found.isnan())).any()
    ):
        return f"slope of {steps}"
    doubt = 1e-9 * value.abs().sum() + 4 * doubts[0].sum() + 1e-9
    if bool(doubt.isfinite() & ~((total - value.sum()).abs() <= doubt)):
        return f"value of {steps}"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--formulas", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    start, found = time.perf_counter(), Counter()
    for seed in range(given.first, given.first + given.formulas):
        what = wrong(seed)
        found[what if what.startswith("refused") else "wrong" if what else "equal"] += 1
        if what and not what.startswith("refused"):
            print(f"seed {seed}: {what}")
    print(f"{given.formulas} formulas in {time.perf_counter() - start:.0f} s")
    for what, count in found.most_common():
        print(f"{count:6} {what}")
    return bool(found["wrong"])


if __name__ == "__main__":
    raise SystemExit(main())
