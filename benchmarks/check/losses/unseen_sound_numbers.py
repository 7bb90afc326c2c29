"""Sound losses of numbers, boxes, embeddings and sequences, written by somebody who had not seen the checker."""

import torch
import torch.nn.functional as F
from torch import nn

from check.cases import sound


@sound("forum: quantile forecast with three quantiles")
class PinballLoss(nn.Module):
    """Quantile loss. pred (N, Q), one column per quantile; target (N,). Mean over everything."""

    def __init__(self, quantiles=(0.1, 0.5, 0.9)):
        super().__init__()
        self.register_buffer("q", torch.tensor(quantiles))

    def forward(self, pred, target):
        if pred.dim() != 2 or pred.size(1) != self.q.numel() or target.shape != pred.shape[:1]:
            raise ValueError("pred (N, Q) and target (N,) expected")
        err = target.unsqueeze(1) - pred
        return torch.maximum(self.q * err, (self.q - 1) * err).mean()


@sound("repository: dynamics-model ensemble, bounded log-variance")
class BoundedGaussianNLL(nn.Module):
    """Heteroscedastic Gaussian NLL (constant dropped) with softly bounded log-variance.

    mean, log_var, target: same shape. The bounds are smooth so that log_var keeps a gradient.
    """

    def __init__(self, min_log_var=-10.0, max_log_var=10.0):
        super().__init__()
        self.lo, self.hi = min_log_var, max_log_var

    def forward(self, mean, log_var, target):
        if not (mean.shape == log_var.shape == target.shape):
            raise ValueError("mean, log_var and target must have one shape")
        lv = self.hi - F.softplus(self.hi - log_var)
        lv = self.lo + F.softplus(lv - self.lo)
        return 0.5 * ((target - mean).pow(2) * torch.exp(-lv) + lv).mean()


@sound("question: predict wind direction, periodic loss")
def angular_loss(pred, target):
    """Loss between angles in radians, 2*pi-periodic: mean of 1 - cos(pred - target)."""
    if pred.shape != target.shape:
        raise ValueError("pred and target must have the same shape")
    return (1.0 - torch.cos(pred - target)).mean()


@sound("repository: monocular depth, scale-invariant log loss")
class ScaleInvariantLogLoss(nn.Module):
    """Scale-invariant log depth loss (Eigen): mean(d^2) - lam * mean(d)^2, d = pred_log - log(target).

    pred_log is the network output, already log-depth. Pixels with target <= 0 have no ground truth.
    """

    def __init__(self, lam=0.5):
        super().__init__()
        self.lam = lam

    def forward(self, pred_log, target):
        if pred_log.shape != target.shape:
            raise ValueError("pred and target must have the same shape")
        valid = target > 0
        if not valid.any():
            return pred_log.sum() * 0.0
        d = pred_log[valid] - torch.log(target[valid])
        return d.pow(2).mean() - self.lam * d.mean().pow(2)


@sound("forum: Huber loss on sensors with missing values")
def masked_huber(pred, target, mask, delta=1.0):
    """Huber loss averaged over the entries where mask is true; zero when there are none."""
    if not (pred.shape == target.shape == mask.shape):
        raise ValueError("pred, target and mask must have one shape")
    m = mask.to(pred.dtype)
    err = (pred - target).abs()
    quad = err.clamp(max=delta)
    loss = 0.5 * quad.pow(2) + delta * (err - quad)
    return (loss * m).sum() / m.sum().clamp(min=1.0)


@sound("repository: detector head, GIoU loss xyxy")
def giou_loss(pred, target, eps=1e-7):
    """GIoU loss for matched boxes, (N, 4) xyxy. Corners may come in any order. Mean over boxes."""
    if pred.shape != target.shape or pred.size(-1) != 4:
        raise ValueError("pred and target must both be (N, 4)")

    def ordered(b):
        return torch.minimum(b[..., :2], b[..., 2:]), torch.maximum(b[..., :2], b[..., 2:])

    p_lo, p_hi = ordered(pred)
    t_lo, t_hi = ordered(target)
    inter = (torch.minimum(p_hi, t_hi) - torch.maximum(p_lo, t_lo)).clamp(min=0).prod(-1)
    union = (p_hi - p_lo).prod(-1) + (t_hi - t_lo).prod(-1) - inter
    hull = (torch.maximum(p_hi, t_hi) - torch.minimum(p_lo, t_lo)).prod(-1)
    iou = inter / union.clamp(min=eps)
    giou = iou - (hull - union) / hull.clamp(min=eps)
    return (1.0 - giou).mean()


