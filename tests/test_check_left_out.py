"""Jumps, thresholded terms, what is left out of a mean, and arguments that nothing reads."""

from __future__ import annotations

import pytest

from written import findings

WING = """
def wing_loss(prediction, target):
    error, joined = (prediction - target).abs(), 3 - 3 * math.log(1 + 3 / 0.5)
    return torch.where(error < 3, 3 * (1 + error / 0.5).log(), error - {}).mean()
"""
ADAPTIVE = """
class AdaptiveWing(nn.Module):
    def __init__(self, omega=14, theta=0.5, epsilon=1, alpha=2.1):
        super().__init__()
        self.omega, self.theta, self.epsilon, self.alpha = omega, theta, epsilon, alpha

    def forward(self, pred, target, weight_map):
        error, power, bound = (pred - target).abs(), self.alpha - target, self.theta / self.epsilon
        slope = self.omega / (1 + bound**power) * power * bound ** (power - 1) / self.epsilon
        constant = self.theta * slope - self.omega * (1 + bound**power).log()
        near = self.omega * (1 + (error / self.{}) ** power).log()
        return (torch.where(error < self.theta, near, slope * error - constant) * (1 + 10 * weight_map)).mean()
"""
BCE_DICE = '''
class BCEDice(nn.Module):
    """Binary cross-entropy plus Dice. logits, target: (N, 1, H, W)"""

    def dice(self, logits, target):
        p = {}.flatten(1)
        t = target.flatten(1)
        return ((2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)).mean()

    def forward(self, logits, target):
        return F.binary_cross_entropy_with_logits(logits, target) + 1 - self.dice(logits, target)
'''
SMOOTHED = """
def dice_loss(logits, masks, smooth=1.0):
    p, t = logits.sigmoid().flatten(1), masks.flatten(1)
    return (1 - (2 * (p * t).sum(1){}) / (p.sum(1) + t.sum(1) + smooth)).mean()
"""
DEPTH = '''
def depth_l1(depth, gt):
    """Mean absolute error of the measured pixels. depth, gt: (N, 1, H, W); gt is 0 where nothing was measured."""
    valid = (gt > 0).to(depth.dtype)
    return (torch.abs(depth - gt) * valid).{}
'''
EDGES = """
def edge_loss(fake, real):
    kernel = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]], dtype=fake.dtype)[None, None]
    fake, real = fake.mean(1, True), real.mean(1, True)
    x = F.l1_loss(F.conv2d(fake, kernel, padding=1), F.conv2d(real, kernel, padding=1))
    y = F.l1_loss(F.conv2d(fake, kernel.transpose(2, 3), padding=1), F.conv2d(real, kernel.transpose(2, 3), padding=1))
    return {}
"""
NORMALS = """
def normal_loss(pred, gt):
    pred = F.normalize(pred, dim={})
    return (1 - (pred * gt).sum(dim=1)).mean()
"""
UNREAD = '''
def log_of(x, least=1e-5):
    return x{}.log1p()


def log_error(x, y):
    """Mean absolute difference of the logarithms of magnitudes, (N, C)."""
    return (log_of(x.abs()) - log_of(y.abs())).abs().mean()
'''
SIGNED = '''
def gradient_loss(sr, hr):
    """Gradient difference of images (N, C, H, W)."""
    def size(x):
        return {}(x - x.roll(1, -1)) + {}(x - x.roll(1, -2))
    return {}
'''
LENGTHS = '''
def token_nll(pred, label, valid_len):
    """Mean cross-entropy of the real tokens of padded sentences. pred (N, T, V), label (N, T), valid_len (N,)"""
    keep = (torch.arange(label.shape[1]) < valid_len[:, None]).to(pred.dtype)
    each = F.cross_entropy(pred.transpose(1, 2), label, reduction="none") * keep
    return {}.mean()
'''
PAIRS = """
class ContrastiveLoss(nn.Module):
    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    def forward(self, embeddings, labels):
        d = torch.cdist(embeddings, embeddings)
        same = (labels[:, None] == labels[None]).float()
        return (d.square() * same).mean() + {}.square().mean()
"""
CHUNKS = '''
def action_loss(pred, actions, is_pad):
    """MSE averaged over every component that is not padding.

    pred, actions: (B, horizon, action_dim); is_pad: (B, horizon) bool
    """
    keep = (~is_pad).unsqueeze(-1)
    return (F.mse_loss(pred, actions, reduction="none") * keep).sum() / (keep.sum(){}).clamp(min=1)
'''
HARDEST = '''
class BatchHard(nn.Module):
    """Triplets of each anchor with its positive and the hardest other row of positive. Cosine distance."""

    def __init__(self, margin=0.5):
        super().__init__()
        self.margin = margin

    def forward(self, anchor, positive):
        d = 1 - F.normalize(anchor, dim=1) @ F.normalize(positive, dim=1).t()
        eye = torch.eye(len(d), dtype=torch.bool)
        other = d.masked_fill(eye, {}.values
        return F.relu(d.diagonal() - other + self.margin).mean()
'''
LAPLACE = '''
class LaplaceNLL(nn.Module):
    """Likelihood of a Laplace distribution. input: (B, C*2, H, W), mean and log scale; target: (B, C, H, W)"""

    def forward(self, input, target, *, mask=None):
        mean, log_scale = input.chunk(2, 1)
        loss = log_scale + (mean - target).abs() / log_scale.exp() + math.log(2)
        if mask is not None:
            return (loss * mask).sum() / {}
        return loss.mean()
'''
TUBE = '''
def tube_loss(y_true, y_pred, q=0.9, r=0.1):
    """Loss of a prediction interval, y_pred (N, 2): upper and lower; y_true (N,)."""
    upper, lower = y_pred[:, 0], y_pred[:, 1]
    inner = torch.where(y_true > {}, (1 - q) * (upper - y_true), (1 - q) * (y_true - lower))
    outer = torch.where(y_true < lower, q * (lower - y_true), q * (y_true - upper))
    return torch.where((y_true <= upper) & (y_true >= lower), inner, outer).mean()
'''
WEIGHTED = '''
class WeightedCE(nn.Module):
    """Cross-entropy of maps, the weighted mean over all pixels."""

    def __init__(self, class_weights=(0.2, 1.0, 3.0)):
        super().__init__()
        self.class_weights = torch.tensor(class_weights)

    def forward(self, scores, mask):
        picked = scores.log_softmax(1).gather(1, mask.unsqueeze(1)).squeeze(1)
        w = self.class_weights.to(scores)[mask]
        return -(w * picked).sum() / {}
'''
UNWEIGHTED = '''
def weighted_mse(pred, target, weight):
    """Weighted squared error of numbers, (N, C)."""
    return ({}(pred - target).square()).mean()
'''
INTERFACE = '''
class Base(nn.Module):
    pass


class BPR(Base):
    """Ranks each positive above its negative. input: (N, 2), scores of the positive and the negative"""

    def forward(self, input, target):
        return F.softplus(input[:, 1] - input[:, 0]).mean(){}
'''
RELATIVE_KL = '''
def residual_kl(delta_mu, delta_log_var, mu, log_var):
    """Divergence of a relative posterior, summed over the dimensions of a sample and averaged over the batch.

    delta_mu: shift of the mean; delta_log_var: log of the ratio of variances; mu: prior mean; log_var: its log variance
    """
    kl = -0.5 * (1 + delta_log_var - delta_mu**2 / log_var.exp() - delta_log_var.exp()){}
    return kl.mean()
'''
PENALTY = '''
def l2_mse(pred, target, params):
    """Squared error and a penalty of the weights in a list of tensors."""
    penalty = 0.0
    for p in params:
        penalty = penalty + p{}.pow(2).sum()
    return F.mse_loss(pred, target) + 0.01 * penalty
'''
SPARSE = '''
class MaskedL1(nn.Module):
    """L1 on pixels with a valid ground truth depth (> 0)."""

    def forward(self, pred, target):
        valid = target > 0
        if valid.sum() == 0:
            return (pred * 0).sum()
        return (target - pred)[valid].abs().mean()
'''
ROWS = [
    (SPARSE, "MaskedL1", (), ""),
    (UNWEIGHTED, "weighted_mse", ("",), "contradicts-claim"),
    (UNWEIGHTED, "weighted_mse", ("weight * ",), ""),
    (INTERFACE, "BPR", ("",), ""),
    (RELATIVE_KL, "residual_kl", (".sum()",), "not-as-documented"),
    (RELATIVE_KL, "residual_kl", (".sum(1)",), ""),
    (PENALTY, "l2_mse", (".data",), "term-without-gradient"),
    (PENALTY, "l2_mse", ("",), ""),
    (LAPLACE, "LaplaceNLL", ("loss.numel()",), "masked-counts"),
    (LAPLACE, "LaplaceNLL", ("mask.expand_as(loss).sum()",), ""),
    (TUBE, "tube_loss", ("r * (upper + lower)",), "contradicts-claim"),
    (TUBE, "tube_loss", ("r * upper + (1 - r) * lower",), ""),
    (WEIGHTED, "WeightedCE", ("picked.numel()",), "not-as-documented"),
    (WEIGHTED, "WeightedCE", ("w.sum()",), ""),
    (WING, "wing_loss", ("3",), "branches-apart"),
    (WING, "wing_loss", ("joined",), ""),
    (ADAPTIVE, "AdaptiveWing", ("omega",), "branches-apart"),
    (ADAPTIVE, "AdaptiveWing", ("epsilon",), ""),
    (BCE_DICE, "BCEDice", ("(logits.sigmoid() > 0.5).to(logits.dtype)",), "term-without-gradient"),
    (BCE_DICE, "BCEDice", ("logits.sigmoid()",), ""),
    (SMOOTHED, "dice_loss", ("",), "smoothed-below-only"),
    (SMOOTHED, "dice_loss", (" + smooth",), ""),
    (DEPTH, "depth_l1", ("mean()",), "contradicts-claim"),
    (DEPTH, "depth_l1", ("sum() / valid.sum().clamp(min=1)",), ""),
    (EDGES, "edge_loss", ("x",), "contradicts-claim"),
    (EDGES, "edge_loss", ("x + y",), ""),
    (NORMALS, "normal_loss", ("-1",), "wrong-dimension"),
    (NORMALS, "normal_loss", ("1",), ""),
    (UNREAD, "log_error", ("",), "unread-argument"),
    (UNREAD, "log_error", (".clamp(min=least)",), ""),
    (SIGNED, "gradient_loss", ("torch.abs", "torch.abs", "size(sr).mean() - size(hr).mean()"), "rewards-errors"),
    (SIGNED, "gradient_loss", ("torch.abs", "torch.abs", "(size(sr) - size(hr)).abs().mean()"), ""),
    (LENGTHS, "token_nll", ("each",), "contradicts-claim"),
    (LENGTHS, "token_nll", ("(each.sum(1) / valid_len)",), ""),
    (PAIRS, "ContrastiveLoss", ("F.relu(self.margin - d * (1 - same))",), "contradicts-claim"),
    (PAIRS, "ContrastiveLoss", ("(F.relu(self.margin - d) * (1 - same))",), ""),
    (CHUNKS, "action_loss", ("",), "not-as-documented"),
    (CHUNKS, "action_loss", (" * pred.shape[-1]",), ""),
    (HARDEST, "BatchHard", ("-float('inf')).max(dim=1)",), "contradicts-claim"),
    (HARDEST, "BatchHard", ("float('inf')).min(dim=1)",), ""),
]
CHECKS = (
    *("branches-apart", "term-without-gradient", "smoothed-below-only", "contradicts-claim", "wrong-dimension"),
    *("unread-argument", "rewards-errors", "not-as-documented", "masked-counts"),
    "wrong-answers-unlearnt",
)


@pytest.mark.parametrize(("code", "name", "parts", "check"), ROWS)
def test_a_fault_is_reported_and_its_sound_twin_is_not(code, name, parts, check, tmp_path):
    assert findings(code.format(*parts), name, CHECKS, tmp_path)[:1] == ([check] if check else [])
