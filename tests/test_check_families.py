"""For families of losses: a loss that is the formula of its name, and the same with one slip, which is found."""

import pytest

from families_of_labels import OF_LABELS
from families_of_models import OF_MODELS
from families_of_others import OF_OTHERS
from families_of_pairs import OF_PAIRS
from losskit.checker.claims.text import text_of
from losskit.checker.origin import origin_of
from losskit.checker.references.binding import bound_to
from losskit.checker.references.one_edit import one_edit_from_formula
from losskit.checker.references.reference import REFERENCES
from losskit.checker.references.unlike import forms_of, is_formula
from losskit.checker.subject import Subject

HEAD = "import math\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n"

CASES = {**OF_LABELS, **OF_MODELS, **OF_OTHERS, **OF_PAIRS}


# Slips in two parts of one line.
WIDER = {
    "masked_lm_loss": ("(nll * mask).sum() / mask.sum()", "(nll * mask).mean()"),
    "seg_cross_entropy": ("loss.sum() / (target != ignore_index).sum()", "loss.sum() / (target == ignore_index).sum()"),
}


def subject_of(code, name, folder):
    path = folder / f"{name.lower()}.py"
    path.write_text(HEAD + code.strip() + "\n")
    return Subject(origin_of(f"{path}:{name}"), None)


@pytest.mark.parametrize("name", CASES)
def test_a_loss_that_is_its_formula_is_recognized(name, tmp_path):
    code, _, said = CASES[name]
    subject = subject_of(code, name, tmp_path)
    text = text_of(subject.build(), subject.name)
    bound = [bound_to(subject, each, text) for each in REFERENCES if each.said == said]
    forms = [form for each in bound if each is not None for form in forms_of(each)]
    assert any(is_formula(form, subject.name) for form in forms)
    assert list(one_edit_from_formula(subject)) == []


@pytest.mark.parametrize("name", CASES)
def test_one_slip_in_it_is_found(name, tmp_path):
    code, (right, wrong), said = CASES[name]
    assert right in code
    (found,) = one_edit_from_formula(subject_of(code.replace(right, wrong), name, tmp_path))
    assert "line" in found.what
    assert said in found.what


@pytest.mark.parametrize("name", WIDER)
def test_a_slip_in_two_parts_of_a_line_is_found(name, tmp_path):
    code, _, said = CASES[name]
    right, wrong = WIDER[name]
    (found,) = one_edit_from_formula(subject_of(code.replace(right, wrong), name, tmp_path))
    assert said in found.what
