"""Device classes that have passed are trusted without a comparison; others, and user-defined formulas, are compared."""

import json
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import gpu

import first_use_cases
from losskit.ops import device_forms, trusted

OTHER = [{"device": "another GPU"}, {"torch": "2.99.0"}, {"triton": "3.99.0"}, {"kernels": "of another source"}]


@pytest.mark.parametrize("make", ["Dice and cross-entropy", "Lovasz"])
@pytest.mark.parametrize("changed", [{}, *OTHER], ids=lambda changed: next(iter(changed), "the same"))
def test_only_a_class_that_has_passed_is_trusted(interpreter, changed, make):
    off, compared, explained = interpreter(first_use_cases.of_trusted, changed, make)
    assert max(off) < 1e-6
    assert bool(compared) == bool(changed)
    assert ("trusted without a comparison: every form has passed on cpu" in explained) == (not changed)


@pytest.mark.parametrize("make", ["own region", "own term"])
def test_user_defined_formulas_are_compared_on_every_device(interpreter, make):
    off, compared, _ = interpreter(first_use_cases.of_trusted, {}, make)
    assert max(off) < 1e-6
    assert compared == (1 if make == "own region" else 2)  # its last kernel, and its terms


def test_a_launch_that_raises_on_a_trusted_device_gives_way_to_plain_pytorch(interpreter):
    off, said, operator = interpreter(first_use_cases.of_trusted_at_fault)
    assert all(max(each) < 1e-6 for each in off)
    (only,) = said
    assert "an invalid configuration argument" in only
    assert operator == "reference"


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({}, "forms are trusted without a comparison: every form has passed on cpu"),
        ({"triton": "3.99.0"}, "forms are compared at the first use of each form: cpu has passed with other versions"),
        ({"device": "another GPU"}, "forms are compared at the first use of each form: no kept results for cpu"),
    ],
)
def test_the_doctor_says_which_rule_applies(interpreter, changed, rule):
    (said,) = interpreter(first_use_cases.doctored_rule, changed)
    assert said.startswith(rule)


def test_the_package_trusts_no_device_that_has_not_passed():
    entries = json.loads(trusted.FILE.read_text())
    assert all(set(entry) == set(trusted.DeviceClass._fields) for entry in entries)
    assert not any(entry["device"] == "cpu" for entry in entries)


def test_a_class_is_added_once(tmp_path):
    file = tmp_path / "trusted.json"
    file.write_text("[]")
    passed = trusted.class_of(torch.device("cpu"))
    for each in (passed, passed, passed._replace(torch="2.99.0")):
        trusted.keep(each, file)
    assert [trusted.DeviceClass(**entry) for entry in json.loads(file.read_text())] == [
        passed,
        passed._replace(torch="2.99.0"),
    ]


def test_another_source_of_the_kernels_is_another_class(tmp_path, monkeypatch):
    before = trusted.kernels()
    monkeypatch.setattr(trusted, "SOURCE", tmp_path)
    trusted.kernels.cache_clear()
    assert trusted.kernels() != before
    monkeypatch.undo()
    trusted.kernels.cache_clear()
    assert trusted.kernels() == before


@pytest.mark.parametrize("problem", ["", "1 of 9 numbers of its value differ"])
def test_the_benchmark_keeps_a_device_only_if_every_form_agrees(monkeypatch, tmp_path, capsys, problem):
    file = tmp_path / "trusted.json"
    file.write_text("[]")
    form = next(device_forms.every())
    monkeypatch.setattr(gpu.devices, "check", lambda *_: [gpu.devices.Finding(form, 1.0, problem)])
    assert gpu.keep(torch.device("cpu"), file) == (not problem)
    kept = json.loads(file.read_text())
    assert len(kept) == (not problem)
    assert (problem in capsys.readouterr().out) == bool(problem) or not problem