@sound("repository: human pose heatmaps, visibility weights")
class JointsMSELoss(nn.Module):
    """Heatmap MSE over the visible joints. heatmaps (N, K, H, W), target_weight (N, K), 0 = not annotated."""

    def __init__(self, use_target_weight=True):
        super().__init__()
        self.use_target_weight = use_target_weight

    def forward(self, output, target, target_weight=None):
        if output.shape != target.shape:
            raise ValueError("heatmap shapes differ")
        per_joint = (output - target).pow(2).flatten(2).mean(2)
        if not self.use_target_weight or target_weight is None:
            return per_joint.mean()
        if target_weight.shape != per_joint.shape:
            raise ValueError("target_weight must be (N, K)")
        w = target_weight.to(per_joint.dtype)
        return (per_joint * w).sum() / w.sum().clamp(min=1e-6)


@sound("repository: person re-identification, batch-hard triplet")
class BatchHardTriplet(nn.Module):
    """Batch-hard triplet loss with a hinge margin. embeddings (N, D), labels (N,).

    Anchors without a positive or without a negative in the batch are left out.
    """

    def __init__(self, margin=0.3):
        super().__init__()
        self.margin = margin

    def forward(self, embeddings, labels):
        if labels.shape != embeddings.shape[:1]:
            raise ValueError("labels must be (N,)")
        diff = embeddings.unsqueeze(1) - embeddings.unsqueeze(0)
        dist = (diff.pow(2).sum(-1) + 1e-12).sqrt()
        same = labels.unsqueeze(0) == labels.unsqueeze(1)
        pos = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        neg = ~same
        ok = pos.any(1) & neg.any(1)
        if not ok.any():
            return embeddings.sum() * 0.0
        hardest_pos = dist.masked_fill(~pos, float("-inf"))[ok].max(1).values
        hardest_neg = dist.masked_fill(~neg, float("inf"))[ok].min(1).values
        return F.relu(hardest_pos - hardest_neg + self.margin).mean()


@sound("forum: supervised contrastive loss on labels")
class SupConLoss(nn.Module):
    """Supervised contrastive loss (L_out). features (N, D), labels (N,). Anchors without positives are skipped."""

    def __init__(self, temperature=0.1):
        super().__init__()
        self.temperature = temperature

    def forward(self, features, labels):
        if labels.shape != features.shape[:1]:
            raise ValueError("labels must be (N,)")
        z = F.normalize(features, dim=1)
        sim = z @ z.t() / self.temperature
        eye = torch.eye(len(z), dtype=torch.bool, device=z.device)
        sim = sim.masked_fill(eye, torch.finfo(sim.dtype).min)
        logp = sim - torch.logsumexp(sim, dim=1, keepdim=True)
        pos = (labels.unsqueeze(0) == labels.unsqueeze(1)) & ~eye
        n_pos = pos.sum(1)
        has = n_pos > 0
        if not has.any():
            return features.sum() * 0.0
        per_anchor = -logp.masked_fill(~pos, 0.0).sum(1)[has] / n_pos[has]
        return per_anchor.mean()


@sound("repository: learning to rank, padded lists")
def listnet_loss(scores, relevance, mask=None):
    """ListNet top-one cross-entropy. scores, relevance (N, L); mask (N, L) true for real documents.

    Averaged over the lists that have at least one document.
    """
    if scores.shape != relevance.shape:
        raise ValueError("scores and relevance must have the same shape")
    if mask is None:
        mask = torch.ones_like(scores, dtype=torch.bool)
    if mask.shape != scores.shape:
        raise ValueError("mask must have the shape of the scores")
    mask = mask.bool()
    low = torch.finfo(scores.dtype).min
    logp = F.log_softmax(scores.masked_fill(~mask, low), dim=1).masked_fill(~mask, 0.0)
    true = torch.softmax(relevance.to(scores.dtype).masked_fill(~mask, low), dim=1).masked_fill(~mask, 0.0)
    per_list = -(true * logp).sum(1)
    n = mask.any(1).sum().clamp(min=1)
    return per_list.sum() / n


