"""The parts of losskit compare: requests, scores, thresholds, calibration, gradients, training and early ends."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, brier_score_loss
from torch import nn
from torch.nn import functional as F
from typer.testing import CliRunner

from losskit.cli.commands import app
from losskit.experiment import comparison, training, user_input
from losskit.experiment.decisions import HALF, Decider, predict
from losskit.experiment.gradients import gradient_shares, near_boundary, saved_mib
from losskit.experiment.metrics import BRIER, CLEAN, DICE, PRECISION, THRESHOLD
from losskit.experiment.models import UNet, make_model
from losskit.experiment.runs import reason
from losskit.experiment.scores import calibration_bins, image_dice, over_candidates, regression_scores, score
from losskit.experiment.tasks.task import VOID, Data, InputError, Split


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--losses", "dice, focall"], "'focall': There is no loss called 'focall'; did you mean \"focal"),
        (["--losses", "dice, nowhere.py:mine"], "There is no file nowhere.py"),
        (["--losses", ""], "There is no loss"),
        (["--baseline", "bcee"], "'bcee': There is no loss called 'bcee'"),
        (["--task", "coins"], "There is no task 'coins'; choose scenes, scenes-3d, digits-noisy, "),
        (["--images", "."], "--images needs --masks as well"),
        (["--images", ".", "--masks", ".", "--task", "scenes"], "give one of them"),
        (["--images", "nowhere", "--masks", "."], "--images nowhere is not a folder"),
        (["--blocks", "0"], "--blocks must be a number above 0; got 0"),
        (["--budget", "-1"], "--budget must be a number above 0; got -1"),
        (["--jobs", "-1"], "--jobs must be a number above 0; got -1"),
        (["--rates", "0.1, fast"], "--rates must be learning rates above 0, separated by commas; got '0.1, fast'"),
        (["--rates", "0.1, 0"], "--rates must be learning rates above 0"),
        (["--model", "unet"], "--model unet is not written as file.py:function"),
        (["--model", "nowhere.py:unet"], "There is no file nowhere.py"),
        (["--out", "taken"], "--out taken cannot be created"),
        (["--margin", "0"], "--margin must be a number above 0; got 0"),
        (["--size", "64"], "--size is for your own images"),
    ],
)
def test_a_bad_request_says_what_to_do_and_exits_2(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").touch()
    result = CliRunner().invoke(app, ["compare", *arguments])
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.split())
    assert not (tmp_path / "losskit-compare" / "runs").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"validation": [1]}, "validation= needs train="),
        ({"metric": "dice"}, "metric= is for your own data"),
        ({"train": [], "task": "scenes"}, "give one of them"),
        ({"train": []}, "train has no items"),
        ({"train": 3}, "train must be a pair of arrays"),
        ({"train": (np.zeros((4, 2)), np.zeros((4, 1))), "metric": "dicce"}, "There is no metric 'dicce'; choose dice"),
        ({"train": (np.zeros((4, 2)), np.zeros((4, 1))), "groups": [1]}, "groups has 1 entries for 4 training items"),
        ({"losses": [F.mse_loss, F.mse_loss]}, "Two losses are called mse_loss; name them"),
    ],
)
def test_a_bad_call_says_what_to_do(given, said, tmp_path):
    with pytest.raises(InputError, match=said):
        comparison.compare(**given, out=tmp_path)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr(user_input, "EXTRAS", ("json", "no_such_package"))
    with pytest.raises(ImportError, match=r'needs no_such_package: run `pip install "\.\[compare\]"`'):
        comparison.compare()


def test_importing_it_imports_no_extra():
    code = "import sys, losskit.experiment; print(set(sys.modules) & set(sys.argv[1:]))"
    extras = [*user_input.EXTRAS, "rich", "typer"]
    result = subprocess.run([sys.executable, "-c", code, *extras], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("predicted", "true", "expected"),
    [
        ([0, 0, 0, 0], [0, 0, 0, 0], 1.0),  # correctly empty
        ([1, 0, 0, 0], [0, 0, 0, 0], 0.0),  # a false positive
        ([1, 1, 0, 0], [1, 0, 0, 1], 2 * 1 / (2 + 2)),
        ([1, 1, 2, 0], [1, 1, 0, 0], (1 + 0) / 2),  # class 2 is predicted, so it counts
        ([2, 2, 0, 0], [2, 2, 0, 0], 1.0),  # class 1 is absent, so it does not
        ([1, 1, 0, 0], [1, VOID, 0, 0], 1.0),
        ([1, 1, 0, 0], [VOID] * 4, 1.0),
    ],
)
def test_image_dice(predicted, true, expected):
    assert image_dice(torch.tensor([predicted]), torch.tensor([true])) == pytest.approx(expected)


def binary(logits, masks):
    """Data whose three parts are the same few images of one row, and the outputs of a model for them."""
    targets = [torch.tensor([[mask]]).float() for mask in masks]
    split = Split([torch.zeros(1, 1, len(masks[0]))] * len(masks), targets)
    return Data(split, split, split, classes=1), [torch.tensor([[row]]) for row in logits]


def scores_of(data, outputs, threshold):
    decider = Decider(data)
    curves = over_candidates(outputs, data.test, decider, data.kind)
    return score(outputs, data.test, decider, threshold, curves)


def test_scores_of_binary_segmentation_at_any_threshold():
    data, outputs = binary([[4.0, -4.0], [-4.0, 1.0], [-4.0, -4.0]], [[1, 1], [0, 0], [0, 0]])
    scores = scores_of(data, outputs, HALF)
    # 2 / 3 for the one image with an object; one of the two empty ones has a false positive
    assert scores[DICE.key] == scores["dice_at_half"] == pytest.approx(2 / 3)
    assert scores[CLEAN.key] == 1 / 2
    scores = scores_of(data, outputs, 0.9241)
    assert (scores[DICE.key], scores["dice_at_half"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert (scores[CLEAN.key], scores["empty_left_clean_at_half"], scores[THRESHOLD.key]) == (1, 1 / 2, 0.9241)
    full, found = binary([[4.0, -4.0]], [[1, 1]])
    assert CLEAN.key not in scores_of(full, found, HALF)


@pytest.mark.parametrize("classes", [1, 4])
def test_scores_of_all_thresholds_at_once_are_those_of_image_after_image(classes):
    """Images of several sizes, some empty, some pixels of no known class."""
    generator = torch.Generator().manual_seed(0)
    outputs = [2 * torch.randn(classes, 5, 4 + n % 3, generator=generator) for n in range(12)]
    truth = [
        torch.randint(0, max(classes, 2), out.shape[1:], generator=generator) * (n % 4 > 0)
        for n, out in enumerate(outputs)
    ]
    for each in truth:
        each[0, :2] = VOID
    targets = [each.float()[None] if classes == 1 else each for each in truth]
    split = Split([torch.zeros(1, *each.shape) for each in truth], targets)
    data = Data(split, split, split, classes=classes)
    decider = Decider(data)
    curves = over_candidates(outputs, split, decider, data.kind)
    for threshold, dice, clean in zip(decider.candidates, curves[DICE.key], curves[CLEAN.key], strict=True):
        answers = decider.answers(outputs, threshold)
        held = [bool((each > 0).any()) for each in truth]
        one_by_one = [image_dice(a, t) for a, t, full in zip(answers, truth, held, strict=True) if full]
        assert dice == pytest.approx(np.mean(one_by_one))
        left = [not (a[t != VOID] > 0).any() for a, t, full in zip(answers, truth, held, strict=True) if not full]
        assert clean == np.mean(left)


def test_the_chosen_threshold_is_the_best_and_a_half_where_that_is_as_good():
    data, outputs = binary([[4.0, 1.0], [-4.0, 1.0], [-4.0, -4.0]], [[1, 0], [0, 1], [0, 0]])
    decider = Decider(data)
    scores = over_candidates(outputs, data.validation, decider, data.kind)[DICE.key]
    chosen = decider.choose(scores)
    assert max(scores) == pytest.approx((2 / 3 + 1) / 2)
    assert chosen == HALF
    assert decider.choose([*[0.0] * 20, 1.0]) == decider.candidates[-1]
    assert decider.choose([0.0] * len(decider.candidates)) == HALF


def test_the_share_of_each_class_is_what_classes_have_for_a_threshold():
    labels = [torch.tensor(0)] * 97 + [torch.tensor(1)]
    split = Split([torch.zeros(1)] * 98, labels)
    decider = Decider(Data(split, split, split, classes=2, kind="classification"))
    outputs = [torch.tensor([3.0, 0.0])]
    assert decider.answers(outputs, 0.0) == [torch.tensor(0)]
    assert decider.answers(outputs, 1.0) == [torch.tensor(1)]  # log(98 / 2) = 3.9 is subtracted from the first


def test_probabilities_are_scored_as_scikit_learn_does():
    rng = np.random.default_rng(0)
    logits, masks = rng.normal(0, 2, (6, 50)), rng.integers(0, 2, (6, 50))
    data, outputs = binary(logits.tolist(), masks.tolist())
    scores = scores_of(data, outputs, HALF)
    probability = (1 / (1 + np.exp(-logits))).ravel()
    assert scores[PRECISION.key] == pytest.approx(average_precision_score(masks.ravel(), probability))
    assert scores[BRIER.key] == pytest.approx(brier_score_loss(masks.ravel(), probability), abs=1e-6)


def test_calibration_by_hand():
    yes = torch.tensor([0.01, 0.03, 0.91, 0.99])
    bins = calibration_bins(torch.stack([1 - yes, yes], 1), torch.tensor([0, 0, 1, 0]))
    assert bins["share"] == pytest.approx([0.5, 0.25, 0.25])
    assert bins["confidence"] == pytest.approx([0.02, 0.91, 0.99])
    assert bins["right"] == pytest.approx([0, 1, 0])
    rows = torch.tensor([[0.7, 0.2, 0.1]] * 10)
    bins = calibration_bins(rows, torch.tensor([0] * 4 + [1] * 6))
    assert (bins["confidence"], bins["right"]) == (pytest.approx([0.7]), pytest.approx([0.4]))


def test_a_void_pixel_counts_in_no_score():
    data, outputs = binary([[4.0, -4.0, 9.0]], [[1, 0, VOID]])
    scores = scores_of(data, outputs, HALF)
    known, _ = binary([[4.0, -4.0]], [[1, 0]])
    expected = scores_of(known, [outputs[0][..., :2]], HALF)
    assert scores == expected


def test_errors_of_a_regression_are_in_its_units():
    split = Split([torch.zeros(1)] * 3, [torch.tensor([value]) for value in (0.0, 1.0, 2.0)])
    outputs = [torch.tensor([value]) for value in (0.0, 1.0, 5.0)]
    scores = regression_scores(outputs, split, 10.0)
    assert scores["mae"] == pytest.approx(10)
    assert scores["rmse"] == pytest.approx(30 / 3**0.5)
    assert scores["median_error"] == 0
    assert scores["r2"] == pytest.approx(1 - 9 / 2)


def test_predictions_of_images_of_several_sizes():
    images = [torch.full((1, 2, side), value) for side, value in ((3, 1.0), (3, -1.0), (4, 2.0), (3, 1.0))]
    outputs = predict(nn.Identity(), images)
    assert [tuple(output.shape) for output in outputs] == [(1, 2, 3), (1, 2, 3), (1, 2, 4), (1, 2, 3)]
    assert [int(output.max()) for output in outputs] == [1, -1, 2, 1]


@pytest.mark.parametrize("size", [(9, 14), (5, 6, 7), (33,)])
def test_the_model_keeps_any_size(size):
    assert UNet(2, 3, dimensions=len(size))(torch.randn(2, 2, *size)).shape == (2, 3, *size)


def test_a_model_is_made_with_what_it_asks_for():
    data = small_data()
    assert isinstance(make_model(data, lambda channels, classes: nn.Conv2d(channels, classes, 1)), nn.Conv2d)
    assert isinstance(make_model(data, lambda: nn.Identity()), nn.Identity)
    with pytest.raises(InputError, match=r"returned int; it must return a torch\.nn\.Module"):
        make_model(data, lambda: 3)


def test_the_boundary_is_where_neighbours_differ():
    truth = torch.zeros(1, 6, 6, dtype=torch.long)
    truth[0, 2:6, 2:6] = 1
    expected = torch.zeros(6, 6, dtype=torch.bool)
    expected[1:, 1:] = True
    expected[3:, 3:] = False
    assert torch.equal(near_boundary(truth)[0], expected)


def test_the_gradient_is_shared_between_places():
    data, _ = binary([[0.0] * 6], [[0, 0, 0, 1, 1, 1]])
    logits, target = torch.zeros(1, 1, 1, 6), data.train.targets[0][None]
    weight = torch.tensor([1.0, 1.0, 2.0, 4.0, 8.0, 8.0])
    shares = gradient_shares(logits, target, lambda x, t: (weight * x).sum(), data)
    assert shares == pytest.approx({"background": 2 / 24, "boundary": 6 / 24, "foreground": 16 / 24})


def test_what_a_loss_keeps_for_its_backward_pass_is_counted_once():
    logits, target = torch.randn(1, 1, 512, 512), torch.ones(1, 1, 512, 512)  # 1 MiB each
    assert saved_mib(logits, target, lambda x, t: (x * t).sum()) == 0
    assert saved_mib(logits, target, lambda x, t: x.exp().sum()) == 1
    assert saved_mib(logits, target, lambda x, t: (x.exp() * x.sigmoid()).sum()) == 2


def small_run(loss="bce", **changed):
    fixed = {"epochs": 2, "batch_size": 8, "metric": "dice", "patience": 60, "limit": 60, "data": ""}
    return training.Run(loss, 0, 0, "fresh", 1e-3, **{**fixed, **changed})


def small_data():
    generator = torch.Generator().manual_seed(0)
    images = [torch.randn(1, 8 + index, 9, generator=generator) for index in range(12)]
    split = Split(images, [(image > 0).float() for image in images])
    return Data(split, split, split, classes=1)


def parts(criterion):
    return training.Parts(criterion, None, None)


class Spy(nn.Module):
    """Mean squared error times a weight, which records its inputs in training."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))
        self.given: list[tuple[torch.Tensor, torch.Tensor]] = []

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        self.given.append((input.detach().clone(), target))
        return self.weight * (input - target).square().mean()


