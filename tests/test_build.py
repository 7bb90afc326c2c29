"""build: text and configs become the losses they describe; errors say where and why they do not."""

from __future__ import annotations

import contextlib
import cProfile
import inspect
import math
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import losskit
from cases import ENTRIES
from losskit.building.build import split
from losskit.core.catalogue import names_of
from losskit.core.elsewhere import FOREIGN_NAMES
from losskit.core.options import REQUIRED
from peers import peer

ZEROS, ONES = torch.zeros(2, 1, dtype=torch.float64), torch.ones(2, 1, dtype=torch.float64)
# At logit 0 with target 1 binary cross-entropy is log 2, and the squared error is 1.
VALUES = {"bce": math.log(2), "mse": 1.0}

FILE = """
import losskit
from torch import nn
from beside import OFFSET

@losskit.region_loss
def my_dice(total, smooth: float = 1.0):
    return 1 - (2 * total.tp + smooth) / (total.pred + total.target + smooth)

class Module(nn.Module):
    def __init__(self, inner=None, factor=1.0):
        super().__init__()
        self.inner, self.factor = inner or nn.MSELoss(), factor
    def forward(self, input, target):
        return self.factor * self.inner(input, target)

class Holder:
    class Deep(Module):
        pass

def plain(input, target, scale=1.0):
    return scale * (input - target + OFFSET).abs().mean()

def factory(factor=2.0):
    return Module(factor=factor)

made = Module(factor=3.0)
number = 3
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's file of losses, in the working directory, which imports the file beside it."""
    (tmp_path / "my_losses.py").write_text(FILE)
    (tmp_path / "beside.py").write_text("OFFSET = 0.0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "nothing"))  # restores sys.path afterwards
    yield tmp_path / "my_losses.py"
    sys.modules.pop("beside", None)


def value(text: Any) -> float:
    return float(losskit.build(text, references=True)(ZEROS, ONES))


# Text


def products() -> st.SearchStrategy[str]:
    """Sums of losses with numbers as factors, as text."""
    numbers = st.sampled_from(["2", "0.5", "1e-1", "3", "(1/4)", "-2"])
    losses = st.sampled_from(list(VALUES))

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.tuples(inner, st.sampled_from([" + ", "-", " - ", "+"]), inner).map("".join),
            st.builds("({})".format, inner),
            st.builds("-({})".format, inner),
            st.builds("{} * ({})".format, numbers, inner),
            st.builds("({})*{}".format, inner, numbers),
            st.builds("({}) / {}".format, inner, numbers),
        )

    return st.recursive(losses, larger, max_leaves=5)


@settings(max_examples=60)
@given(products())
def test_arithmetic_means_what_it_means_in_python(text: str) -> None:
    assert value(text) == pytest.approx(eval(text, {}, VALUES), abs=1e-12)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_name_of_every_loss_builds_it(entry: Any) -> None:
    required = [name for name, declared in entry.loss.options.items() if declared.default is REQUIRED]
    for name in names_of(entry.loss):
        if required:  # the error names what has no default
            with pytest.raises(ValueError, match=f"{entry.loss.__name__}: {required[0]} has no default"):
                losskit.build(name)
            continue
        assert type(losskit.build(name)) is entry.loss


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("dice(smooth=1)", {"smooth": 1.0}),
        ("dice(smooth=1/4)", {"smooth": 0.25}),
        ("dice(ignore_index=-1)", {"ignore_index": -1}),
        ("dice(squared=True)", {"squared": True}),
        ("dice(mode='multilabel')", {"mode": "multilabel"}),
        ('dice(mode="multilabel")', {"mode": "multilabel"}),
        ("dice(mode=None)", {}),
        ("dice(classes=[1, 2])", {"classes": (1, 2)}),
        ("dice(classes=(1, 2), include_background=False)", {"classes": (1, 2), "include_background": False}),
        ("  dice (\n smooth = 2.5,\n)  ", {"smooth": 2.5}),
    ],
)
def test_option_values(text: str, options: dict[str, Any]) -> None:
    assert losskit.build(text).given_options() == options