@sound("notebook: BERT pretraining from scratch")
def masked_lm_loss(logits, labels, ignore_index=-100):
    """BERT masked-language-model loss. logits (N, T, V), labels (N, T), ignore_index where not masked.

    Mean over the masked tokens, 0 if the batch happens to have none.
    """
    if labels.shape != logits.shape[:-1]:
        raise ValueError("labels must be (N, T)")
    loss = F.cross_entropy(
        logits.reshape(-1, logits.size(-1)), labels.reshape(-1), ignore_index=ignore_index, reduction="sum"
    )
    return loss / (labels != ignore_index).sum().clamp(min=1)


@sound("repository: handwriting recognition, CTC on logits")
class CTCWrapper(nn.Module):
    """CTC on raw batch-first logits. logits (N, T, C), targets (N, S) without blanks, lengths (N,)."""

    def __init__(self, blank=0):
        super().__init__()
        self.blank = blank

    def forward(self, logits, targets, input_lengths, target_lengths):
        log_probs = F.log_softmax(logits, dim=2).transpose(0, 1)
        return F.ctc_loss(
            log_probs, targets, input_lengths, target_lengths, blank=self.blank, reduction="mean", zero_infinity=True
        )


@sound("repository: GAN with hinge discriminator loss")
def hinge_d_loss(real_logits, fake_logits):
    """Discriminator hinge loss (SAGAN / BigGAN)."""
    loss_real = F.relu(1.0 - real_logits).mean()
    loss_fake = F.relu(1.0 + fake_logits).mean()
    return 0.5 * (loss_real + loss_fake)


@sound("notebook: beta-VAE on MNIST returning loss parts")
class VAELoss(nn.Module):
    """Negative ELBO per sample. recon_logits, x in [0, 1]: (N, ...); mu, raw_std (N, Z), std = softplus(raw_std) + 1e-4.

    Returns dict(loss, recon, kl).
    """

    def __init__(self, beta=1.0):
        super().__init__()
        self.beta = beta

    def forward(self, recon_logits, x, mu, raw_std):
        if recon_logits.shape != x.shape or mu.shape != raw_std.shape:
            raise ValueError("shape mismatch")
        recon = F.binary_cross_entropy_with_logits(recon_logits, x, reduction="none").flatten(1).sum(1).mean()
        std = F.softplus(raw_std) + 1e-4
        kl = (0.5 * (mu.pow(2) + std.pow(2) - 1.0) - torch.log(std)).sum(1).mean()
        return {"loss": recon + self.beta * kl, "recon": recon, "kl": kl}


@sound("repository: rectified flow / flow matching trainer")
class FlowMatchingLoss(nn.Module):
    """Conditional flow matching on straight paths x_t = (1 - t) x0 + t x1; the velocity is x1 - x0.

    pred_v, x0 (noise), x1 (data): (N, ...). weight: optional (N,) factor w(t); the loss is mean(w * error).
    """

    def forward(self, pred_v, x0, x1, weight=None):
        if not (pred_v.shape == x0.shape == x1.shape):
            raise ValueError("pred_v, x0 and x1 must have one shape")
        per_sample = (pred_v - (x1 - x0)).pow(2).flatten(1).mean(1)
        if weight is None:
            return per_sample.mean()
        if weight.shape != per_sample.shape:
            raise ValueError("weight must be (N,)")
        return (weight * per_sample).mean()


