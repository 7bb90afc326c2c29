"""CONTRACT.md 26: the number is the API. A value that changes here is a breaking change, for CHANGELOG.

`python tests/test_golden.py` adds the values of new losses, and of those whose row was deleted.
"""

import json
from pathlib import Path

import pytest
import torch

from cases import CASES
from inputs import Case, Shape

STORED = Path(__file__).parent / "golden"
FAMILIES = sorted({case.entry.family for case in CASES})


def stored(family: str) -> dict[str, dict[str, float]]:
    path = STORED / f"{family}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def fixed(case: Case):
    """Inputs without a random generator: sines, which no release of PyTorch changes."""
    given = case.given(Shape(2, 3, (4,)))
    if not case.waves:
        return list(given.tensors)
    tensors = []
    for position, (tensor, shaped) in enumerate(
        zip(given.tensors, case.given(Shape(2, 3, (4,)), 7).tensors, strict=True)
    ):
        steps = torch.arange(tensor.numel(), dtype=torch.float64).reshape(tensor.shape)
        tensors.append(_like(tensor, shaped, steps, position))
    return tensors


def _like(tensor, shaped, steps, position):
    """Numbers of the same meaning: log-probabilities, distributions, signs, labels, lengths."""
    if tensor.dtype == torch.bool:
        return steps % 3 > 0
    wave = torch.sin(1.7 * steps + position) * 1.5
    both = torch.stack([tensor.double().flatten(), shaped.double().flatten()])
    if not tensor.is_floating_point():
        return _labels(tensor, steps)
    dim = 2 if tensor.dim() == 3 and tensor.shape[0] == 7 else 1
    if tensor.dim() > 1 and torch.allclose(tensor.exp().sum(dim), torch.ones(()).double()):
        return wave.log_softmax(dim)
    if tensor.dim() > 1 and torch.allclose(tensor.sum(1), torch.ones(()).double()):
        hard = bool(((both == 0) | (both == 1)).all())
        soft = wave.softmax(1)
        return torch.nn.functional.one_hot(soft.argmax(1), 3).movedim(-1, 1).double() if hard else soft
    if bool((both.abs() == 1).all()):
        return torch.where(wave > 0, 1.0, -1.0).double()
    if bool(((both == 0) | (both == 1)).all()):
        return (wave > 0.3).double()
    if bool((both == both.floor()).all()):
        return (wave.abs() * 3).floor()
    return wave.abs() + 0.2 if bool((both > 0).all()) else wave


def _labels(tensor, steps):
    if bool((tensor == -1).any()):  # lists of labels, closed by -1
        return torch.tensor([[1, -1, -1], [2, 0, -1]])
    if tensor.dim() == 1 and int(tensor.max()) > 3:
        return torch.tensor([7, 6])
    if tensor.dim() == 1:
        return torch.tensor([2, 1])
    if tensor.shape == (2, 2):
        return torch.tensor([[1, 2], [2, 1]])
    return (steps * 5 // 3).long() % 3


def values(case: Case) -> dict[str, float]:
    found = {}
    for reduction in [r for r in ("mean", "sum") if r in case.reductions]:
        tensors = fixed(case)
        tensors[0].requires_grad_()
        value = case(reduction=reduction)(*tensors)
        (gradient,) = torch.autograd.grad(value, tensors[0])
        found[reduction] = value.item()
        found[f"{reduction} gradient"] = gradient.pow(2).sum().sqrt().item()
    return found


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_number_is_the_api(case):
    known = stored(case.entry.family)
    assert str(case) in known, (
        f"{case} has no golden value: run `python tests/test_golden.py` and review what it adds to "
        f"tests/golden/{case.entry.family}.json"
    )
    found = values(case)
    for name, value in known[str(case)].items():
        assert found[name] == pytest.approx(value, rel=1e-10, abs=1e-12), name


def test_no_loss_has_gone():
    assert {path.stem for path in STORED.glob("*.json")} <= set(FAMILIES)
    for family in FAMILIES:
        assert stored(family).keys() <= {str(case) for case in CASES if case.entry.family == family}


if __name__ == "__main__":
    for family in FAMILIES:
        cases = {str(case): case for case in CASES if case.entry.family == family}
        known = stored(family)
        for name in cases.keys() - known.keys():
            known[name] = values(cases[name])
            print(f"{name} is added to tests/golden/{family}.json")
        rows = ",\n".join(f" {json.dumps(name)}: {json.dumps(known[name])}" for name in sorted(known))
        (STORED / f"{family}.json").write_text(f"{{\n{rows}\n}}\n")
