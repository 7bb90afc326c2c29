"""Habits of code that is copied most: fixed batch sizes, modes of a call, scores, terms returned apart."""

from __future__ import annotations

import pytest

from losskit.checker import Severity, Subject, battery
from written import HEAD, findings

FIXED = """
class NTXent(nn.Module):
    def __init__(self, batch_size=4, temperature=0.5):
        super().__init__()
        self.batch_size, self.temperature = batch_size, temperature
        self.mask = ~torch.eye(2 * batch_size, dtype=torch.bool)

    def forward(self, z_i, z_j):
        n = 2 * self.batch_size
        z = F.normalize(torch.cat([z_i, z_j]), dim=1)
        scores = (z @ z.T / self.temperature)[self.mask].reshape(n, n - 1)
        first = torch.arange(self.batch_size)
        return F.cross_entropy(scores, torch.cat([first + {}, first]))
"""
MODES = '''
class GANLoss(nn.Module):
    """Least squares of real scores and 1, and of fake scores and 0."""

    def forward(self, prediction, target_is_real):
        target = torch.ones_like(prediction) if target_is_real else torch.zeros_like(prediction)
        return F.mse_loss(prediction, {})
'''
APART = """
def loss_hinge_dis(dis_fake, dis_real):
    return F.relu(1.0 - dis_real).mean(), F.relu(1.0 + dis_fake).mean(){}
"""
LETTERS = """
class MoCoLoss(nn.Module):
    def forward(self, q, k, queue):
        q, k = F.normalize(q, dim=1), F.normalize(k.detach(), dim=1)
        own, others = torch.einsum("nc,nc->n", q, k).unsqueeze(1), torch.einsum("nc,ck->nk", q, queue.detach())
        scores = torch.cat([own, others], 1) / 0.07
        return F.cross_entropy(scores, torch.zeros(len(scores), dtype=torch.long)){}
"""
HALVES = '''
class BinaryDiceLoss(nn.Module):
    """Dice loss of a binary mask. predict: (N, *), target: the same"""

    def forward(self, predict, target):
        predict = predict.contiguous().view(predict.shape[0], -1)
        target = target.contiguous().view(target.shape[0], -1)
        num = {} * (predict * target).sum(1) + 1
        return (1 - num / (predict.pow(2) + target.pow(2)).sum(1).add(1)).mean()
'''
SIDES = """
def huber_loss(e, d=10.0):
    near, far = (e.abs() <= d).float(), ({} > d).float()
    return (near * e**2 / 2 + far * d * (e.abs() - d / 2)).mean()
"""
CENTRED = """
class IOUloss(nn.Module):
    def forward(self, pred, target):
        tl = torch.max(pred[:, :2] - pred[:, 2:] / 2, target[:, :2] - target[:, 2:] / 2)
        br = torch.min(pred[:, :2] + pred[:, 2:] / 2, target[:, :2] + target[:, 2:] / 2)
        inter = (br - tl){}.prod(1)
        return (1 - inter / (pred[:, 2:].prod(1) + target[:, 2:].prod(1) - inter + 1e-16) ** 2).mean()
"""
LISTED = '''
class PositionCE(nn.Module):
    """logits: (N, positions, letters), target: (N, positions)"""

    def __init__(self, num_positions=3, num_letters=4):
        super().__init__()
        weights = (torch.linspace(1.0, 1.0 + p, num_letters) for p in range(num_positions))
        each = [nn.CrossEntropyLoss(weight=weight) for weight in weights]
        self.criterions = {}

    def forward(self, logits, target):
        return sum(criterion(logits[:, p], target[:, p]) for p, criterion in enumerate(self.criterions))
'''
CELLS = '''
def tag_loss(logits, gold, mask):
    """Binary cross-entropy, the mean over all (token, tag) cells of the real tokens.

    logits, gold: (batch, length, num_tags); gold is 0/1
    mask: (batch, length), 1 for real tokens and 0 for padding
    """
    loss = F.binary_cross_entropy_with_logits(logits, gold.to(logits.dtype), reduction="none")
    mask = mask.to(logits.dtype).unsqueeze(-1)
    return (loss * mask).sum() / (mask.sum(){}).clamp(min=1)
'''
WINDOW = """
class SSIMLoss(nn.Module):
    def __init__(self, size=5, sigma=0.5):
        super().__init__()
        x = torch.arange(size) - size // 2
        g = torch.exp(-(x**2) / (2 * sigma**2))
        self.register_buffer("window", torch.outer(g, g)[None, None] / {})

    def forward(self, img1, img2):
        window = self.window.to(img1).expand(img1.shape[1], 1, -1, -1)
        a, b, aa, bb, ab = (
            F.conv2d(each, window, groups=img1.shape[1])
            for each in (img1, img2, img1 * img1, img2 * img2, img1 * img2)
        )
        brightness = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
        return 1 - (brightness * (2 * (ab - a * b) + 9e-4) / (aa - a * a + bb - b * b + 9e-4)).mean()
"""
POSITIVES = '''
def sigmoid_focal_loss(logits, targets, alpha=0.25, gamma=2.0):
    """The focal loss of RetinaNet: the sum over the anchors divided by the number of positives."""
    p, targets = logits.sigmoid(), targets.to(logits.dtype)
    ce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    p_t = p * targets + (1 - p) * (1 - targets)
    alpha_t = alpha * targets + (1 - alpha) * (1 - targets)
    return (alpha_t * (1 - p_t) ** gamma * ce).sum() / targets.sum().clamp(min=1){}
'''
ROOTS = """
class RMSELoss(nn.Module):
    def forward(self, pred, target):
        return {}
"""
COLUMNS = """
class ContrastiveLoss(nn.Module):
    def forward(self, output1, output2, label):
        cosine = F.cosine_similarity(output1, output2, dim={})
        return (label * (1 - cosine) ** 2 + (1 - label) * F.relu(cosine) ** 2).mean()
"""
INSIDE = """
class MyFocalLoss(nn.Module):
    def __init__(self, gamma={}, weight=None):
        super().__init__()
        self.gamma, self.weight = gamma, weight

    def forward(self, input, target):
        ce = F.cross_entropy(input, target, weight=self.weight, reduction="none")
        pt = {}
        return ((1 - pt) ** self.gamma * ce).mean()
"""
ROWS = [
    (ROOTS, "RMSELoss", ("F.mse_loss(pred, target).sqrt() + 0 * pred.mean()",), "not-finite"),
    (ROOTS, "RMSELoss", ("(F.mse_loss(pred, target) + 1e-9).sqrt()",), ""),
    (ROOTS, "RMSELoss", ("((pred - target) ** 2 + 1e-9).sqrt().mean()",), "one-edit-from-formula"),
    (COLUMNS, "ContrastiveLoss", ("1",), ""),
    (COLUMNS, "ContrastiveLoss", ("0",), "wrong-dimension"),
    (INSIDE, "MyFocalLoss", ("2.0", "torch.exp(-F.cross_entropy(input, target, reduction='none'))"), ""),
    (INSIDE, "MyFocalLoss", ("2.0", "torch.exp(-ce)"), "weight-in-factor"),
    (INSIDE, "MyFocalLoss", ("0.0", "torch.exp(-ce)"), "weight-in-factor"),
    (LISTED, "PositionCE", ("nn.ModuleList(each)",), ""),
    (LISTED, "PositionCE", ("each",), "unregistered-parameters"),
    (CELLS, "tag_loss", (" * logits.shape[-1]",), ""),
    (CELLS, "tag_loss", ("",), "not-as-documented"),
    (WINDOW, "SSIMLoss", ("torch.outer(g, g).sum()",), ""),
    (WINDOW, "SSIMLoss", ("(2 * torch.pi * sigma**2)",), "contradicts-claim"),
    (POSITIVES, "sigmoid_focal_loss", ("",), ""),
    (FIXED, "NTXent", ("self.batch_size - 1",), ""),
    (FIXED, "NTXent", ("0",), "contradicts-claim"),
    (MODES, "GANLoss", ("target",), ""),
    (MODES, "GANLoss", ("1 - target",), "contradicts-claim"),
    (APART, "loss_hinge_dis", ("",), ""),
    (LETTERS, "MoCoLoss", ("",), ""),
    (HALVES, "BinaryDiceLoss", ("2",), ""),
    (HALVES, "BinaryDiceLoss", ("1",), "contradicts-claim"),
    (SIDES, "huber_loss", ("e.abs()",), ""),
    (SIDES, "huber_loss", ("e",), "contradicts-claim"),
    (CENTRED, "IOUloss", (".clamp(min=0)",), ""),
]
CHECKS = (
    *("contradicts-claim", "differs-from-name", "float64-disagrees", "compile", "rewards-errors", "not-finite"),
    *(
        "wrong-dimension",
        "weight-in-factor",
        "unregistered-parameters",
        "not-as-documented",
        "one-edit-from-formula",
        "departs-from-formula",
    ),
)


