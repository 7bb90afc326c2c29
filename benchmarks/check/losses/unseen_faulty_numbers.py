"""Faulty losses of numbers, boxes, embeddings and sequences, written by somebody who had not seen the checker."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from check.cases import faulty


# The log-variance term lacks its factor 0.5, so the loss is minimal at var = err^2 / 2 instead of err^2; right: 0.5
# * (exp(-s) * err^2 + s).
@faulty("rewards-errors", "contradicts-claim", thread="repository: aleatoric uncertainty regression, log variance head")
def heteroscedastic_loss(mu, log_var, target):
    """Gaussian negative log-likelihood of target under N(mu, exp(log_var)), without the 2*pi constant.

    All of one shape. log_var is clamped to keep exp() finite.
    """
    if not (mu.shape == log_var.shape == target.shape):
        raise ValueError("mu, log_var and target must have one shape")
    log_var = log_var.clamp(-10, 10)
    return (0.5 * torch.exp(-log_var) * (target - mu) ** 2 + log_var).mean()


# remainder maps the difference to [0, 2*pi), so a small negative error -0.01 costs about (2*pi - 0.01)^2; right:
# wrap to [-pi, pi).
@faulty("rewards-errors", thread="question: heading angle loss jumps at zero error")
def heading_loss(pred, target):
    """Squared error of the heading angle in radians; 359 deg and 1 deg are 2 deg apart."""
    if pred.shape != target.shape:
        raise ValueError("pred and target must have the same shape")
    diff = torch.remainder(pred - target, 2 * math.pi)
    return (diff**2).mean()


# sqrt at 0: where pred equals target for a whole row the gradient is NaN (inf * 0); right: finite (zero) gradient,
# e.g. by an eps inside the root.
@faulty("not-finite", thread="forum: Sobolev loss, NaN when overfitting one sample")
class SobolevLoss(nn.Module):
    """H1 norm of the error on a 1-d grid: sqrt(mean e^2 + w * mean (de/dx)^2). pred, target (N, T)."""

    def __init__(self, weight=0.1, dx=1.0):
        super().__init__()
        self.weight = weight
        self.dx = dx

    def forward(self, pred, target):
        if pred.shape != target.shape:
            raise ValueError("pred and target must have the same shape")
        e = pred - target
        de = (e[:, 1:] - e[:, :-1]) / self.dx
        h1 = e.pow(2).mean(dim=1) + self.weight * de.pow(2).mean(dim=1)
        return torch.sqrt(h1).mean()


# (N, 1) - (N,) broadcasts to (N, N), so every prediction is compared with every target and a perfect prediction has
# loss > 0; right: squeeze pred to (N,).
@faulty("broadcasts", "contradicts-claim", thread="question: weighted MSE does not learn, prints huge loss")
def weighted_mse(pred, target, weight):
    """Sample-weighted MSE. pred is the output of a linear layer, (N, 1); target and weight are (N,)."""
    loss = weight * (pred - target) ** 2
    return loss.mean() / weight.mean().clamp(min=1e-8)


# reduction='sum' sums each sample and then averages over the batch, thus N times too small against the promised sum
# (and not equal to reduction='none' summed); right: diff.sum().
@faulty("reductions-disagree", "sum-does-not-add", thread="repository: frequency-domain loss for super-resolution")
def fft_loss(pred, target, reduction="mean"):
    """L1 between the 2-d spectra of two images (N, C, H, W).

    reduction: 'none' (spectrum-shaped), 'mean' or 'sum' over all elements.
    """
    if pred.shape != target.shape:
        raise ValueError("pred and target must have the same shape")
    diff = (torch.fft.rfft2(pred, norm="ortho") - torch.fft.rfft2(target, norm="ortho")).abs()
    if reduction == "none":
        return diff
    if reduction == "mean":
        return diff.mean()
    if reduction == "sum":
        return diff.flatten(1).sum(dim=1).mean()
    raise ValueError(reduction)


# The masked error is averaged over all pixels rather than over the hole pixels, so small holes give a small loss;
# right: divide by mask.sum().
@faulty("masked-counts", thread="repository: inpainting, L1 on holes")
class HoleL1(nn.Module):
    """Inpainting loss: mean absolute error over the hole pixels only (mask == 1). pred, target, mask (N, C, H, W)."""

    def forward(self, pred, target, mask):
        if not (pred.shape == target.shape == mask.shape):
            raise ValueError("pred, target and mask must have one shape")
        return ((pred - target).abs() * mask).mean()


# The intersection sides are not clamped at 0, so boxes apart in both x and y get a positive 'intersection' (loss
# below 1, even strongly off), and boxes apart in one axis a negative one; right: clamp(min=0), loss 1.
@faulty("rewards-errors", "contradicts-claim", thread="repository: IoU loss for box regression")
def iou_loss(pred, target, eps=1e-6):
    """1 - IoU of matched boxes in (x1, y1, x2, y2), (N, 4), mean over boxes."""
    if pred.shape != target.shape:
        raise ValueError("pred and target must have the same shape")
    x1 = torch.max(pred[:, 0], target[:, 0])
    y1 = torch.max(pred[:, 1], target[:, 1])
    x2 = torch.min(pred[:, 2], target[:, 2])
    y2 = torch.min(pred[:, 3], target[:, 3])
    inter = (x2 - x1) * (y2 - y1)
    area_p = (pred[:, 2] - pred[:, 0]).clamp(min=0) * (pred[:, 3] - pred[:, 1]).clamp(min=0)
    area_t = (target[:, 2] - target[:, 0]) * (target[:, 3] - target[:, 1])
    union = area_p + area_t - inter
    return (1 - inter / union.clamp(min=eps)).mean()


# A person with no visible keypoint gives 0 / 0 = NaN for the whole batch, although that is documented as allowed;
# right: clamp the count and leave such persons out.
@faulty("masked-counts", "not-finite", thread="repository: pose estimation, OKS loss")
class OKSLoss(nn.Module):
    """1 - OKS per person, mean over persons. pred, target (N, K, 2); visible (N, K); area (N,).

    Only visible keypoints count; a person may have none annotated.
    """

    def __init__(self, sigma=0.05):
        super().__init__()
        self.sigma = sigma

    def forward(self, pred, target, visible, area):
        if pred.shape != target.shape or visible.shape != pred.shape[:2] or area.shape != pred.shape[:1]:
            raise ValueError("pred, target (N, K, 2), visible (N, K), area (N,) expected")
        v = visible.to(pred.dtype)
        d2 = ((pred - target) ** 2).sum(-1)
        k2 = (2 * self.sigma) ** 2
        e = d2 / (2 * area.clamp(min=1e-6).unsqueeze(1) * k2)
        oks = (torch.exp(-e) * v).sum(1) / v.sum(1)
        return (1 - oks).mean()


# (dist * neg_mask).min() always finds the zeros at the masked positives (and self), so hardest_neg is 0 and
# negatives are never pushed away; right: mask positives with +inf.
@faulty("negatives-left-out", thread="issue: batch-hard triplet stays at margin")
class HardTripletLoss(nn.Module):
    """Triplet loss with hardest positive and hardest negative of each anchor. embeddings (N, D), labels (N,)."""

    def __init__(self, margin=0.5):
        super().__init__()
        self.margin = margin

    def forward(self, embeddings, labels):
        if labels.shape != embeddings.shape[:1]:
            raise ValueError("labels must be (N,)")
        d2 = (embeddings[:, None] - embeddings[None]).pow(2).sum(-1)
        dist = torch.sqrt(d2 + 1e-12)
        pos_mask = (labels[:, None] == labels[None]).float()
        neg_mask = 1.0 - pos_mask
        hardest_pos = (dist * pos_mask).max(dim=1)[0]
        hardest_neg = (dist * neg_mask).min(dim=1)[0]
        return F.relu(hardest_pos - hardest_neg + self.margin).mean()


# The similarity of each embedding with itself (1 / T) is left in the softmax denominator, which should hold only
# the positive and 2N - 2 negatives; right: mask the diagonal with -inf.
@faulty("self-compared", "contradicts-claim", thread="repository: SimCLR from scratch")
class NTXentLoss(nn.Module):
    """SimCLR loss. z1, z2 (N, D): two views. Positive: the other view; negatives: the 2N - 2 other embeddings."""

    def __init__(self, temperature=0.5):
        super().__init__()
        self.temperature = temperature

    def forward(self, z1, z2):
        n = z1.size(0)
        z = F.normalize(torch.cat([z1, z2], dim=0), dim=1)
        sim = z @ z.t() / self.temperature
        labels = torch.cat([torch.arange(n, 2 * n), torch.arange(n)]).to(z.device)
        return F.cross_entropy(sim, labels)


# The running centre is kept with its graph (not detached), so the second forward/backward raises RuntimeError and
# memory grows; right: update the centre from features.detach().
@faulty("keeps-graph", thread="forum: Trying to backward through the graph a second time")
class OneClassCenterLoss(nn.Module):
    """Deep-SVDD style compactness: mean squared distance to a running centre. features (N, D).

    The centre is an exponential moving average of the batch means, initialised with the first batch.
    """

    def __init__(self, momentum=0.9):
        super().__init__()
        self.momentum = momentum
        self.center = None

    def forward(self, features):
        batch_mean = features.mean(dim=0)
        if self.center is None:
            self.center = batch_mean
        elif self.training:
            self.center = self.momentum * self.center + (1 - self.momentum) * batch_mean
        return (features - self.center).pow(2).sum(dim=1).mean()


# log(1 + exp(-d)) overflows to inf (and NaN gradient) for score differences below about -89; right: softplus(-d),
# which is about |d|.
@faulty("not-finite", thread="repository: RankNet pairwise loss, inf after some epochs")
def ranknet_loss(scores, relevance):
    """RankNet for one query: log(1 + exp(-(s_i - s_j))) over the pairs where rel_i > rel_j. scores, relevance (L,)."""
    if scores.shape != relevance.shape or scores.dim() != 1:
        raise ValueError("scores and relevance must both be (L,)")
    diff = scores[:, None] - scores[None, :]
    better = relevance[:, None] > relevance[None, :]
    if not better.any():
        return scores.sum() * 0.0
    return torch.log(1 + torch.exp(-diff[better])).mean()


# The uniform smoothing term is summed over padding positions too (only the nll is masked), so logits at pads change
# the loss and get gradient; right: mask both.
@faulty("ignored-changes-value", "ignored-gets-gradient", thread="issue: label smoothing counts padding tokens")
class Seq2SeqSmoothedLoss(nn.Module):
    """Label-smoothed cross-entropy for translation, mean over the real (non-pad) target tokens.

    logits (N, T, V), target (N, T), pad_idx marks padding.
    """

    def __init__(self, smoothing=0.1, pad_idx=0):
        super().__init__()
        self.smoothing = smoothing
        self.pad_idx = pad_idx

    def forward(self, logits, target):
        if target.shape != logits.shape[:2]:
            raise ValueError("target must be (N, T)")
        logp = F.log_softmax(logits, dim=-1)
        pad = target == self.pad_idx
        nll = -logp.gather(-1, target.unsqueeze(-1)).squeeze(-1)
        nll = nll.masked_fill(pad, 0.0)
        smooth = -logp.mean(dim=-1)
        n_tokens = (~pad).sum().clamp(min=1)
        return ((1 - self.smoothing) * nll.sum() + self.smoothing * smooth.sum()) / n_tokens


# reshape(T, N, C) instead of transpose(0, 1) mixes time steps of different samples when N > 1; right:
# log_probs.transpose(0, 1).
@faulty("order-matters", thread="repository: CRNN text recognition, batch-first CTC")
class OCRCTCLoss(nn.Module):
    """CTC for text lines. logits (N, T, C) from a batch-first LSTM, targets (N, S), lengths (N,). blank = 0."""

    def __init__(self, blank=0):
        super().__init__()
        self.blank = blank

    def forward(self, logits, targets, input_lengths, target_lengths):
        n, t, c = logits.shape
        log_probs = F.log_softmax(logits, dim=-1).reshape(t, n, c)
        return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=self.blank, zero_infinity=True)


# The KL lacks its minus sign (0.5 * sum(1 + logvar - mu^2 - exp(logvar)) is -KL), so the loss rewards large mu;
# right: -0.5 * sum(...) >= 0.
@faulty("rewards-errors", "contradicts-claim", thread="notebook: VAE, loss goes to minus infinity")
def vae_loss(recon_x, x, mu, logvar, beta=1.0):
    """VAE loss (negative ELBO per sample): squared error + beta * KL(q || N(0, I)).

    recon_x, x (N, ...); mu, logvar (N, Z). Returns (loss, recon, kl).
    """
    if recon_x.shape != x.shape:
        raise ValueError("recon_x and x must have the same shape")
    logvar = logvar.clamp(-30, 20)
    recon = (recon_x - x).pow(2).flatten(1).sum(1).mean()
    kl = 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1).mean()
    return recon + beta * kl, recon, kl


# The option snr_gamma is never used (5.0 is hard-coded), so VPredictionLoss(1.0) gives the same loss as the
# default; right: snr.clamp(max=self.snr_gamma).
@faulty("unused-argument", thread="repository: diffusion v-prediction with min-SNR weighting")
class VPredictionLoss(nn.Module):
    """v-prediction diffusion loss with min-SNR weighting, weight = min(snr, snr_gamma) / (snr + 1).

    v_pred, x0, noise (N, C, H, W); alpha_bar (N,) in (0, 1). v = sqrt(ab) * noise - sqrt(1 - ab) * x0.
    """

    def __init__(self, snr_gamma=5.0):
        super().__init__()
        self.snr_gamma = snr_gamma

    def forward(self, v_pred, x0, noise, alpha_bar):
        alpha_bar = alpha_bar.reshape(-1)
        ab = alpha_bar.view(-1, 1, 1, 1)
        target = ab.sqrt() * noise - (1 - ab).sqrt() * x0
        mse = F.mse_loss(v_pred, target, reduction="none").mean(dim=(1, 2, 3))
        snr = alpha_bar / (1 - alpha_bar).clamp(min=1e-8)
        weight = snr.clamp(max=5.0) / (snr + 1)
        return (weight * mse).mean()


# The horizontal difference is taken along H again, so vertical stripes (variation along W) cost 0 and get no
# gradient; right: img[..., 1:] - img[..., :-1].
@faulty("wrong-dimension", thread="repository: style transfer TV regulariser")
def total_variation(img):
    """Anisotropic total variation of an image batch (N, C, H, W): mean vertical + mean horizontal difference."""
    dh = (img[:, :, 1:, :] - img[:, :, :-1, :]).abs().mean()
    dw = (img[:, :, 1:, :] - img[:, :, :-1, :]).abs().mean()
    return dh + dw


# Sorted by ascending time, logcumsumexp sums over those who left before, not those still at risk; the loss rewards
# the wrong risk set; right: sort descending.
@faulty("rewards-errors", "contradicts-claim", thread="repository: DeepSurv in PyTorch, C-index below 0.5")
class DeepSurvLoss(nn.Module):
    """Negative Cox partial log-likelihood, no ties assumed. risk (N,) log-hazard, time (N,), event (N,) 1 = died.

    The risk set of a subject holds all subjects still observed at its time.
    """

    def forward(self, risk, time, event):
        if not (risk.shape == time.shape == event.shape):
            raise ValueError("risk, time and event must have one shape")
        order = torch.argsort(time)
        risk, event = risk[order], event[order].to(risk.dtype)
        log_risk = torch.logcumsumexp(risk, dim=0)
        return -((risk - log_risk) * event).sum() / event.sum().clamp(min=1)


# The distance term uses argmax and has no gradient, so lam has no influence on training; right: expected distance
# under softmax.
@faulty("unused-argument", thread="notebook: diabetic retinopathy grades, ordinal penalty")
class OrdinalCE(nn.Module):
    """Cross-entropy plus a term that pushes predictions towards neighbouring grades.

    logits (N, K), grade (N,) long: CE + lam * mean distance between predicted and true grade.
    """

    def __init__(self, lam=0.5):
        super().__init__()
        self.lam = lam

    def forward(self, logits, grade):
        ce = F.cross_entropy(logits, grade)
        pred = logits.argmax(dim=1)
        dist = (pred - grade).abs().to(logits.dtype).mean()
        return ce + self.lam * dist


# The advantage is not detached, so the policy term sends gradient log_prob / N into the critic; right: (returns -
# value).detach() in the policy loss.
@faulty("slope-disagrees", "contradicts-claim", thread="repository: A2C on CartPole")
class A2CLoss(nn.Module):
    """Advantage actor-critic: policy gradient with advantage R - V, value regression, entropy bonus.

    log_prob, value, returns, entropy: (N,). The critic learns from the value loss alone.
    """

    def __init__(self, value_coef=0.5, entropy_coef=0.01):
        super().__init__()
        self.value_coef = value_coef
        self.entropy_coef = entropy_coef

    def forward(self, log_prob, value, returns, entropy):
        if not (log_prob.shape == value.shape == returns.shape == entropy.shape):
            raise ValueError("all inputs must be (N,)")
        advantage = returns - value
        policy_loss = -(log_prob * advantage).mean()
        value_loss = F.mse_loss(value, returns)
        total = policy_loss + self.value_coef * value_loss - self.entropy_coef * entropy.mean()
        return {"loss": total, "policy": policy_loss, "value": value_loss}