@pytest.fixture
def spies():
    """Two losses, each trained from the same start."""
    made = [Spy(1.0), Spy(2.0)]
    for spy in made:
        torch.rand(7)  # earlier calls must not matter
        training.carry_out(small_run(), small_data(), parts(spy), lambda: None)
    return made


def test_every_loss_starts_alike_and_sees_the_same_batches(spies):
    assert torch.equal(spies[0].given[0][0], spies[1].given[0][0])
    assert not torch.equal(spies[0].given[-1][0], spies[1].given[-1][0])
    assert len(spies[0].given) == 4 + 3  # steps, and three looks at the gradient
    for one, other in zip(spies[0].given, spies[1].given, strict=True):
        assert torch.equal(one[1], other[1])
        assert one[1].shape[2:] == (8, 9)  # cut to the smallest


def test_parameters_of_a_loss_are_trained(spies):
    assert spies[0].weight.item() < 1 - 1e-4


def test_the_test_part_changes_neither_threshold_nor_validation():
    data = small_data()
    other = Data(data.train, data.validation, Split(data.test.inputs, [1 - t for t in data.test.targets]), classes=1)
    records = [training.carry_out(small_run(), each, parts(Spy(1.0)), lambda: None) for each in (data, other)]
    assert records[0]["scores"]["dice"] != records[1]["scores"]["dice"]
    assert records[0]["scores"]["threshold"] == records[1]["scores"]["threshold"]
    assert records[0]["validation"] == records[1]["validation"]


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
    ("said", "code", "kind", "expected"),
    [
        ("Traceback ...\n  x\nmine.BadError: no\nmore", 1, "crashed", "mine.BadError: no"),
        ("FloatingPointError: the loss became nan", 1, "diverged", "FloatingPointError: the loss became nan"),
        ("TimeoutError: the run took longer", 1, "hung", "TimeoutError: the run took longer"),
        ("OSError: [Errno 28] No space left on device", 1, "disk", "OSError: [Errno 28] No space left on device"),
        ("", -9, "killed", "its process was killed by the system, usually because memory ran out"),
        ("Warning: slow", -11, "crashed", "its process was ended by signal 11"),
        ("", 3, "crashed", "its process ended with exit code 3"),
        (
            'Timeout (0:00:09)!\nThread 0x1 (most recent call first):\n  File "a.py", line 1 in waits\n\n'
            'Thread 0x2 (most recent call first):\n  File "/b/mine.py", line 7 in spins\n  File "c.py", line 9 in f',
            1,
            "hung",
            "no step finished within 9 seconds, in spins (mine.py, line 7)",
        ),
    ],
)
def test_why_a_process_ended(said, code, kind, expected):
    assert reason(said, code, patience=9.0) == (kind, expected)


def test_weights_that_were_left_are_tested_as_if_trained_here(tmp_path):
    data = small_data()
    (tmp_path / "weights").mkdir()
    tuning, tested, whole = (
        training.carry_out(
            replace(small_run(), role=role, folder=str(tmp_path), weights=weights),
            data,
            parts(nn.MSELoss()),
            lambda: None,
        )
        for role, weights in (("tuning", "weights/a.pt"), ("tested", "weights/a.pt"), ("tested", "weights/no.pt"))
    )
    assert "scores" not in tuning
    assert "curve" not in tested
    assert tested["scores"] == whole["scores"]
    assert tuning["validation"] == tested["validation"] == whole["validation"]
    (tmp_path / "weights" / "a.pt").write_bytes(b"half a file")
    again = training.carry_out(
        replace(small_run(), role="tested", folder=str(tmp_path), weights="weights/a.pt"),
        data,
        parts(nn.MSELoss()),
        lambda: None,
    )
    assert again["scores"] == whole["scores"]
