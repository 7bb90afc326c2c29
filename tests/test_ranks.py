"""Losses over 2 and 3 real processes, and over their micro-batches, against one machine."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn

from losskit import CrossEntropyLoss, DiceLoss, LovaszLoss, TopKLoss
from losskit.distributed import micro_batches, sync
from ranks import AVERAGED, CASES, GRADIENTS, Outcome, process, whole, whole_score

Found = list[dict[tuple[Any, ...], Any]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What each of three processes found; the first two also work as a group of their own."""
    folder = tmp_path_factory.mktemp("ranks")
    spawn(process, args=(3, str(folder)), nprocs=3)  # type: ignore[no-untyped-call]
    return [torch.load(Path(folder) / f"{rank}.pt", weights_only=False) for rank in range(3)]


def tolerance(dtype: torch.dtype) -> float:
    return 1e-12 if dtype == torch.float64 else 1e-6


def distance(a: list[Tensor], b: list[Tensor]) -> float:
    """The relative distance of two gradients."""
    left, right = (torch.cat([t.double().flatten() for t in tensors]) for tensors in (a, b))
    return float((left - right).norm() / right.norm())


def added(outcomes: list[Outcome], which: int) -> list[Tensor]:
    return [torch.stack(grads).sum(0) for grads in zip(*(o[which] for o in outcomes), strict=True)]


def cases(found: Found) -> list[tuple[str, torch.dtype, Any, list[dict[str, Any]]]]:
    return [(*case, [rank[case] for rank in found[: len(case[2])]]) for case in found[0]]


def test_every_process_has_the_loss_and_gradient_of_the_whole(found: Found) -> None:
    for name, dtype, split, ranks in cases(found):
        value, gradient, _ = whole(name, dtype)
        for rank in ranks:
            assert rank["mean"][0] == pytest.approx(value, rel=tolerance(dtype)), (name, split)
            assert rank["sum"][0] == pytest.approx(value, rel=tolerance(dtype)), (name, split)
            assert rank["evaluation"] == pytest.approx(value, rel=tolerance(dtype)), (name, split)
            assert distance(rank["mean"][1], gradient) < tolerance(dtype), (name, split)
            # DistributedDataParallel averages; what a framework that adds would have is its sum.
            summed = [g * len(ranks) for g in rank["sum"][1]]
            assert distance(summed, gradient) < tolerance(dtype), (name, split)


def test_parameters_of_the_criterion(found: Found) -> None:
    for name, dtype, split, ranks in cases(found):
        _, _, gradient = whole(name, dtype)
        assert bool(gradient) == name.startswith("learned"), name
        if gradient:
            for kind in ("mean", "micro mean"):
                for rank in ranks:  # whole on every process: averaging changes nothing
                    assert distance(rank[kind][2], gradient) < 1e-12, (name, split, kind)
            for kind in ("sum", "micro sum"):
                assert distance(added([rank[kind] for rank in ranks], 2), gradient) < 1e-12, (name, split, kind)


def test_micro_batches_of_every_process(found: Found) -> None:
    for name, dtype, split, ranks in cases(found):
        if CASES[name].call:
            continue
        value, gradient, _ = whole(name, dtype)
        values = {kind: [rank[f"micro {kind}"][0] for rank in ranks] for kind in ("mean", "sum")}
        assert sum(values["mean"]) / len(ranks) == pytest.approx(value, rel=tolerance(dtype)), (name, split)
        assert sum(values["sum"]) == pytest.approx(value, rel=tolerance(dtype)), (name, split)
        for rank in ranks:
            assert distance(rank["micro mean"][1], gradient) < tolerance(dtype), (name, split)
            summed = [g * len(ranks) for g in rank["micro sum"][1]]
            assert distance(summed, gradient) < tolerance(dtype), (name, split)


def test_averaging_per_process_losses_is_another_gradient(found: Found) -> None:
    """What sync is for, and that these tests can tell."""
    for name, dtype, split, ranks in cases(found):
        if name in AVERAGED and split != (0, 8):
            _, gradient, _ = whole(name, dtype)
            error = distance(ranks[0]["averaged"][1], gradient)
            print(f"{name}, {split}: averaging is off by {error:.0%}")
            assert error > 0.05, (name, split)