@sound("question: SSIM loss for denoising")
class SSIMLoss(nn.Module):
    """1 - mean SSIM with a square uniform window. img1, img2 (N, C, H, W)."""

    def __init__(self, window=7, data_range=1.0):
        super().__init__()
        self.window = window
        self.c1 = (0.01 * data_range) ** 2
        self.c2 = (0.03 * data_range) ** 2

    def forward(self, img1, img2):
        if img1.shape != img2.shape:
            raise ValueError("images must have the same shape")
        if min(img1.shape[2:]) < self.window:
            raise ValueError("image smaller than the window")
        k = self.window
        a = img1.unfold(2, k, 1).unfold(3, k, 1).flatten(4)
        b = img2.unfold(2, k, 1).unfold(3, k, 1).flatten(4)
        ma, mb = a.mean(-1), b.mean(-1)
        da, db = a - ma.unsqueeze(-1), b - mb.unsqueeze(-1)
        va, vb, cov = (da * da).mean(-1), (db * db).mean(-1), (da * db).mean(-1)
        lum = (2 * ma * mb + self.c1) / (ma**2 + mb**2 + self.c1)
        cs = (2 * cov + self.c2) / (va + vb + self.c2)
        return 1.0 - (lum * cs).mean()


@sound("repository: vocoder, multi-resolution STFT loss")
class MultiResolutionSTFTLoss(nn.Module):
    """Spectral convergence + L1 of log magnitude, averaged over FFT sizes. pred, target: waveforms (N, T)."""

    def __init__(self, fft_sizes=(256, 128, 64), eps=1e-7):
        super().__init__()
        self.fft_sizes = fft_sizes
        self.eps = eps

    def _power(self, x, n):
        window = torch.hann_window(n, dtype=x.dtype, device=x.device)
        spec = torch.stft(x, n, hop_length=n // 4, window=window, pad_mode="constant", return_complex=True)
        return spec.real.pow(2) + spec.imag.pow(2) + self.eps

    def forward(self, pred, target):
        if pred.shape != target.shape or pred.dim() != 2:
            raise ValueError("pred and target must both be (N, T)")
        total = 0.0
        for n in self.fft_sizes:
            pp, pt = self._power(pred, n), self._power(target, n)
            mp, mt = pp.sqrt(), pt.sqrt()
            sc = torch.linalg.vector_norm(mt - mp, dim=(1, 2)) / torch.linalg.vector_norm(mt, dim=(1, 2))
            log_l1 = 0.5 * (pp.log() - pt.log()).abs().mean()
            total = total + sc.mean() + log_l1
        return total / len(self.fft_sizes)


@sound("repository: DeepSurv-style Cox loss")
def cox_ph_loss(log_hazard, time, event):
    """Negative Cox partial log-likelihood (Breslow ties), mean over events. All (N,); log_hazard may be (N, 1)."""
    log_hazard = log_hazard.reshape(-1)
    time = time.reshape(-1)
    event = event.reshape(-1).to(log_hazard.dtype)
    if not (log_hazard.shape == time.shape == event.shape):
        raise ValueError("log_hazard, time and event must have N entries each")
    at_risk = time.unsqueeze(0) >= time.unsqueeze(1)
    log_risk = torch.logsumexp(log_hazard.unsqueeze(0).masked_fill(~at_risk, float("-inf")), dim=1)
    return -((log_hazard - log_risk) * event).sum() / event.sum().clamp(min=1.0)


@sound("repository: PPO agent, clipped policy loss")
class PPOClipLoss(nn.Module):
    """Clipped PPO policy loss. logp, old_logp, advantages: (N,). Returns (loss, info)."""

    def __init__(self, clip=0.2, max_log_ratio=20.0):
        super().__init__()
        self.clip = clip
        self.max_log_ratio = max_log_ratio

    def forward(self, logp, old_logp, advantages):
        if not (logp.shape == old_logp.shape == advantages.shape):
            raise ValueError("logp, old_logp and advantages must have one shape")
        adv = advantages.detach()
        log_ratio = (logp - old_logp.detach()).clamp(-self.max_log_ratio, self.max_log_ratio)
        ratio = log_ratio.exp()
        surr = torch.minimum(ratio * adv, ratio.clamp(1 - self.clip, 1 + self.clip) * adv)
        with torch.no_grad():
            info = {
                "clip_frac": ((ratio - 1).abs() > self.clip).float().mean(),
                "approx_kl": (ratio - 1 - log_ratio).mean(),
            }
        return -surr.mean(), info
