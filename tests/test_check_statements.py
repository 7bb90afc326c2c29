"""Statements of a docstring about values, means, bounds and sizes are compared with the numbers of the loss."""

from __future__ import annotations

from pathlib import Path

import pytest

from losskit.checker import Subject, battery

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"

EVENTS = '''
def cox(log_h, durations, events):
    """Negative partial log-likelihood over the number of events. A batch without any event has loss 0."""
    order = durations.sort(descending=True)[1]
    events, theta = events[order], log_h[order]
    nll = -((theta - theta.logcumsumexp(0)) * events).sum()
    return nll / events.sum(){}
'''
PROFILES = '''
def profile_mse(y_hat, y):
    """Mean squared error over samples and time steps; both (N, T)."""
    return (y_hat - y).square().sum() / {}
'''
SUMMED = '''
def sequence_error(y_hat, y):
    """Squared error, summed over time steps, mean over samples; both (N, T)."""
    return (y_hat - y).square().{}
'''
EMPTY = '''
def mask_dice(p, t, eps=1.0):
    """Dice loss of probabilities (N, H, W) and masks. An empty mask with nothing predicted is correct, loss 0."""
    p, t = p.flatten(1), t.flatten(1)
    return (1 - (2 * (p * t).sum(1){}) / (p.sum(1) + t.sum(1) + eps)).mean()
'''
SAME = '''
def my_bce(logits, targets):
    """Same as F.binary_cross_entropy_with_logits."""
    return {}F.binary_cross_entropy_with_logits(logits, targets)
'''
BOUNDS = '''
def soft_dice(logits, targets):
    """Dice loss of logits and masks (N, H, W). The loss lies between 0 and 1."""
    p = logits.sigmoid().flatten(1)
    t = targets.flatten(1)
    return {} - ((2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)).mean()
'''
EQUAL = '''
def smooth_l1(x, y):
    """Smooth error of numbers (N, C), zero for identical inputs."""
    return ((x - y).square() + 0.25).sqrt().mean(){}
'''
SCALED = '''
def direction(x, y):
    """Squared error of two fields of numbers, (N, C). Invariant to scaling."""
    return ({}).square().mean()
'''
NORMAL = "(x - x.mean(1, True)) / x.std(1, keepdim=True) - (y - y.mean(1, True)) / y.std(1, keepdim=True)"
SIZES = '''
def info_nce(pos, neg):
    """InfoNCE.

    pos: (N,) similarity of each anchor to its positive
    neg: (N, K) similarities to its negatives
    """
    most = neg.max(dim=1{}).values
    return (torch.log(torch.exp(neg - most).sum(1)) + most.squeeze() - pos).mean()
'''

ROWS = [
    (EVENTS, "cox", "", True),
    (EVENTS, "cox", ".clamp(min=1)", False),
    (PROFILES, "profile_mse", "len(y)", True),
    (PROFILES, "profile_mse", "y.numel()", False),
    (SUMMED, "sequence_error", "mean()", True),
    (SUMMED, "sequence_error", "sum(1).mean()", False),
    (EMPTY, "mask_dice", "", True),
    (EMPTY, "mask_dice", " + eps", False),
    (SAME, "my_bce", "0.5 * ", True),
    (SAME, "my_bce", "", False),
    (BOUNDS, "soft_dice", "2", True),
    (BOUNDS, "soft_dice", "1", False),
    (EQUAL, "smooth_l1", "", True),
    (EQUAL, "smooth_l1", " - 0.5", False),
    (SCALED, "direction", "x - y", True),
    (SCALED, "direction", NORMAL, False),
    (SIZES, "info_nce", "", True),
    (SIZES, "info_nce", ", keepdim=True", False),
]


@pytest.mark.parametrize(("code", "name", "part", "false"), ROWS, ids=[f"{row[1]}-{row[3]}" for row in ROWS])
def test_a_false_statement_is_reported(tmp_path: Path, code: str, name: str, part: str, false: bool) -> None:
    (tmp_path / f"{name}.py").write_text(HEAD + code.format(part))
    report = battery.run(Subject.of(f"{tmp_path / name}.py:{name}"), ["not-as-documented"])
    assert [each.check for each in report.findings] == ["not-as-documented"] * false, report.findings
    for each in report.findings if name != "info_nce" else ():  # that one refuses the call
        exec(each.repro, {})
