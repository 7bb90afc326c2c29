"""Trial calls infer the inputs of a loss; the result is right or absent."""

import textwrap
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import losskit
from cases import ENTRIES, made
from losskit.building.references import Reference, load
from losskit.checker.own import forms_of
from losskit.checker.spec import Unsure
from losskit.checker.subject import Subject
from peers import peer
from unknown import UNKNOWN

KNOWN = [e for e in ENTRIES if e.name not in {"sobolev_loss", "z_loss"}.union(*UNKNOWN.values())]

SNIPPETS = str(Path(__file__).parents[1] / "docs" / "measure" / "snippets.py")

BINARY = ("binary", "logits", "same")
INDICES = ("multiclass", "logits", "indices")

OF_TORCH = {
    nn.CrossEntropyLoss(): INDICES,
    nn.CrossEntropyLoss(label_smoothing=0.1, weight=torch.tensor([1.0, 2.0, 3.0, 4.0])): INDICES,
    nn.BCEWithLogitsLoss(): BINARY,
    nn.BCELoss(): ("binary", "probabilities", "same"),
    nn.MSELoss(): ("regression", "values", "same"),
    nn.L1Loss(): ("regression", "values", "same"),
    nn.SmoothL1Loss(): ("regression", "values", "same"),
    nn.HuberLoss(): ("regression", "values", "same"),
    nn.KLDivLoss(): ("distribution", "log_probabilities", "soft"),
    nn.KLDivLoss(reduction="batchmean"): ("distribution", "log_probabilities", "soft"),
    nn.KLDivLoss(log_target=True): ("distribution", "log_probabilities", "log-soft"),
    nn.NLLLoss(): ("multiclass", "log_probabilities", "indices"),
    nn.GaussianNLLLoss(): ("regression", "values", "with-variance"),
    nn.PoissonNLLLoss(): ("regression", "log_rates", "counts"),
    nn.PoissonNLLLoss(log_input=False): ("regression", "rates", "counts"),
    nn.CosineEmbeddingLoss(): ("pairs", "embeddings", "alike"),
    nn.TripletMarginLoss(): ("pairs", "embeddings", "triplets"),
    nn.MarginRankingLoss(): ("pairs", "values", "order"),
    nn.HingeEmbeddingLoss(): ("pairs", "distances", "signs"),
    nn.SoftMarginLoss(): ("binary", "logits", "signs"),
    nn.MultiLabelSoftMarginLoss(): BINARY,
    nn.MultiLabelMarginLoss(): ("multilabel", "logits", "label-lists"),
    nn.MultiMarginLoss(): INDICES,
    nn.CTCLoss(): ("sequence", "log_probabilities", "sequences"),
}


def taken(loss, **said):
    spec = Subject.of(loss, **said).spec
    return spec.kind, spec.scores, spec.layout


@pytest.mark.parametrize(("loss", "form"), OF_TORCH.items(), ids=str)
def test_what_torch_takes(loss, form):
    if isinstance(loss, nn.SoftMarginLoss):  # a known deviation: with 0 for -1 it is also least at right answers
        form = ("multiclass", "probabilities", "one-hot")
    assert taken(loss) == form


OF_PEERS = {
    "monai.DiceLoss(sigmoid=True)": BINARY,
    "monai.DiceLoss()": ("binary", "probabilities", "same"),
    "monai.DiceLoss(softmax=True)": ("multiclass", "logits", "one-hot"),
    "monai.DiceLoss(softmax=True, to_onehot_y=True)": ("multiclass", "logits", "indices-channel"),
    "monai.DiceCELoss(sigmoid=True)": BINARY,
    "monai.FocalLoss()": BINARY,
    "monai.ContrastiveLoss()": ("pairs", "embeddings", "partners"),
    "monai.SSIMLoss(2)": ("regression", "images", "images"),
    "kornia.FocalLoss(0.5)": INDICES,
    "kornia.BinaryFocalLossWithLogits(0.25)": BINARY,
    "kornia.LovaszHingeLoss()": ("binary", "logits", "no-channel"),
    "smp.DiceLoss('binary')": BINARY,
    "smp.DiceLoss('multiclass')": INDICES,
    "smp.FocalLoss('multiclass')": INDICES,
    "smp.LovaszLoss('binary')": BINARY,
    "smp.SoftCrossEntropyLoss(smooth_factor=0.1)": INDICES,
    "toolbelt.LovaszLoss()": ("multiclass", "probabilities", "indices"),
    "timm.LabelSmoothingCrossEntropy()": INDICES,
    "timm.SoftTargetCrossEntropy()": ("multiclass", "logits", "one-hot"),
    "timm.AsymmetricLossMultiLabel()": BINARY,
    "timm.AsymmetricLossSingleLabel()": INDICES,
    "torchvision.sigmoid_focal_loss": BINARY,
    "fvcore.sigmoid_focal_loss": BINARY,
}