def test_options_that_are_tensors() -> None:
    weighted = losskit.build("ce(class_weight=[1, 2.5])")
    assert torch.as_tensor(weighted.class_weight).tolist() == [1.0, 2.5]
    theirs = losskit.build("torch.nn:BCEWithLogitsLoss(pos_weight=tensor([3.0]))", references=True)
    assert theirs(ZEROS, ONES).item() == pytest.approx(3 * math.log(2))


@pytest.mark.parametrize(
    "text",
    [
        "dice",
        "dice(smooth=1.5) + 0.5 * focal(gamma=3)",
        "-0.5 * dice - 2 * bce(label_smoothing=0.1)",
        "dice / 3",
        "ce(class_weight=[1, 2])",
        "torch.nn:HuberLoss() + 2 * mse",
        "dice_bce(smooth=1, dice_weight=0.5)",
    ],
)
def test_a_loss_prints_as_text_that_builds_it(text: str) -> None:
    built = losskit.build(text, references=True)
    again = losskit.build(repr(built), references=True)
    assert repr(again) == repr(built)
    assert getattr(again, "numbers", None) == getattr(built, "numbers", None)
    assert "\n" not in repr(built)


def test_printed_weights_lose_nothing() -> None:
    weight = 1 / 3
    assert losskit.build(repr(losskit.DiceLoss() * weight)).numbers == [weight]


def test_a_loss_or_module_is_returned_and_a_function_wrapped() -> None:
    dice, module = losskit.DiceLoss(), nn.MSELoss()
    assert losskit.build(dice) is dice
    assert losskit.build(module) is module
    assert losskit.build(lambda x, y: (x - y).sum())(ZEROS, ONES).item() == -2.0


def test_split_at_the_commas_between_losses() -> None:
    text = "dice, bce,dice + bce , focal(gamma=2, alpha=0.25), my_losses.py:my_dice(classes=(1, 2))"
    parts = ["dice", "bce", "dice + bce", "focal(gamma=2, alpha=0.25)", "my_losses.py:my_dice(classes=(1, 2))"]
    assert split(text) == parts
    assert split("dice") == ["dice"]


# References


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("torch.nn:MSELoss()", 1.0),
        ("torch.nn:MSELoss", 1.0),
        ("torch.nn.functional:mse_loss", 1.0),
        ("2*torch.nn:HuberLoss(delta=0.5) - bce", 2 * 0.375 - math.log(2)),  # 0.5 * (1 - 0.25)
        ("my_losses.py:plain", 1.0),
        ("my_losses.py:plain(scale=2.0)", 2.0),
        ("./my_losses.py:plain(scale=2.0) / 4", 0.5),
        ("'my_losses.py':plain", 1.0),
        ("bce+my_losses.py:factory", math.log(2) + 2.0),
        ("my_losses.py:factory(factor=5)", 5.0),
        ("my_losses.py:made", 3.0),
        ("my_losses.py:Module(inner=2 * mse, factor=3)", 6.0),
        ("my_losses.py:Module(bce)", math.log(2)),
        ("my_losses.py:Holder.Deep(factor=4)", 4.0),
    ],
)
def test_references(file: Path, text: str, expected: float) -> None:
    assert value(text) == pytest.approx(expected)


def test_a_file_by_its_full_path_and_a_function_of_the_kit(file: Path) -> None:
    # one confident, correct element of two: p = 1/2 at logit 0, so TP = 1, P = 1, T = 2 and 1 - (2 + 3) / (3 + 3) = 1/6
    input, target = torch.zeros(1, 1, 2, dtype=torch.float64), torch.ones(1, 1, 2, dtype=torch.float64)
    assert losskit.build(f"{file}:my_dice(smooth=3)", references=True)(input, target).item() == pytest.approx(1 / 6)


def test_an_edited_file_is_read_again(file: Path) -> None:
    assert value("my_losses.py:made") == 3.0
    file.write_text(FILE.replace("factor=3.0", "factor=7.0"))
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 10**9))
    assert value("my_losses.py:made") == 7.0


