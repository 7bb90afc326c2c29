"""Softmaxes, norms and means over the wrong dimension, tensors cut from the graph, and forms that code alone gives."""

from __future__ import annotations

import pytest

from written import findings

PIXELS = '''
def pixel_distillation(student, teacher):
    """Cross-entropy between teacher and student at every pixel. student, teacher: logits (N, C, H, W)"""
    n, c, h, w = student.shape
    s, t = (each{}.reshape(-1, c) for each in (student, teacher.detach()))
    return -(t.softmax(1) * s.log_softmax(1)).sum() / (n * h * w)
'''
TOKENS = '''
class TokenCosine(nn.Module):
    """1 - cosine of predicted and target embeddings of tokens. z, h: (B, N, D)"""

    def forward(self, z, h):
        return 1 - F.cosine_similarity(z, h.detach(), dim={}).mean()
'''
NORMS = '''
def gradient_penalty(gradients, weight=10.0):
    """WGAN-GP. gradients: of the critic at mixed images, (N, C, H, W)"""
    return weight * ((gradients{}.norm(2, dim=1) - 1) ** 2).mean()
'''
ACTIONS = '''
class ActionLoss(nn.Module):
    """Mean absolute error of the steps that are not padded, plus a KL divergence.

    pred, actions: (B, T, action_dim); is_pad: bool (B, T), true where padded; mu, logvar: (B, latent)
    """

    def forward(self, pred, actions, is_pad, mu, logvar):
        keep = ~is_pad.unsqueeze(-1)
        error = ((pred - actions).abs() * keep).sum() / (keep.sum(){}).clamp_min(1)
        return error - 0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()
'''
BALANCED = """
class FocalLoss(nn.Module):
    # the alpha-balanced focal loss of a detector with sigmoid outputs
    def __init__(self, alpha=0.25, gamma=2.0):
        super().__init__()
        self.alpha, self.gamma = alpha, gamma

    def forward(self, logits, targets):
        bce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        alpha = {}
        return (alpha * (1 - torch.exp(-bce)) ** self.gamma * bce).mean()
"""
TASKS = '''
class TwoTasks(nn.Module):
    """Two regressions weighted by learned uncertainty."""

    def __init__(self):
        super().__init__()
        self.eta = nn.Parameter(torch.zeros(2))

    def forward(self, out1, y1, out2, y2):
        losses = [F.mse_loss(out1, y1), F.mse_loss(out2, y2)]
        return ({}(losses) * torch.exp(-self.eta) + self.eta).sum()
'''
UNLISTED = '''
class LearnedWeights(nn.Module):
    """Learned weights of the losses of tasks. losses: (num_tasks,)"""

    def __init__(self, num_tasks=3):
        super().__init__()
        self.log_vars = {}

    def forward(self, losses):
        return sum(torch.exp(-s) * each + s for s, each in zip(self.log_vars, losses))
'''
EACH_TASK = "nn.Parameter(torch.zeros(())) for _ in range(num_tasks)"
RANKS = '''
class RankLoss(nn.Module):
    """Ordinal regression with the encoding [1, 1, 0]."""

    def __init__(self, weights={}):
        super().__init__()
        self.weights = weights

    def forward(self, predictions, targets):
        wanted = torch.zeros_like(predictions)
        for i, target in enumerate(targets):
            wanted[i, : target + 1] = 1
        loss = F.mse_loss(predictions, wanted, reduction="none")
        return (loss * self.weights if self.weights is not None else loss).mean()
'''
DIGITS = """
def loss_function(recon_x, x, mu, logvar):
    bce = F.binary_cross_entropy(recon_x, x.view(-1, 28 * 28), reduction="sum")
    return bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) {} logvar.exp())
"""
COUNTS = '''
class PoissonNLL(nn.Module):
    """Poisson likelihood. prediction: positive, target: counts"""

    def forward(self, prediction, target):
        # Poisson NLL: pred - target * log(pred), without log(target!)
        return (prediction + 1e-8 {} target * torch.log(prediction + 1e-8)).mean()
'''
SPREADS = """
class GaussianNLL(nn.Module):
    def forward(self, y_pred_mean, y_pred_std, y_true):
        y_pred_std = F.softplus(y_pred_std) + 1e-6
        var = y_pred_std**2
        loss = 0.5 * torch.log(var) {} 0.5 * ((y_true - y_pred_mean) ** 2) / var
        return loss.mean() + 1e-2 * var.mean()
"""
SCORED = """
def dice_coef(pred, target):
    intersection = (pred * target).sum()
    return (2.0 * intersection + 1) / (pred.sum() + target.sum() + 1)


def dice_loss(pred, target):
    dice_loss = 1 {} dice_coef(pred, target)
    return dice_loss
"""
ROWS = [
    (PIXELS, "pixel_distillation", (".permute(0, 2, 3, 1)",), ""),
    (PIXELS, "pixel_distillation", ("",), "one-edit-from-formula"),
    (TOKENS, "TokenCosine", ("-1",), ""),
    (TOKENS, "TokenCosine", ("1",), "wrong-dimension"),
    (NORMS, "gradient_penalty", (".flatten(1)",), ""),
    (NORMS, "gradient_penalty", ("",), "contradicts-claim"),
    (ACTIONS, "ActionLoss", (" * pred.shape[-1]",), ""),
    (ACTIONS, "ActionLoss", ("",), "not-as-documented"),
    (BALANCED, "FocalLoss", ("self.alpha * targets + (1 - self.alpha) * (1 - targets)",), ""),
    (BALANCED, "FocalLoss", ("self.alpha",), "contradicts-claim"),
    (TASKS, "TwoTasks", ("torch.stack",), ""),
    (TASKS, "TwoTasks", ("torch.Tensor",), "no-graph"),
    (UNLISTED, "LearnedWeights", (f"nn.ParameterList({EACH_TASK})",), ""),
    (UNLISTED, "LearnedWeights", (f"[{EACH_TASK}]",), "unregistered-parameters"),
    (RANKS, "RankLoss", ("None",), ""),
    (RANKS, "RankLoss", ("False",), "no-graph"),
    (DIGITS, "loss_function", ("-",), ""),
    (DIGITS, "loss_function", ("+",), "rewards-errors"),
    (COUNTS, "PoissonNLL", ("-",), ""),
    (COUNTS, "PoissonNLL", ("+",), "one-edit-from-formula"),
    (SPREADS, "GaussianNLL", ("+",), ""),
    (SPREADS, "GaussianNLL", ("-",), "rewards-errors"),
    (SCORED, "dice_loss", ("-",), ""),
    (SCORED, "dice_loss", ("+",), "one-edit-from-formula"),
]


CHECKS = (
    *("wrong-dimension", "contradicts-claim", "not-as-documented", "no-graph", "unregistered-parameters"),
    *("order-matters", "rewards-errors", "not-finite", "differs-from-name", "one-edit-from-formula"),
)


@pytest.mark.parametrize(("code", "name", "parts", "check"), ROWS)
def test_a_fault_is_reported_and_its_sound_twin_is_not(code, name, parts, check, tmp_path):
    assert findings(code.format(*parts), name, CHECKS, tmp_path)[:1] == ([check] if check else [])
