"""CONTRACT.md 20: more than 2^31 elements. Bfloat16 logits and uint8 labels, about 11 GiB with the gradient."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

GIB = 2**30
SCRIPT = """
    import sys, torch
    from losskit import functional
    from losskit.ops import choice

    link = sys.argv[1]
    length = 1_000_003  # of a pattern: no tile begins where another one did
    classes = 1 if link == "sigmoid" else 2
    times = 2**31 // (classes * length) + 2
    pattern = torch.randn(1, classes, length, generator=torch.Generator().manual_seed(0)).bfloat16()
    labels = torch.randint(0, 2, (1, length), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    loss = functional.dice_bce_loss if link == "sigmoid" else functional.dice_ce_loss

    def value_and_gradient(x, target):
        x.requires_grad_()
        value = loss(x, target)
        value.backward()
        return value.item(), x.grad

    # every total is `times` that of the pattern: Dice and a mean stay what they are, and each slope shrinks by as much
    wanted, slope = value_and_gradient(pattern.double(), labels)
    x = torch.empty(1, classes, times * length, dtype=torch.bfloat16)
    target = torch.empty(1, times * length, dtype=torch.uint8)
    x.view(classes, times, length).copy_(pattern[0].detach().unsqueeze(1))
    target.view(times, length).copy_(labels)
    assert x.numel() > 2**31
    with choice.recorded() as passes:
        value, gradient = value_and_gradient(x, target)
    assert [each.operator for each in passes] == ["native"], passes
    assert abs(value - wanted) < 1e-6 * wanted, (value, wanted)
    slope = (slope[0] / times).float()
    allowed = 2.0**-8 * slope.abs() + 1e-4 * slope.abs().max()  # bfloat16, and what cancels
    gradient = gradient.view(classes, times, length)
    for i in range(times):
        if i and torch.equal(gradient[:, i], gradient[:, 0]):
            continue
        error = (gradient[:, i].float() - slope).abs_()
        assert bool((error <= allowed).all()), (i, error.max())
"""


def available():
    """Bytes that can be had without anything being killed."""
    info = Path("/proc/meminfo")
    if not info.exists():
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    lines = dict(line.split(":") for line in info.read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024


@pytest.mark.slow
def test_more_than_two_to_the_31_elements_give_the_right_answer():
    for link in ("sigmoid", "softmax"):  # one after the other: both at once would need twice the memory
        free, needed = available(), 12 * GIB
        assert free > needed, (
            f"this test needs {needed / GIB:.0f} GiB of free memory and {free / GIB:.1f} are: free some, or pass "
            '-m "not large"'
        )
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", textwrap.dedent(SCRIPT), link],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, link + done.stderr[-3000:]