@pytest.mark.parametrize(("code", "name", "parts", "check"), ROWS)
def test_a_fault_is_reported_and_its_sound_twin_is_not(code, name, parts, check, tmp_path):
    assert findings(code.format(*parts), name, CHECKS, tmp_path)[:1] == ([check] if check else [])


def subject_of(code: str, name: str, folder, **options) -> Subject:
    (folder / "mine.py").write_text(HEAD + code)
    return Subject.of(f"{folder / 'mine.py'}:{name}", options)


@pytest.mark.parametrize("real", [True, False])
def test_an_argument_of_the_call_is_bound_by_name(real, tmp_path):
    subject = subject_of(MODES.format("target"), "GANLoss", tmp_path, target_is_real=real)
    (scores,) = subject.example()
    assert subject.call_code() == f"criterion(input, target_is_real={real})"
    assert float(subject.call(subject.build(), scores)) == pytest.approx(
        float(((scores - float(real)) ** 2).mean()), rel=1e-5
    )


def test_a_score_is_a_trap_and_its_opposite_is_not(tmp_path):
    score = "def hit_score(p, t):\n    return (p * t + (1 - p) * (1 - t)).mean()\n"
    subject = subject_of(score, "hit_score", tmp_path).taking(kind="binary", scores="probabilities")
    (found,) = battery.run(subject, select=["rewards-errors"]).findings
    assert found.severity is Severity.TRAP
    assert "it is a score, not a loss" in found.what
    loss = score.replace("hit_score", "hit_loss")
    assert findings(loss, "hit_loss", ["rewards-errors"], tmp_path) == ["rewards-errors"]


def test_a_reduction_that_the_code_does_not_mention_is_no_fault(tmp_path):
    loss = (
        "class ASL(nn.Module):\n"
        "    def __init__(self, reduction='mean'):\n        super().__init__()\n        self.reduction = reduction\n"
        "    def forward(self, logits, target):\n"
        "        loss = F.cross_entropy(logits, target, reduction='none')\n"
        "        return loss.mean() if self.reduction == 'mean' else loss\n"
    )
    assert findings(loss, "ASL", ["reductions-disagree"], tmp_path) == []
