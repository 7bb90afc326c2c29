"""Sound losses that were written before the checker was mended, and run once after it."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from check.cases import sound


@sound("repository: log-Dice of logits", aside=True)
class LogDice(nn.Module):
    def forward(self, y_pred, y_true):
        p, t = y_pred.sigmoid().flatten(1), y_true.flatten(1)
        score = (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)
        return -score.log().mean()


@sound("repository: loss with the arguments of Keras", aside=True)
def keras_dice(y_true, y_pred):
    both = (y_true * y_pred).sum()
    return 1 - (2 * both + 1) / (y_true.sum() + y_pred.sum() + 1)


@sound("repository: combo of cross-entropy and Dice of classes", aside=True)
class ComboOfClasses(nn.Module):
    def forward(self, output, target):
        p = output.softmax(1)
        hot = F.one_hot(target, output.shape[1]).movedim(-1, 1).to(p)
        dims = tuple(range(2, p.dim()))
        dice = (2 * (p * hot).sum(dims) + 1) / (p.sum(dims) + hot.sum(dims) + 1)
        return F.cross_entropy(output, target) + 1 - dice.mean()


@sound("repository: boundary-weighted BCE, the weight is computed from the mask", aside=True)
def structure_loss(pred, mask):
    near = F.avg_pool2d(mask, 3, stride=1, padding=1)
    weight = 1 + 5 * (near - mask).abs()
    bce = F.binary_cross_entropy_with_logits(pred, mask, reduction="none")
    bce = (weight * bce).sum((2, 3)) / weight.sum((2, 3))
    p = pred.sigmoid()
    both, either = (p * mask * weight).sum((2, 3)), ((p + mask) * weight).sum((2, 3))
    return (bce + 1 - (both + 1) / (either - both + 1)).mean()


@sound("repository: online hard example mining", aside=True)
class HardPixels(nn.Module):
    def forward(self, score, target):
        each = F.cross_entropy(score, target, reduction="none").reshape(-1)
        k = max(1, int(0.5 * each.numel()))
        return each.topk(k).values.mean()


@sound("repository: focal loss of binary logits with alpha", aside=True)
class BinaryFocal(nn.Module):
    def __init__(self, alpha=0.25, gamma=2.0):
        super().__init__()
        self.alpha, self.gamma = alpha, gamma

    def forward(self, inputs, targets):
        bce = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
        pt = (-bce).exp()
        alpha = self.alpha * targets + (1 - self.alpha) * (1 - targets)
        return (alpha * (1 - pt) ** self.gamma * bce).mean()


@sound("repository: Poly-1 cross-entropy", aside=True)
def poly_one(logits, labels):
    ce = F.cross_entropy(logits, labels, reduction="none")
    return (ce + 1 - (-ce).exp()).mean()


@sound("repository: cross-entropy with an ignored label and a mean over what counts", aside=True)
class IgnoresVoid(nn.Module):
    def __init__(self, ignore_value=255):
        super().__init__()
        self.ignore_value = ignore_value

    def forward(self, logits, labels):
        return F.cross_entropy(logits, labels, ignore_index=self.ignore_value)


@sound("repository: knowledge distillation with a temperature option", aside=True)
class Distiller(nn.Module):
    def __init__(self, temperature=2.0):
        super().__init__()
        self.temperature = temperature

    def forward(self, student_logits, teacher_logits):
        t = self.temperature
        return -((teacher_logits / t).softmax(-1) * (student_logits / t).log_softmax(-1)).sum(-1).mean() * t * t


@sound("repository: VICReg of two views", aside=True)
def vicreg(z1, z2):
    def spread(z):
        return F.relu(1 - (z.var(0) + 1e-4).sqrt()).mean()

    def cross(z):
        z = z - z.mean(0)
        c = z.T @ z / (len(z) - 1)
        return (c.square().sum() - c.diag().square().sum()) / z.shape[1]

    return 25 * F.mse_loss(z1, z2) + 25 * (spread(z1) + spread(z2)) + cross(z1) + cross(z2)


@sound("repository: NT-Xent with both directions", aside=True)
class NTXent(nn.Module):
    def forward(self, z_i, z_j):
        z = F.normalize(torch.cat([z_i, z_j]), dim=1)
        scores = z @ z.T / 0.5
        scores = scores.masked_fill(torch.eye(len(z), dtype=torch.bool), -1e9)
        n = len(z_i)
        return F.cross_entropy(scores, torch.cat([torch.arange(n) + n, torch.arange(n)]))


@sound("repository: centre loss with learnable centres of ten classes", aside=True)
class CentreLoss(nn.Module):
    def __init__(self, num_classes=10, dim=3):
        super().__init__()
        torch.manual_seed(0)
        self.centers = nn.Parameter(torch.randn(num_classes, dim))

    def forward(self, features, labels):
        return (features - self.centers[labels]).square().sum(1).mean()


@sound("GAN: least squares, target_is_real", aside=True)
class LSGAN(nn.Module):
    def forward(self, prediction, target_is_real=True):
        return F.mse_loss(prediction, torch.full_like(prediction, float(target_is_real)))


@sound("GAN: Wasserstein critic", aside=True)
def critic(real_scores, fake_scores):
    return fake_scores.mean() - real_scores.mean()


@dataclass
class Output:
    """What the loss below returns."""

    loss: Tensor
    accuracy: float


@sound("Hugging Face habit: returns a dataclass", aside=True)
def in_a_dataclass(logits, labels):
    return Output(F.cross_entropy(logits, labels), float((logits.argmax(1) == labels).float().mean()))


@sound("repository: evidence lower bound, reconstruction of pixels in [0, 1]", aside=True)
def bce_sum_reconstruction(recon, x):
    return F.binary_cross_entropy(recon, x, reduction="sum") / len(x)


@sound("repository: Laplace likelihood with a log-scale", aside=True)
class LaplaceNLL(nn.Module):
    def forward(self, pred, log_scale, target):
        if pred.shape != target.shape:
            raise ValueError("shapes differ")
        return ((pred - target).abs() * (-log_scale).exp() + log_scale).mean()


@sound("repository: distance IoU of boxes", aside=True)
class DIoU(nn.Module):
    def forward(self, boxes1, boxes2):
        if boxes1.shape != boxes2.shape:
            raise ValueError("shapes differ")
        low, high = torch.max(boxes1[:, :2], boxes2[:, :2]), torch.min(boxes1[:, 2:], boxes2[:, 2:])
        both = (high - low).clamp(min=0).prod(1)
        a = (boxes1[:, 2:] - boxes1[:, :2]).prod(1)
        b = (boxes2[:, 2:] - boxes2[:, :2]).prod(1)
        iou = both / (a + b - both)
        centre = ((boxes1[:, :2] + boxes1[:, 2:] - boxes2[:, :2] - boxes2[:, 2:]) / 2).square().sum(1)
        hull = (torch.max(boxes1[:, 2:], boxes2[:, 2:]) - torch.min(boxes1[:, :2], boxes2[:, :2])).square().sum(1)
        return (1 - iou + centre / hull).mean()


@sound("survival: discrete-time hazard, (N, K) with bins and events", aside=True)
def hazard(logits, bins, event):
    k = torch.arange(logits.shape[1])
    before = k < bins.unsqueeze(1)
    at = k == bins.unsqueeze(1)
    cost = F.softplus(logits) * before + (F.softplus(logits) - logits * event.unsqueeze(1)) * at
    return cost.sum(1).mean()


@sound("repository: multi-scale L1 and gradient of images, three channels", aside=True)
class ImageGradient(nn.Module):
    def forward(self, pred, target):
        loss = F.l1_loss(pred, target)
        loss = loss + F.l1_loss(pred.diff(dim=-1), target.diff(dim=-1))
        return loss + F.l1_loss(pred.diff(dim=-2), target.diff(dim=-2))


@sound("audio: spectral convergence of waveforms", aside=True)
class SpectralConvergence(nn.Module):
    def forward(self, x, y):
        a, b = (torch.fft.rfft(t, dim=-1).abs() for t in (x, y))
        return ((a - b).square().sum() + 1e-8).sqrt() / (b.square().sum() + 1e-8).sqrt()


@sound("audio: scale-invariant signal-to-distortion ratio", aside=True)
def si_sdr(estimate, source):
    scale = ((estimate * source).sum(-1, keepdim=True) + 1e-8) / (source.square().sum(-1, keepdim=True) + 1e-8)
    target = scale * source
    noise = estimate - target
    ratio = (target.square().sum(-1) + 1e-8) / (noise.square().sum(-1) + 1e-8)
    return -10 * torch.log10(ratio).mean()


@sound("repository: masked language modelling, a mask of what is predicted", aside=True)
def masked_tokens(logits, labels, mask):
    each = F.cross_entropy(logits, labels, reduction="none")
    return (each * mask).sum() / mask.sum().clamp_min(1)


@sound("repository: pairwise ranking of scores", aside=True)
def ranknet(scores_hi, scores_lo):
    return F.softplus(scores_lo - scores_hi).mean()


@sound("repository: sigmoid of ordinal thresholds, levels given as 0 and 1", aside=True)
def coral(logits, levels):
    return -(F.logsigmoid(logits) * levels + (F.logsigmoid(logits) - logits) * (1 - levels)).sum(1).mean()


@sound("repository: in-place arithmetic on what the loss made itself", aside=True)
def in_place_inside(logits, mask):
    each = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    each = each * 1.0
    each[mask > 0.5] *= 2.0
    return each.mean()
