"""The parts of losskit compare: its data, its checks of the user's, its scores, training, statistics and file."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from losskit.commands import app
from losskit.experiment import comparison, training
from losskit.experiment.ranking import interval, rank, verdict
from losskit.experiment.results import Results
from losskit.experiment.runs import reason, source_digest
from losskit.experiment.scores import image_dice, predict, score
from losskit.experiment.tasks.task import DICE, VOID, Data, Split


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--losses", "dice, focall"], "'focall': There is no loss called 'focall'; did you mean \"focal"),
        (["--losses", "dice, nowhere.py:mine"], "There is no file nowhere.py"),
        (["--losses", ""], "There is no loss"),
        (["--task", "coins"], "There is no task 'coins'; choose scenes, scenes-3d, digits-noisy, "),
        (["--images", "."], "--images needs --masks as well"),
        (["--images", ".", "--masks", ".", "--task", "scenes"], "give one of them"),
        (["--images", "nowhere", "--masks", "."], "--images nowhere is no folder"),
        (["--seeds", "0"], "--seeds is a number above 0; got 0"),
        (["--jobs", "-1"], "--jobs is a number above 0; got -1"),
        (["--out", "taken"], "--out taken cannot be made a folder"),
    ],
)
def test_a_bad_request_says_what_to_do_and_exits_2(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").touch()
    result = CliRunner().invoke(app, ["compare", *arguments])
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.split())
    assert not (tmp_path / "losskit-compare" / "results.jsonl").exists()


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr(comparison, "EXTRAS", ("json", "no_such_package"))
    with pytest.raises(ImportError, match=r'needs no_such_package: pip install "losskit\[compare\]"'):
        comparison.compare()


def test_importing_it_imports_no_extra():
    code = "import sys, losskit.experiment; print(set(sys.modules) & set(sys.argv[1:]))"
    extras = [*comparison.EXTRAS, "rich", "typer"]
    result = subprocess.run([sys.executable, "-c", code, *extras], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("predicted", "true", "expected"),
    [
        ([0, 0, 0, 0], [0, 0, 0, 0], 1.0),  # rightly empty
        ([1, 0, 0, 0], [0, 0, 0, 0], 0.0),  # a false positive
        ([1, 1, 0, 0], [1, 0, 0, 1], 2 * 1 / (2 + 2)),
        ([1, 1, 2, 0], [1, 1, 0, 0], (1 + 0) / 2),  # class 2 is predicted, so it counts
        ([1, 1, 0, 0], [1, VOID, 0, 0], 1.0),
    ],
)
def test_image_dice(predicted, true, expected):
    assert image_dice(torch.tensor([predicted]), torch.tensor([true])) == pytest.approx(expected)


def test_scores_of_binary_segmentation():
    truths = [torch.tensor([[[1.0, 1.0]]]), torch.tensor([[[0.0, 0.0]]]), torch.tensor([[[0.0, 0.0]]])]
    split = Split([torch.zeros(1, 1, 2)] * 3, truths)
    predictions = [torch.tensor([[1, 0]]), torch.tensor([[0, 1]]), torch.tensor([[0, 0]])]
    # (2/3 + 0 + 1) / 3, and one of the two empty images has a false positive
    assert score(predictions, split) == pytest.approx({"dice": 5 / 9, "empty_with_false_positive": 1 / 2})
    assert score(predictions[:1], Split(split.inputs[:1], truths[:1]))["empty_with_false_positive"] is None


def test_predictions_of_images_of_several_sizes():
    images = [torch.full((1, 2, side), value) for side, value in ((3, 1.0), (3, -1.0), (4, 2.0), (3, 1.0))]
    predictions = predict(nn.Identity(), images)
    assert [tuple(p.shape) for p in predictions] == [(2, 3), (2, 3), (2, 4), (2, 3)]
    assert [int(p.max()) for p in predictions] == [1, 0, 1, 1]


def small_run(loss="bce"):
    return training.Run(loss, 0, epochs=2, batch_size=8, learning_rate=1e-3, patience=60, data="")


def small_data():
    generator = torch.Generator().manual_seed(0)
    images = [torch.randn(1, 8 + index, 9, generator=generator) for index in range(12)]
    split = Split(images, [(image > 0).float() for image in images])
    return Data(split, split, split, classes=1)


class Spy(nn.Module):
    """Mean squared error times a weight, remembering what it is given."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))
        self.given: list[tuple[torch.Tensor, torch.Tensor]] = []

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        self.given.append((input.detach().clone(), target))
        return self.weight * (input - target).square().mean()


@pytest.fixture
def spies(monkeypatch):
    """Two losses, trained."""
    made = [Spy(1.0), Spy(2.0)]
    for spy in made:
        monkeypatch.setattr(training, "build", lambda _, spy=spy: (torch.rand(7), spy)[1])
        training.train(small_run(), small_data(), lambda: None, lambda epoch: None)
    return made