# Configs


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"loss": "dice", "smooth": 1.0}, "dice(smooth=1)"),
        ({"dice": {"smooth": 1.0}}, "dice(smooth=1)"),
        ({"dice": None}, "dice"),
        ({"dice": {}}, "dice"),
        ({"loss": "dice + bce"}, "dice + bce"),
        ({"weight": 2, "loss": "dice + bce"}, "2 * (dice + bce)"),
        (
            {"sum": [{"weight": 1.0, "loss": "dice"}, {"weight": 0.5, "loss": "focal", "gamma": 3}]},
            "dice + 0.5 * focal(gamma=3)",
        ),
        (
            {"sum": ["dice", {"bce": {}}, {"weight": 2, "sum": ["mse", {"weight": -1, "loss": "l1"}]}]},
            "dice + bce + 2 * (mse - l1)",
        ),
        ({"loss": "torch.nn:HuberLoss", "delta": 2.0}, "torch.nn:HuberLoss(delta=2.0)"),
        ({"loss": "ce", "class_weight": [1, 2]}, "ce(class_weight=[1, 2])"),
        ({"loss": {"loss": "dice", "smooth": 1.0}, "weight": 3}, "3 * dice(smooth=1)"),
    ],
)  # fmt: skip
def test_configs(config: dict[str, Any], text: str) -> None:
    given = repr(config)
    built = losskit.build(config, references=True)
    assert repr(built) == repr(losskit.build(text, references=True))
    assert repr(config) == given  # a config is not modified


def test_losses_within_a_config() -> None:
    assert value({"sum": [losskit.MSELoss(), nn.L1Loss(), lambda x, y: (x - y).sum()]}) == 0.0


# Errors and their places


def refusal(spec: Any) -> tuple[str, str]:
    """The message, and the part of the text that it points at."""
    with pytest.raises(ValueError) as caught:
        losskit.build(spec, references=True)
    lines = str(caught.value).split("\n")
    if len(lines) == 1:
        return lines[0], ""
    said, text, marks = lines
    return said, text[marks.index("^") : marks.rindex("^") + 1]


@pytest.mark.parametrize(
    ("text", "said", "marked"),
    [
        ("dice + 0.5 * dcie(gamma=2)", 'no loss called \'dcie\'; did you mean "dice"?', "dcie"),
        ("dice + focal(gama=2)", 'FocalLoss has no option \'gama\'; did you mean "gamma"?', "gama=2"),
        ("2 * dice(smooth=-1)", "smooth must be a number >= 0; got -1", "smooth=-1"),
        ("2 * dice(pool='batches')", "pool must be one of 'sample', 'batch'; got 'batches'", "pool='batches'"),
        ("dice(smooth=1, pool=1)", "pool must be one of", "pool=1"),
        ("dice(1.0)", "takes its options by name: dice(smooth=1.0)", "1.0"),
        ("dice(mode=multilabel)", "quoted: 'multilabel'", "multilabel"),
        ("dice(overlap=l1)", "quoted: 'l1'", "l1"),
        ("dice(squared=true)", "Write True", "true"),
        ("dice(smooth={})", "takes a number, a quoted word", "{}"),
        ("dice(smooth=bce())", "takes a number, a quoted word", "bce()"),
        ("dice(smooth=1, smooth=2)", "", "smooth=2"),
        ("dice(**x)", "one by one", "x"),
        ("dice + 0.5 focal", "not written as a loss", "f"),
        ("dice + (bce", "never closed", "("),
        ("dice + 1", "changes no gradient", "1"),
        ("1 - dice", "changes no gradient", "1"),
        ("2 / dice", "divided by numbers", "dice"),
        ("dice / 0", "divided by zero", "0"),
        ("bce + 'dice'", "without quotes", "'dice'"),
        ("bce + dice ** 2", "not part of a loss", "dice ** 2"),
        ("bce + 2(dice)", "product is written with *", "2"),
        ("bce + torch.nn.MSELoss()", "written with a colon: torch.nn:MSELoss", "torch.nn.MSELoss"),
        ("bce + torch.nn:MESLoss()", 'torch.nn has no MESLoss; did you mean "MSELoss"?', "torch.nn:MESLoss"),
        ("bce + torch.nnn:MSELoss()", "cannot be imported", "torch.nnn:MSELoss"),
        ("bce + torch.nn:HuberLoss(delat=2)", 'did you mean "delta"?', "delat=2"),
        ("bce + torch.nn:BCEWithLogitsLoss(pos_weight=2.0)", "tensor([1.0, 2.0])", "pos_weight=2.0"),
        ("bce + my_losses.py:my_dcie", 'did you mean "my_dice"?', "my_losses.py:my_dcie"),
        ("bce + my_loses.py:my_dice", 'did you mean "my_losses.py"?', "my_loses.py:my_dice"),
        ("bce + my_losses.py:plain(scal=2)", 'did you mean "scale"?', "scal=2"),
        ("bce + my_losses.py:plain(2)", "given by name", "my_losses.py:plain"),
        ("bce + my_losses.py:made(factor=2)", "is a module instance already", "my_losses.py:made"),
        ("bce + my_losses.py:number", "is no loss but 3", "my_losses.py:number"),
        ("dice(mode='élan', smooth=-1)", "smooth must be", "smooth=-1"),
        ("bce + 0.5 * élan(gamma=2)", "no loss called 'élan'", "élan"),
    ],
)  # fmt: skip
def test_errors_point_at_the_place(file: Path, text: str, said: str, marked: str) -> None:
    message, place = refusal(text)
    assert said in message
    assert place == marked


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no loss in an empty text"),
        ("  ", "no loss in an empty text"),
        ("dice, bce", "several losses"),
        ("0.5", "A number is no loss"),
        ("dice * bce", "a loss times a loss is not defined"),
        ("dice + ce(ignore_index=3)", "must leave out the same label"),
        ("dice(reduction='none') + bce", "a composite is one number"),
        ("dice if 1 else bce", "not part of a loss"),
        ("dice\0", "null (byte|character)"),
        ("(" * 500 + "dice" + ")" * 500, "too (many nested|deeply)"),
        ("-" * 3000 + "dice", "too (many nested|deeply)"),
    ],
)
def test_errors_about_the_whole(text: str, said: str) -> None:
    assert re.search(said, refusal(text)[0])