@pytest.mark.parametrize(("text", "form"), OF_PEERS.items(), ids=str)
def test_what_other_libraries_take(text, form):
    library, _, call = text.partition(".")
    assert taken(eval(call, dict(vars(peer(library))))) == form


OF_TUTORIALS = {
    "mse": ("regression", "values", "same"),
    "DiceLoss": BINARY,
    "DiceBCELoss": BINARY,
    "IoULoss": BINARY,
    "FocalLoss": BINARY,
    "TverskyLoss": BINARY,
    "bce_after_sigmoid": BINARY,
    "sigmoid_twice": BINARY,
    "multiclass_dice": INDICES,
    "cross_entropy_of_softmax": INDICES,
}


@pytest.mark.parametrize(("name", "form"), OF_TUTORIALS.items(), ids=str)
def test_what_the_tutorials_losses_take(name, form):
    found = load(Reference(SNIPPETS, name))
    assert taken(found() if isinstance(found, type) else found) == form


SAYING = [e for e in KNOWN if forms_of(made(e))]
READ_OTHERWISE = {  # inferred as another kind that they also compute: to be fixed in the checker
    "balanced_bce_loss": ("distribution", "log_probabilities", "soft"),
    "focal_cosine_loss": ("multiclass", "probabilities", "indices"),
    "generalized_wasserstein_dice_loss": ("multiclass", "log_probabilities", "indices"),
    "cldice_loss": ("multiclass", "log_probabilities", "indices"),
    "kl_div": ("multiclass", "log_probabilities", "one-hot"),
    "structure_loss": ("regression", "images", "images"),
    "ordinal_emd_loss": ("multiclass", "log_probabilities", "indices"),
}


@pytest.mark.parametrize("entry", SAYING, ids=lambda entry: entry.name)
def test_our_losses_say_what_trial_calls_find(entry):
    """A loss of ours is tested as the kind it declares; without the declaration, one of its kinds is inferred."""
    spec = Subject.of(made(entry)).spec
    said = forms_of(made(entry))
    assert (spec.kind, spec.scores, spec.layout) == said[0]
    if entry.loss.__name__ != "GridSobolevLoss":  # no gradient across samples, by which it could be recognized
        loss = made(entry)
        tensors = len(spec.tensors)
        outside = {2: lambda a, b: loss(a, b), 3: lambda a, b, c: loss(a, b, c), 4: lambda a, b, c, d: loss(a, b, c, d)}
        known = {*said, ("binary", *said[0][1:])}
        known |= {("binary", "logits", "same")} if said[0][2] == "bare" else set()  # one channel, or none
        known |= {("distribution", "log_probabilities", "soft")} if spec.scores == "log_probabilities" else set()
        known |= {READ_OTHERWISE[entry.name]} if entry.name in READ_OTHERWISE else set()
        assert taken(outside[tensors]) in known


@pytest.mark.parametrize("entry", KNOWN, ids=lambda entry: entry.name)
def test_examples_are_well_posed(entry):
    """Right answers have a smaller loss than wrong ones, and every tensor has the requested precision."""
    subject = Subject.of(made(entry))
    for seed in range(3):
        right, wrong = (subject.example(seed, correct=correct, scale=2.0) for correct in (True, False))
        assert subject.value(*right) < subject.value(*wrong)
        assert {t.dtype for t in right if t.is_floating_point()} == {torch.float32}
    assert subject.example(0, torch.float64)[0].dtype == torch.float64


def dice(input, target):
    return 1 - 2 * (input * target).sum() / (input.square().sum() + target.square().sum())


def product(input, target):
    return (input * target).sum()


def linear(input, target):
    return (1 - input * target - (1 - input) * (1 - target)).mean()


def needs_more(input, target, knob):
    return F.binary_cross_entropy_with_logits(input / float(knob), target)


def needs_a_temperature(input, target, temperature):
    return F.binary_cross_entropy_with_logits(input / float(temperature), target)


def refuses(input, target):
    raise RuntimeError("only on Sundays")


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (needs_more, "--with knob=value"),
        (refuses, "only on Sundays"),
        (lambda a, b, c, d, e: a.mean(), "its call needs a, b, c, d, e"),
        (losskit.SobolevLoss(), "inputs"),
    ],
)
def test_where_it_cannot_be_told_it_is_not_guessed(loss, message):
    with pytest.raises(Unsure, match=message):
        Subject.of(loss)


def test_an_option_without_a_default_gets_its_usual_value():
    assert taken(needs_a_temperature) == BINARY


def test_names_tell_an_overlap_of_probabilities_from_a_cosine_of_numbers():
    def similarity(input, target):
        return dice(input, target)

    assert taken(dice) == ("binary", "probabilities", "same")
    assert taken(similarity) == ("regression", "values", "same")