def test_every_loss_starts_alike_and_sees_the_same_batches(spies):
    assert torch.equal(spies[0].given[0][0], spies[1].given[0][0])
    assert not torch.equal(spies[0].given[-1][0], spies[1].given[-1][0])
    assert len(spies[0].given) == 4
    for one, other in zip(spies[0].given, spies[1].given, strict=True):
        assert torch.equal(one[1], other[1])
        assert one[1].shape[2:] == (8, 9)  # cut to the smallest


def test_parameters_of_a_loss_are_trained(spies):
    assert spies[0].weight.item() < 1 - 1e-4


@pytest.mark.parametrize(
    ("loss", "error", "said"),
    [
        (lambda logits, target: (logits - target).abs(), TypeError, r"returned shape \(2, 1, 2, 2\)"),
        (lambda logits, target: 0.5, TypeError, "returned float"),
        (lambda logits, target: logits.mean() / 0, FloatingPointError, "became inf at step 3 of 9"),
        (lambda logits, target: (logits * 0).sqrt().sum(), FloatingPointError, "gradient .* step 3 of 9"),
        (lambda logits, target: logits.detach().mean().requires_grad_(), RuntimeError, "no gradient"),
    ],
)
def test_a_loss_that_cannot_train_says_why(loss, error, said):
    with pytest.raises(error, match=said):
        training.backward(torch.ones(2, 1, 2, 2), torch.zeros(2, 1, 2, 2), loss, "at step 3 of 9")


@pytest.mark.parametrize(
    ("said", "code", "expected"),
    [
        ("Traceback ...\n  x\nmine.BadError: no\nmore", 1, "mine.BadError: no"),
        ("Warning: slow", -11, "its process was ended by signal 11"),
        ("", 3, "its process ended with exit code 3"),
        (
            'Timeout (0:00:09)!\nThread 0x1 (most recent call first):\n  File "a.py", line 1 in waits\n\n'
            'Thread 0x2 (most recent call first):\n  File "/b/mine.py", line 7 in spins\n  File "c.py", line 9 in f',
            1,
            "no step finished within 9 seconds, in spins (mine.py, line 7)",
        ),
    ],
)
def test_why_a_process_ended(said, code, expected):
    assert reason(said, code, patience=9.0) == expected


def runs_of(loss, values):
    cost = {"step_ms": 1.0, "loss_ms": 0.1, "peak_memory_mib": None}
    return [{"loss": loss, **cost, "seed": seed, "scores": {"dice": value}} for seed, value in enumerate(values)]


def test_t_interval_by_hand():
    found = interval([1.0, 2.0, 3.0])  # t(0.975, 2) = 4.302653, standard error 1 / sqrt(3)
    assert (found.mean, found.low, found.high) == pytest.approx((2, 2 - 2.484138, 2 + 2.484138), abs=1e-5)
    assert interval([0.5]).low is None


def test_a_planted_gap_is_found_through_noise_that_seeds_share():
    noise = np.random.default_rng(0).normal(0, 0.1, 5)
    own = np.random.default_rng(1).normal(0, 0.005, (2, 5))
    standings = rank(runs_of("low", 0.5 + noise + own[0]) + runs_of("high", 0.55 + noise + own[1]), [DICE])
    assert [(each.loss, each.ties) for each in standings] == [("high", True), ("low", False)]
    assert verdict(standings, DICE).startswith("high is best: mean image Dice 0.5")


@pytest.mark.parametrize("count", [2, 5])
def test_losses_that_are_alike_are_seldom_told_apart(count):
    rng = np.random.default_rng(0)
    separated = 0
    for _ in range(300):
        records = [run for loss in range(count) for run in runs_of(str(loss), rng.normal(0.7, 0.02, 5))]
        separated += not all(each.ties for each in rank(records, [DICE]))
    assert separated / 300 <= 0.05 + 2 * (0.05 * 0.95 / 300) ** 0.5  # two standard errors of 300 repeats


def test_verdict_of_a_tie():
    standings = rank(
        runs_of("a", [0.70, 0.74, 0.72]) + runs_of("b", [0.71, 0.72, 0.72]) + runs_of("c", [0.5, 0.54, 0.52]), [DICE]
    )
    assert verdict(standings, DICE) == (
        "a and b cannot be told apart at the top (mean image Dice of a: 0.720 [0.670, 0.770]); "
        "the others are behind by 0.200 or more."
    )


def test_results_are_kept_moved_or_tried_again(tmp_path):
    results = Results(tmp_path)
    for record in ({"n": 1}, {"n": 2}, {"n": 3, "failure": "why"}):
        results.append(record)
    with results.path.open("a") as file:
        file.write('{"n": 4')
    assert results.keep(lambda record: record["n"] == 1) == [{"n": 2}]
    assert results.read() == [{"n": 1}]
    assert json.loads(results.aside.read_text()) == {"n": 2}


def test_a_file_of_the_user_that_changed_is_noticed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("mine.py").write_text("a = 1")
    texts = ["dice + mine.py:a(x=1)", "2 * mine:a", "'mine.py':a"]
    before = [source_digest(text) for text in texts]
    Path("mine.py").write_text("a = 2")
    assert all(was != source_digest(text) for was, text in zip(before, texts, strict=True))
    assert source_digest("dice") == source_digest("bce + focal(gamma=2)")
