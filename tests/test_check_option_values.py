"""Options of the command line as text: literals, what PyTorch has, and otherwise the text."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from losskit.checker.option_values import code_of, value_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2),
        ("[0.5, 1]", [0.5, 1]),
        ("'mean'", "mean"),
        ("mean", "mean"),
        ("torch.sigmoid", torch.sigmoid),
        ("F.relu", F.relu),
        ("torch.float16", torch.float16),
        ("torch.no_such", "torch.no_such"),
        ("os.getcwd()", "os.getcwd()"),
        ("torch.__name__", "torch.__name__"),
        ("a b", "a b"),
    ],
)
def test_values(text, value):
    assert value_of(text) == value


def test_a_module_is_made_and_its_code_makes_it_again():
    made = value_of("nn.Softmax(dim=1)")
    assert isinstance(made, nn.Softmax)
    assert made.dim == 1
    code = code_of(made)
    assert code == "torch.nn.Softmax(dim=1)"
    assert isinstance(eval(code, {"torch": torch}), nn.Softmax)


def test_code_of_functions():
    assert code_of(torch.sigmoid) == "torch.sigmoid"
    assert code_of(F.relu) == "torch.nn.functional.relu"
    assert code_of("mean") == "'mean'"
