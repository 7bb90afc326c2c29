"""CONTRACT.md 21 and 22: memory saved for the backward pass, peak memory, and the number of passes.

Peak memory is measured by the operating system, with each loss in a separate child process.
"""

import json
import subprocess
import sys
import textwrap

import pytest
import torch

from losskit import functional
from losskit.ops import choice

REGION = ("dice_loss", "jaccard_loss", "tversky_loss")
LOSSES = {
    "binary": (*REGION, "binary_cross_entropy_with_logits", "focal_loss", "dice_bce_loss", "dice_focal_loss"),
    "classes": (*REGION, "cross_entropy", "focal_loss", "dice_ce_loss", "dice_focal_loss"),
}
CASES = [(kind, name) for kind, names in LOSSES.items() for name in names]
FEW = 64 * 1024  # bytes: the tiny tensors of the finish


def inputs(kind, size):
    c = 1 if kind == "binary" else 6
    x = torch.randn(2, c, size, size, requires_grad=True)
    target = torch.randint(0, 2 if c == 1 else c, (2, 1, size, size) if c == 1 else (2, size, size))
    return x, target.to(torch.uint8)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_nothing_of_the_inputs_size_is_saved_but_the_inputs(kind, name):
    x, target = inputs(kind, 160)
    known = {t.untyped_storage().data_ptr() for t in (x, target)}
    saved = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), choice.recorded() as passes:
        value = getattr(functional, name)(x, target)
    value.backward()
    assert sum(saved.values()) < FEW, saved
    assert [each.operator for each in passes] == ["native"]  # a composite too


PEAK = """
    import json, os, resource, sys, torch
    from losskit import functional
    from losskit.ops import native

    torch.set_num_threads(1)
    kind, names, kilobyte = sys.argv[1], sys.argv[2:], 1024 if sys.platform == "linux" else 1
    c, size = (1, 2048) if kind == "binary" else (6, 1024)
    x = torch.empty(2, c, size, size).normal_().requires_grad_()
    target = torch.empty(2, *([1] if c == 1 else []), size, size, dtype=torch.uint8).random_(0, max(2, c))
    small = x[:1, :, :80, :80].detach().requires_grad_(), target[:1, ..., :80, :80]

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kilobyte

    for name in names:
        loss = getattr(functional, name)
        out, into = os.pipe()
        child = os.fork()
        if not child:
            for _ in range(3):
                loss(*small).backward()  # whatever is loaded, or looked at again after a fork, at the first call
            before = peak()
            with torch.no_grad():
                loss(x, target)
            forward = peak() - before
            loss(x, target).backward()
            os.write(into, json.dumps([forward, peak() - before]).encode())
            os._exit(0)
        os.waitpid(child, 0)
        print(json.dumps([name, x.nbytes, *json.loads(os.read(out, 1000))]))
        os.close(out), os.close(into)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.parametrize("kind", LOSSES)
def test_the_peak_is_the_gradient_and_a_megabyte(kind):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(PEAK), kind, *LOSSES[kind]],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each[0] for each in found] == list(LOSSES[kind])
    for name, gradient, forward, both in found:
        assert forward < 2**20, name
        assert both < gradient + 2**20, name