def test_a_long_text_is_shown_around_the_place() -> None:
    with pytest.raises(ValueError, match="dcie") as caught:
        losskit.build("dice + " * 40 + "dcie")
    _, text, marks = str(caught.value).split("\n")
    assert len(text) <= 102
    assert text[marks.index("^") :] == "dcie"


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch evaluated')",
        "dice(smooth=__import__('os').system('touch evaluated'))",
        "dice(smooth=open('evaluated', 'w'))",
        "[open('evaluated', 'w') for _ in (1,)]",
        "(lambda: open('evaluated', 'w'))()",
        "dice if open('evaluated', 'w') else bce",
        "f\"{open('evaluated', 'w')}\"",
        "dice(smooth=(x := open('evaluated', 'w')))",
    ],
)
def test_text_is_never_evaluated(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    refusal(text)
    assert not Path("evaluated").exists()


REFERENCES = (
    "os:system('touch evaluated')",
    "my_losses.py:my_dice",
    {"loss": "os:system", "command": "touch evaluated"},
    {"os:system": {"command": "touch evaluated"}},
    {"sum": ["dice", {"weight": 2, "loss": "os:system('touch evaluated')"}]},
    {"loss": {"loss": "torch.nn:MSELoss"}},
)


@pytest.mark.parametrize("spec", REFERENCES, ids=repr)
def test_references_are_off_unless_requested(spec: Any, file: Path) -> None:
    file.write_text("open('evaluated', 'w')")
    with pytest.raises(ValueError, match=r"refers to code.*references=True"):
        losskit.build(spec)
    assert not Path("evaluated").exists()


@pytest.mark.parametrize(
    "text",
    [
        "os:system('touch evaluated')",
        "os:system(command='touch evaluated')",
        "subprocess:Popen('touch evaluated', shell=True)",
        "subprocess:Popen(args='touch evaluated', shell=True)",
        "subprocess:getoutput(cmd='touch evaluated')",
        "pathlib:Path.touch('evaluated')",
        "builtins:open('evaluated', 'w')",
        "builtins:exec",
        "my_losses.py:Writer('evaluated')",
    ],
)
def test_only_losses_modules_and_functions_of_tensors_are_called(text: str, file: Path) -> None:
    file.write_text("class Writer:\n    def __init__(self, name):\n        open(name, 'w')\n")
    message, _ = refusal(text)
    assert re.search("not called|takes its tensors first", message)
    assert not Path("evaluated").exists()


@pytest.mark.parametrize("text", ["1e999 * dice", "dice / 1e-400", "-1e999 * dice + bce", "dice * (1e999 - 1e999)"])
def test_weights_are_finite(text: str) -> None:
    assert re.search("finite number|divided by zero", refusal(text)[0])
    for weight in (math.inf, -math.inf, math.nan):
        with pytest.raises(ValueError, match="finite number"):
            losskit.build({"loss": "dice", "weight": weight})
        with pytest.raises(ValueError, match="finite number"):
            losskit.DiceLoss() * weight


def test_a_text_has_a_limit() -> None:
    with pytest.raises(ValueError, match="10011 characters"):
        losskit.build("dice + " * 1430 + "x")


@pytest.mark.parametrize(
    "spec",
    [
        "d" * 9000,
        "dice(smooth='" + "x" * 9000 + "')",
        "dice(" + "x" * 9000 + "=1)",
        "ce(class_weight=[" + "1, " * 2500 + "-1])",
        "a" * 4000 + ".py:" + "b" * 4000,
        {"loss": "dice", "weight": "1" * 9000},
        {"loss": "dice", "smooth": "1" * 9000},
        {"x" * 9000: 1.0},
        {"x" * 9000: 1, "y" * 9000: 2},
        {"loss": ["x" * 9000]},
        {"sum": {"x" * 9000: 1}},
    ],
    ids=range(11),
)
def test_messages_quote_at_most_a_line(spec: Any) -> None:
    for references in (False, True):
        with pytest.raises(ValueError) as caught:
            losskit.build(spec, references=references)
        assert len(str(caught.value)) < 800


def test_building_takes_time_in_proportion_to_the_text() -> None:
    """Counts calls of Python functions, which do not depend on the load of the machine."""

    def calls(text: str) -> int:
        profile = cProfile.Profile()
        with contextlib.suppress(ValueError):
            profile.runcall(losskit.build, text)
        return sum(entry.callcount for entry in profile.getstats())

    losskit.build("dice")  # one lookup
    for text in ("dice + ", "ce - 2 * ", "dice(smooth=1) / 2 - "):
        few, many = (calls(text * count + "bce") for count in (100, 400))
        assert many < 4.1 * few


@settings(max_examples=300)
@given(st.text(alphabet="dice bf(=1.5)+-*/,'[]{}gamA_\\é\n", max_size=30))
def test_any_text_is_a_loss_or_a_value_error(text: str) -> None:
    try:
        built = losskit.build(text)
    except ValueError:
        return
    assert isinstance(built, losskit.Loss)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "the mapping is empty"),
        ({"loss": "dcie"}, 'did you mean "dice"?'),
        ({"loss": "dice", "smoth": 1}, 'did you mean "smooth"?'),
        ({"sum": ["dice", {"focal": {"gama": 1}}]}, "sum[1]: FocalLoss has no option 'gama'"),
        ({"sum": ["dice", {"sum": ["bce", {"loss": "focl"}]}]}, "sum[1].sum[1]: There is no loss called 'focl'"),
        ({"dice": {"smooth": "1e-5"}}, "YAML needs the point in 1.0e-3"),
        ({"loss": "dice", "weight": "1e-3"}, "YAML needs the point in 1.0e-3"),
        ({"loss": "ce", "weight": [1, 2]}, "per-class weights are class_weight"),
        ({"dice": 1.0}, "takes a mapping of its options"),
        ({"dice": {}, "bce": {}}, "'dice' and 'bce' do not say which loss this is"),
        ({"sum": []}, "sum takes a list of losses"),
        ({"sum": "dice"}, "sum takes a list of losses"),
        ({"sum": ["dice"], "smooth": 2}, "a sum has no 'smooth'"),
        ({"loss": "dice + bce", "smooth": 1}, "The options smooth belong to one loss"),
        ({"loss": 3}, "expected text or a mapping; got 3"),
    ],
)
def test_errors_in_configs(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as caught:
        losskit.build(config)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("thing", "said"),
    [(3, "got 3"), (None, "got None"), (["dice"], '{"sum": [...]}'), (losskit.DiceLoss, "Pass DiceLoss()")],
)
def test_what_is_no_description(thing: Any, said: str) -> None:
    with pytest.raises(TypeError, match=re.escape(said)):
        losskit.build(thing)