def test_a_loss_without_its_minus_is_taken_for_what_it_is_with_it():
    spec = Subject.of(lambda x, y: x.log_softmax(1).gather(1, y.unsqueeze(1)).mean()).spec
    assert (spec.kind, spec.scores, spec.layout) == INDICES
    assert "the negated loss" in spec.because[0]


def test_what_the_user_says_decides():
    assert taken(dice, kind="binary", scores="probabilities") == ("binary", "probabilities", "same")
    assert taken(dice, kind="regression") == ("regression", "values", "same")
    assert taken(product, kind="binary", scores="logits", target="same") == BINARY
    assert taken(nn.BCEWithLogitsLoss(), kind="multilabel") == ("multilabel", "logits", "same")
    assert Subject.of(nn.CrossEntropyLoss(), classes=7, shape=(3, 8)).spec.classes == 7
    assert Subject.of(nn.CrossEntropyLoss(), shape=(3, 8)).example()[0].shape == (2, 3, 3, 8)
    with pytest.raises(Unsure, match="takes multiclass logits indices"):
        Subject.of(losskit.CrossEntropyLoss(), kind="regression")
    with pytest.raises(ValueError, match='did you mean "binary"'):
        Subject.of(dice, kind="binry")


def test_a_loss_that_falls_for_ever_on_logits_takes_probabilities():
    assert taken(linear) == ("binary", "probabilities", "same")


def test_the_order_of_the_arguments_is_told_by_their_names():
    def keras(y_true, y_pred):
        return F.binary_cross_entropy_with_logits(y_pred, y_true)

    subject = Subject.of(keras)
    assert taken(keras) == BINARY
    assert subject.spec.swapped
    input, target = subject.example()
    assert subject.value(input, target) == F.binary_cross_entropy_with_logits(input, target)


def test_the_classes_that_a_loss_was_made_for():
    assert Subject.of(nn.CrossEntropyLoss(weight=torch.rand(5) + 1)).spec.classes == 5


def test_a_loss_is_made_again_with_other_options():
    subject = Subject.of(nn.CrossEntropyLoss(label_smoothing=0.2))
    made = subject.build(reduction="sum")
    assert (made.reduction, made.label_smoothing) == ("sum", 0.2)
    ours = Subject.of(losskit.FocalLoss(gamma=1.5)).build(reduction="none")
    assert (ours.gamma, ours.reduction) == (1.5, "none")
    assert subject.build() is not subject.build()


SOURCE = """
import torch
from torch import nn


class Weighted(nn.Module):
    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = factor
    def forward(self, input, target):
        return self.factor * ((input - target) ** 2).mean()

def plain(input, target, power=2):
    return (input - target).abs().pow(power).mean()

def factory(power=1):
    return nn.L1Loss()
"""


@pytest.mark.parametrize(
    ("name", "options"),
    [("Weighted", {"factor": 3.0}), ("Weighted", {}), ("plain", {"power": 4}), ("plain", {}), ("factory", {})],
)
def test_a_repro_runs_by_itself_and_shows_the_value(tmp_path, monkeypatch, capsys, name, options):
    (tmp_path / "their_losses.py").write_text(SOURCE)
    subject = Subject.of(f"{tmp_path / 'their_losses.py'}:{name}", options)
    tensors = subject.example(3)
    code = subject.code(*tensors)
    assert len(code.splitlines()) <= 10
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert capsys.readouterr().out.strip() == str(subject.value(*tensors))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor([[0.1, float("nan")], [float("inf"), -2.5e-9]]),
        torch.tensor([1.25, 3.0], dtype=torch.float64) / 3,
        torch.tensor([0.333, 7.0], dtype=torch.bfloat16),
        torch.tensor([0.333, 65504.0], dtype=torch.float16),
        torch.tensor([[1, 2], [3, -100]]),
        torch.tensor([True, False]),
        torch.full((3, 4), 0.7),
        torch.zeros(0, 3),
        torch.tensor(2.0),
        torch.tensor([1, 255], dtype=torch.uint8),
    ],
    ids=str,
)
def test_a_tensor_is_written_as_code_that_makes_it(tensor):
    from losskit.checker.repro import literal

    made = eval(literal(tensor), {"torch": torch, "float": float})
    assert made.dtype == tensor.dtype
    assert torch.equal(made.nan_to_num(7), tensor.nan_to_num(7))


def test_the_file_of_a_loss_is_named_with_its_folder(tmp_path):
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "losses.py").write_text(textwrap.dedent(SOURCE))
    subject = Subject.of(f'"{folder / "losses.py"}":plain')
    assert f"runpy.run_path({str(folder / 'losses.py')!r})" in subject.code(*subject.example())
