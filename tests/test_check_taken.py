"""Calls that the checker finds by itself: lists of heads, losses of tasks, CTC, scores of a critic, needed options."""

from __future__ import annotations

from pathlib import Path

import pytest

from losskit.checker import battery
from losskit.checker.subject import Subject

HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n\n"
LOSSES = {
    "heads": '''
class Loss(nn.Module):
    """The weighted cross entropy of several heads."""

    def __init__(self, weights=(1.0, 0.5, 0.25)):
        super().__init__()
        self.weights = list(weights)

    def forward(self, outputs, target):
        assert len(outputs) == len(self.weights)
        return sum(w * F.cross_entropy(outputs[i], target) for i, w in zip(range(len(outputs)), self.weights))
''',
    "tasks": '''
class Loss(nn.Module):
    """Uncertainty weights of task losses."""

    def __init__(self, num_tasks=3):
        super().__init__()
        self.log_vars = nn.ParameterList([nn.Parameter(torch.zeros(())) for _ in range(num_tasks)])

    def forward(self, losses):
        if len(losses) != len(self.log_vars):
            raise ValueError("expected one loss per task")
        return sum(torch.exp(-s) * each + s for each, s in zip(losses, self.log_vars))
''',
    "tasks by name": '''
class Loss(nn.Module):
    """Uncertainty weights of task losses."""

    def __init__(self, tasks=("depth", "mask")):
        super().__init__()
        self.log_vars = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in tasks})

    def forward(self, losses):
        total = 0.0
        for name, loss in losses.items():
            total = total + torch.exp(-self.log_vars[name]) * loss + self.log_vars[name]
        return total
''',
    "ctc": '''
class Loss(nn.Module):
    """CTC of a text recogniser; logits (batch, width, classes)."""

    def forward(self, logits, targets, target_lengths):
        log_probs = logits.permute(1, 0, 2).log_softmax(2)
        lengths = torch.full((logits.shape[0],), logits.shape[1], dtype=torch.long)
        return F.ctc_loss(log_probs, targets, lengths, target_lengths, zero_infinity=True)
''',
    "scores of a critic": '''
class Loss(nn.Module):
    """The gradient penalty of WGAN-GP for the scores of samples."""

    def forward(self, scores, samples):
        slope = torch.autograd.grad(scores.sum(), samples, create_graph=True)[0]
        return ((slope.flatten(1).square().sum(1) + 1e-12).sqrt() - 1).square().mean()
''',
    "needed by an option": '''
class Loss(nn.Module):
    """The squared error of heatmaps (N, J, H, W) with weights (N, J) of joints."""

    def __init__(self, use_target_weight=True):
        super().__init__()
        self.use_target_weight = use_target_weight

    def forward(self, output, target, target_weight=None):
        each = (output - target).square().mean((2, 3))
        return (each * target_weight[:, :]).mean() if self.use_target_weight else each.mean()
''',
    "callable class": '''
class Loss:
    """The error of a denoised image; net(x, sigma) returns the image."""

    def __call__(self, net, images):
        sigma = torch.ones(len(images), 1, 1, 1)
        return (net(images + sigma * torch.randn_like(images), sigma) - images).square().mean()
''',
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_sound_loss_is_taken_and_not_accused(tmp_path: Path, name: str) -> None:
    (tmp_path / "mine.py").write_text(HEAD + LOSSES[name])
    report = battery.run(Subject.of(f"{tmp_path / 'mine.py'}:Loss"))
    faults = [each for each in report.findings if each.severity.value in ("wrong", "no gradient")]
    assert [(each.check, each.what) for each in faults] == []


def test_the_scores_of_a_critic_depend_on_its_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Per pixel instead of per sample, the penalty still trains; its repro makes the scores."""
    faulty = LOSSES["scores of a critic"].replace("((slope", "0 * ((slope")
    (tmp_path / "flat_penalty.py").write_text(HEAD + faulty)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    report = battery.run(Subject.of("flat_penalty.py:Loss"), select=["no-graph"])
    (found,) = report.findings
    assert "losskit.checker.models.scores(" in found.repro
    exec(found.repro, {})
