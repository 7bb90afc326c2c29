"""The C kernels with many threads: the same bits for any number, called at the same time, and after a fork."""

import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from losskit import functional
from operators import LEVELS, LINKS, Case, drawn_coefficients, given, run

THREADS = (1, 2, 3, 5)


@pytest.fixture(autouse=True)
def as_many_threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


LARGE = [
    Case("sigmoid", 3, 2, (40_003,), columns="all"),
    Case("sigmoid", 8, 1, (64, 257), target_dtype="uint8", columns="index"),
    Case("sigmoid", 2, 5, (111, 123), weight="float32", mask=True, columns="region", dtype="bfloat16"),
    Case("softmax", 2, 19, (77, 79), columns="index"),
    Case("softmax", 1, 150, (3001,), target_dtype="uint8", ignore=255, columns="formulas"),
    Case("softmax", 2, 6, (10_007,), target_dtype="float32", soft=True, columns="all", layout="channels last"),
    Case("softmax", 4001, 33, (), columns="log", pooled=True),
]


@pytest.mark.parametrize("level", LEVELS, ids=["plain", "avx2", "avx512"])
@pytest.mark.parametrize("pooled", [False, True], ids=["apart", "pooled"])
def test_the_bits_are_the_same_for_any_number_of_threads(level, pooled):
    for case in LARGE:
        case = case._replace(level=level, pooled=pooled or case.pooled)
        g = given(case)
        shape = (1 if case.pooled else case.n, case.c, len(g.columns))
        coefficients = drawn_coefficients(case)(torch.empty(shape))
        found = []
        for threads in THREADS:
            torch.set_num_threads(threads)
            found.append(run(case, g, coefficients)[:2])
        for totals, gradient in found[1:]:
            assert torch.equal(totals, found[0][0])
            assert torch.equal(gradient, found[0][1])


def value_and_gradient(link, x, target):
    x = x.detach().requires_grad_()
    loss = functional.dice_ce_loss if link == "softmax" else functional.dice_bce_loss
    value = loss(x, target)
    value.backward()
    return value.detach(), x.grad


@pytest.mark.parametrize("link", LINKS)
def test_calls_at_the_same_time_do_not_disturb_each_other(link):
    each = []
    for seed in range(8):
        g = given(Case(link, 2, 4 if link == "softmax" else 1, (20_011,), seed=seed))
        each.append((link, g.input, g.target))
    alone = [value_and_gradient(*one) for one in each]

    def with_threads(one):
        torch.set_num_threads(2)
        return value_and_gradient(*one)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(with_threads, each * 5))
    for k, (value, gradient) in enumerate(together):
        assert torch.equal(value, alone[k % len(each)][0])
        assert torch.equal(gradient, alone[k % len(each)][1])


FORK = """
    import os, signal, time, torch
    from losskit import functional
    from losskit.ops import choice

    torch.set_num_threads(2)
    x, target = torch.randn(2, 4, 20_011, requires_grad=True), torch.randint(0, 4, (2, 20_011))

    def both():
        x.grad = None
        value = functional.dice_ce_loss(x, target)
        value.backward()
        return value.item(), x.grad.numpy().tobytes()  # PyTorch itself cannot compare in a child: OpenMP hangs there

    with choice.recorded() as passes:
        value, gradient = both()
    assert [each.operator for each in passes] == ["native"], passes
    child = os.fork()
    if not child:
        again, same = both()
        os._exit(0 if (value, gradient) == (again, same) else 3)
    for _ in range(600):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.05)
    else:
        os.kill(child, signal.SIGKILL)
        raise SystemExit("the child hangs")
    again, same = both()
    assert (value, gradient) == (again, same)
    raise SystemExit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_child_computes_the_same_after_a_fork():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FORK)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
