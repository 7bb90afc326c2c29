"""The examples of docstrings run and print what they show."""

from __future__ import annotations

import doctest
import inspect

import pytest
import torch

import losskit
from cases import ENTRIES

LOSSES = [entry.loss for entry in ENTRIES] + [
    value for value in vars(losskit.compose).values() if inspect.isclass(value) and issubclass(value, torch.nn.Module)
]
PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (losskit, losskit.compose, losskit.distributed)
    for name in dir(module)
    if not inspect.ismodule(getattr(module, name))
}


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_every_loss_has_an_example(loss):
    name = loss.__name__
    assert f"losskit.{name}(" in loss.__doc__, f"the docstring of {name} has no example: end it with `Example:`"
    assert ">>> " in loss.__doc__


@pytest.mark.parametrize("name", PUBLIC)
def test_examples_print_what_they_show(name):
    runner = doctest.DocTestRunner()
    for test in doctest.DocTestFinder().find(PUBLIC[name], name, globs={"torch": torch, "losskit": losskit}):
        runner.run(test)
    assert runner.failures == 0