def test_an_error_in_the_users_file_names_its_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("x = 1\ny = x + undefined\n")
    assert "NameError: name 'undefined' is not defined (line 2)" in refusal(f"{broken}:f")[0]
    broken.write_text("x = 1\n\ny = = 2\n")
    assert "(line 3)" in refusal(f"{broken}:f")[0]


# Names from other libraries


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bce + dice(to_onehot_y=True)", "class indices are read as they are"),
        ("bce + dice(softmax=True)", "mode='multiclass'"),
        ("bce + dice(sigmoid=True)", "mode='multilabel'"),
        ("bce + dice(smooth_nr=1)", "smooth"),
        ("bce + dice(batch=True)", "pool='batch'"),
        ("bce + dice(log_loss=True)", "log=True"),
        ("bce + dice(class_weights=[1])", "class_weight"),
        ("bce + dice(weight=[1])", "class_weight"),
        ("bce + bce(size_average=True)", "reduction"),
    ],
)
def test_other_libraries_names_are_answered_with_ours(text: str, said: str) -> None:
    message, place = refusal(text)
    assert "has no option" in message
    assert said in message
    assert place in text
    assert place.endswith(("True", "1", "[1]"))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (lambda: peer("monai").DiceLoss, losskit.DiceLoss),
        (lambda: peer("monai").DiceCELoss, losskit.DiceCELoss),
        (lambda: peer("monai").DiceFocalLoss, losskit.DiceFocalLoss),
        (lambda: peer("monai").FocalLoss, losskit.FocalLoss),
        (lambda: peer("monai").TverskyLoss, losskit.TverskyLoss),
        (lambda: peer("monai").GeneralizedDiceLoss, losskit.DiceLoss),
        (lambda: peer("smp").DiceLoss, losskit.DiceLoss),
        (lambda: peer("smp").JaccardLoss, losskit.JaccardLoss),
        (lambda: peer("smp").TverskyLoss, losskit.FocalTverskyLoss),
        (lambda: peer("smp").FocalLoss, losskit.FocalLoss),
        (lambda: peer("smp").LovaszLoss, losskit.LovaszLoss),
        (lambda: peer("smp").SoftBCEWithLogitsLoss, losskit.BCEWithLogitsLoss),
        (lambda: peer("smp").SoftCrossEntropyLoss, losskit.CrossEntropyLoss),
        (lambda: peer("torch").BCEWithLogitsLoss, losskit.BCEWithLogitsLoss),
        (lambda: peer("torch").CrossEntropyLoss, losskit.CrossEntropyLoss),
        (lambda: peer("torch").NLLLoss, losskit.NLLLoss),
        (lambda: peer("torch").MSELoss, losskit.MSELoss),
        (lambda: peer("kornia").DiceLoss, losskit.DiceLoss),
        (lambda: peer("kornia").FocalLoss, losskit.FocalLoss),
        (lambda: peer("toolbelt").DiceLoss, losskit.DiceLoss),
        (lambda: peer("timm").LabelSmoothingCrossEntropy, losskit.CrossEntropyLoss),
        (lambda: peer("timm").BinaryCrossEntropy, losskit.BCEWithLogitsLoss),
    ],
)  # fmt: skip
def test_every_parameter_of_other_libraries_is_ours_or_answered(
    theirs: Callable[[], Any], ours: type[losskit.Loss]
) -> None:
    parameters = set(inspect.signature(theirs()).parameters) - {"args", "kwargs"}
    assert parameters
    assert parameters - set(ours.options) - set(FOREIGN_NAMES) == set()


def test_what_the_answers_name_exists() -> None:
    options = {name for entry in ENTRIES for name in entry.loss.options}
    for name, advice in FOREIGN_NAMES.items():
        named = re.findall(r"(?:it is |pass |are |with )(\w+)=", advice) + re.findall(r"^it is (\w+)[.;]", advice)
        assert set(named) - {"normalizer", "weight"} <= options, f"{name}: {advice}"


def test_part_names_and_values_of_a_built_sum() -> None:
    parts = losskit.build("bce + 0.5 * mse").parts(ZEROS, ONES)[1]
    assert {name: part.weighted.item() for name, part in parts.items()} == pytest.approx(
        {"bce": math.log(2), "mse": 0.5}
    )