def test_parts_are_those_of_the_whole(found: Found) -> None:
    for name, dtype, split, ranks in cases(found):
        if name == "dice + ce":
            assert list(ranks[0]["parts"]) == ["dice", "ce", "focal"]
            weights = {"dice": 1.0, "ce": 1.0, "focal": 0.5}
            total = sum(weights[n] * v for n, v in ranks[-1]["parts"].items())
            assert total == pytest.approx(whole(name, dtype)[0], rel=tolerance(dtype)), split


def test_the_score_is_that_of_the_whole(found: Found) -> None:
    scored = set()
    for name, dtype, split, ranks in cases(found):
        score = whole_score(name, dtype)
        for rank in ranks if score is not None else ():
            assert rank["score"] == pytest.approx(score, rel=tolerance(dtype)), (name, split)
            scored.add(name)
    assert scored == {"dice", "dice skip", "dice batch", "dice batch multilabel", "tversky batch sum"}
    with pytest.raises(TypeError, match="CrossEntropyLoss has no score; losses of regions have one"):
        sync(CrossEntropyLoss()).score(torch.zeros(1, 3), torch.zeros(1, dtype=torch.long))


def test_a_group_that_is_missing_is_named(tmp_path: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    try:
        stored = pickle.dumps(sync(DiceLoss(), dist.new_group([0])))
        everyone = pickle.loads(pickle.dumps(sync(DiceLoss(), dist.group.WORLD)))
    finally:
        dist.destroy_process_group()
    x, t = torch.randn(2, 3, 4), torch.randint(0, 3, (2, 4))
    assert everyone(x, t) == DiceLoss()(x, t)
    criterion = pickle.loads(stored)
    assert repr(pickle.loads(pickle.dumps(criterion))) == repr(criterion)
    for twin in (criterion, pickle.loads(pickle.dumps(criterion)), copy.deepcopy(criterion)):
        with pytest.raises(RuntimeError, match=r"process group '\d+' of ranks \[0\].*Set its `group`"):
            twin(x, t)
        twin.group = None
        assert twin(x, t) == DiceLoss()(x, t)


def test_losses_without_sums_say_what_they_do() -> None:
    def own(output: Tensor, target: Tensor) -> Tensor:
        return output.sum()

    for criterion, said in (
        (LovaszLoss(pool="batch"), "ranks the elements of its own batch"),
        (
            CrossEntropyLoss() + TopKLoss(CrossEntropyLoss()),
            "TopKLoss.*hardest elements are those of each rank's own batch",
        ),
        (DiceLoss() + own, "own has no sums.*each rank computes it on its own batch"),
        (nn.CrossEntropyLoss(), "each rank computes it on its own batch"),
    ):
        with pytest.raises(TypeError, match=said):
            sync(criterion)
        with pytest.raises(TypeError, match=said):
            micro_batches(criterion, nn.Identity(), [])
    with pytest.raises(ValueError, match="gradients must be one of 'mean', 'sum'"):
        sync(DiceLoss(), gradients="avg")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="reduction='none' leaves nothing to add"):
        sync(DiceLoss(reduction="none"))
    with pytest.raises(TypeError, match="compose first, then sync"):
        (sync(DiceLoss()) + CrossEntropyLoss()).totals(torch.zeros(1), torch.zeros(1))


def test_alone_it_is_the_criterion() -> None:
    """Without processes a script runs as it is."""
    torch.manual_seed(0)
    x, t = torch.randn(3, 4, 5, requires_grad=True), torch.randint(0, 4, (3, 5))
    criterion = DiceLoss() + 0.5 * CrossEntropyLoss()
    for gradients in GRADIENTS:
        exact = sync(criterion, gradients=gradients)
        torch.testing.assert_close(exact(x, t), criterion(x, t))
        found, expected = (torch.autograd.grad(c(x, t), x) for c in (exact, criterion))
        torch.testing.assert_close(found, expected)
    compiled = torch.compile(exact, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, t), criterion(x, t))
