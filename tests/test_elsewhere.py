"""Every loss name of the other libraries has an answer: the name of our loss, or "not available here"."""

import re

import pytest
import torch

import losskit
from losskit.core import elsewhere
from losskit.core.catalogue import find
from peers import MODULES, peer


def losses_of(library):
    modules = [torch.nn, torch.nn.functional] if library == "torch" else [peer(library)]
    for module in modules:
        for name, found in vars(module).items():
            is_loss = re.search("loss|cross_?entropy", name, re.IGNORECASE) and not name.startswith("_")
            if is_loss and callable(found) and not name.endswith("Options"):
                yield name


@pytest.mark.parametrize("library", MODULES)
def test_each_name_is_known(library):
    names = list(losses_of(library))
    assert names
    unknown = []
    for name in names:
        try:
            find(name)
        except ValueError as error:
            if "did you mean" in str(error) or elsewhere.answer(name) is None:
                unknown.append(name)
    assert not unknown, "name them in core/elsewhere.py"


def test_what_an_answer_names_exists():
    for name in elsewhere._ANSWERS:
        for ours in re.findall(r"(?<!torch\.nn\.)\b[A-Z]\w+Loss\b", elsewhere._ANSWERS[name]):
            assert hasattr(losskit, ours), f"{name}: {ours}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SSIMLoss", "compares images"),
        ("MS_SSIMLoss", "compares images"),
        ("mutual_information_loss_2d", "mutual information"),
        ("SoftTargetCrossEntropy", "it is CrossEntropyLoss"),
        ("sigmoid_focal_loss", "it is FocalLoss"),
    ],
)
def test_the_answer_is_in_the_error(name, expected):
    with pytest.raises(ValueError, match=expected):
        losskit.build(name)
