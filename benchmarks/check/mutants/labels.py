"""Losses of labels in plain PyTorch, as users write them; each equals the loss of the catalogue with its name."""

import torch
import torch.nn.functional as F


def binary_cross_entropy_with_logits(logits, target, pos_weight=1.0):
    """Binary cross-entropy of logits; pos_weight weighs the positives."""
    loss = pos_weight * target * F.softplus(-logits) + (1 - target) * F.softplus(logits)
    return loss.mean()


def cross_entropy(logits, target, ignore_index=-100, label_smoothing=0.0):
    """Cross-entropy of logits (N, C, *) and class indices (N, *)."""
    valid = target != ignore_index
    log_probs = F.log_softmax(logits, dim=1)
    true = log_probs.gather(1, target.clamp(min=0).unsqueeze(1)).squeeze(1)
    loss = -(1 - label_smoothing) * true - label_smoothing * log_probs.mean(dim=1)
    return loss[valid].sum() / valid.sum().clamp(min=1)


def nll_loss(log_probs, target, ignore_index=-100):
    """Negative log-likelihood of log-probabilities (N, C) and class indices (N,)."""
    valid = target != ignore_index
    picked = log_probs.gather(1, target.clamp(min=0).unsqueeze(1)).squeeze(1)
    return -picked[valid].sum() / valid.sum().clamp(min=1)


def focal_loss(logits, target, gamma=2.0, alpha=0.25):
    """Focal loss of binary logits; alpha weighs the positives, 1 - alpha the negatives."""
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    p_t = torch.exp(-bce)
    alpha_t = alpha * target + (1 - alpha) * (1 - target)
    return (alpha_t * (1 - p_t) ** gamma * bce).mean()


def multiclass_focal_loss(logits, target, gamma=2.0, ignore_index=-100):
    """Focal loss of logits (N, C, *) and class indices (N, *)."""
    ce = F.cross_entropy(logits, target, ignore_index=ignore_index, reduction="none")
    valid = target != ignore_index
    p_t = torch.exp(-ce)
    loss = (1 - p_t) ** gamma * ce
    return loss[valid].sum() / valid.sum().clamp(min=1)


def generalized_cross_entropy_loss(logits, target, q=0.7):
    """Generalized cross-entropy, (1 - p^q) / q, for noisy labels."""
    log_p = F.log_softmax(logits, dim=1).gather(1, target.unsqueeze(1)).squeeze(1)
    return ((1 - torch.exp(q * log_p)) / q).mean()


def poly_loss(logits, target, epsilon=1.0):
    """Poly-1 cross-entropy: cross-entropy plus epsilon times (1 - p)."""
    ce = F.cross_entropy(logits, target, reduction="none")
    p_t = F.softmax(logits, dim=1).gather(1, target.unsqueeze(1)).squeeze(1)
    return (ce + epsilon * (1 - p_t)).mean()


def symmetric_cross_entropy_loss(logits, target, alpha=0.1, beta=1.0, floor=-4.0):
    """Cross-entropy and reverse cross-entropy, for noisy labels."""
    ce = F.cross_entropy(logits, target)
    p_t = F.softmax(logits, dim=1).gather(1, target.unsqueeze(1)).squeeze(1)
    reverse = -floor * (1 - p_t)
    return alpha * ce + beta * reverse.mean()


def dice_loss(logits, target, smooth=1.0):
    """Dice loss of a binary mask (N, 1, H, W), one value per sample."""
    probs = torch.sigmoid(logits).flatten(1)
    target = target.flatten(1)
    intersection = (probs * target).sum(1)
    score = (2 * intersection + smooth) / (probs.sum(1) + target.sum(1) + smooth)
    return (1 - score).mean()


def multiclass_dice_loss(logits, target, smooth=1.0):
    """Dice loss of logits (N, C, H, W) and class indices (N, H, W)."""
    probs = F.softmax(logits, dim=1)
    one_hot = F.one_hot(target, logits.shape[1]).movedim(-1, 1).to(probs.dtype)
    intersection = (probs * one_hot).sum(dim=(2, 3))
    size = probs.sum(dim=(2, 3)) + one_hot.sum(dim=(2, 3))
    return (1 - (2 * intersection + smooth) / (size + smooth)).mean()


def jaccard_loss(logits, target, smooth=1.0):
    """Jaccard (IoU) loss of a binary mask (N, 1, H, W)."""
    probs = torch.sigmoid(logits).flatten(1)
    target = target.flatten(1)
    intersection = (probs * target).sum(1)
    union = probs.sum(1) + target.sum(1) - intersection
    return (1 - (intersection + smooth) / (union + smooth)).mean()


def tversky_loss(logits, target, alpha=0.3, beta=0.7, smooth=1.0):
    """Tversky loss of a binary mask; alpha weighs false positives, beta false negatives."""
    probs = torch.sigmoid(logits).flatten(1)
    target = target.flatten(1)
    tp = (probs * target).sum(1)
    fp = (probs * (1 - target)).sum(1)
    fn = ((1 - probs) * target).sum(1)
    return (1 - (tp + smooth) / (tp + alpha * fp + beta * fn + smooth)).mean()


def focal_tversky_loss(logits, target, alpha=0.3, beta=0.7, gamma=1.33, smooth=1.0):
    """Focal Tversky loss: the Tversky loss to the power gamma."""
    probs = torch.sigmoid(logits).flatten(1)
    target = target.flatten(1)
    tp = (probs * target).sum(1)
    fp = (probs * (1 - target)).sum(1)
    fn = ((1 - probs) * target).sum(1)
    score = (tp + smooth) / (tp + alpha * fp + beta * fn + smooth)
    return ((1 - score) ** gamma).mean()


def log_cosh_dice_loss(logits, target, smooth=1.0):
    """Log-cosh of the Dice loss."""
    probs = torch.sigmoid(logits).flatten(1)
    target = target.flatten(1)
    intersection = (probs * target).sum(1)
    dice = 1 - (2 * intersection + smooth) / (probs.sum(1) + target.sum(1) + smooth)
    return torch.log(torch.cosh(dice)).mean()


def generalized_dice_loss(logits, target, eps=1e-6):
    """Generalized Dice loss: classes weighted by the inverse square of their size."""
    probs = F.softmax(logits, dim=1).flatten(2)
    one_hot = F.one_hot(target, logits.shape[1]).movedim(-1, 1).to(probs.dtype).flatten(2)
    weight = 1 / (one_hot.sum(-1) ** 2).clamp(min=1)
    intersection = (weight * (probs * one_hot).sum(-1)).sum(1)
    union = (weight * (probs + one_hot).sum(-1)).sum(1)
    return (1 - 2 * intersection / (union + eps)).mean()


def dice_bce_loss(logits, target, dice_weight=1.0, bce_weight=1.0, smooth=1.0):
    """Dice loss plus binary cross-entropy."""
    probs = torch.sigmoid(logits).flatten(1)
    flat = target.flatten(1)
    intersection = (probs * flat).sum(1)
    dice = 1 - (2 * intersection + smooth) / (probs.sum(1) + flat.sum(1) + smooth)
    bce = F.binary_cross_entropy_with_logits(logits, target)
    return dice_weight * dice.mean() + bce_weight * bce


def dice_ce_loss(logits, target, dice_weight=1.0, ce_weight=1.0, smooth=1.0):
    """Dice loss plus cross-entropy, of logits (N, C, H, W) and class indices (N, H, W)."""
    ce = F.cross_entropy(logits, target)
    probs = F.softmax(logits, dim=1)
    one_hot = F.one_hot(target, logits.shape[1]).movedim(-1, 1).to(probs.dtype)
    intersection = (probs * one_hot).sum(dim=(2, 3))
    size = probs.sum(dim=(2, 3)) + one_hot.sum(dim=(2, 3))
    dice = 1 - (2 * intersection + smooth) / (size + smooth)
    return dice_weight * dice.mean() + ce_weight * ce


def combo_loss(logits, target, alpha=0.5, beta=0.5, smooth=1.0):
    """Combo loss: weighted cross-entropy minus the Dice score of the batch."""
    bce = -(beta * target * F.logsigmoid(logits) + (1 - beta) * (1 - target) * F.logsigmoid(-logits)).mean()
    probs = torch.sigmoid(logits)
    dice = (2 * (probs * target).sum() + smooth) / (probs.sum() + target.sum() + smooth)
    return alpha * bce - (1 - alpha) * dice


def asymmetric_loss(logits, target, gamma_negative=4.0, gamma_positive=1.0, clip=0.05):
    """Asymmetric loss of multi-label logits (N, C)."""
    probs = torch.sigmoid(logits)
    missed = (1 - probs + clip).clamp(max=1)
    positive = target * F.logsigmoid(logits) * (1 - probs) ** gamma_positive
    negative = (1 - target) * missed.log() * (1 - missed) ** gamma_negative
    return -(positive + negative).mean()


def multilabel_soft_margin_loss(logits, target):
    """Multi-label soft margin loss of logits (N, C)."""
    loss = -(target * F.logsigmoid(logits) + (1 - target) * F.logsigmoid(-logits))
    return loss.mean(dim=1).mean()


def soft_margin_loss(logits, target):
    """Soft margin loss; the target is 1 or -1."""
    return F.softplus(-target * logits).mean()


def multi_margin_loss(logits, target, margin=1.0):
    """Multi-class hinge loss of scores (N, C) and class indices (N,)."""
    true = logits.gather(1, target.unsqueeze(1))
    loss = (margin - true + logits).clamp(min=0)
    loss = loss.scatter(1, target.unsqueeze(1), 0.0)
    return loss.sum(1).mean() / logits.shape[1]


def logit_adjusted_loss(logits, target, counts=(50.0, 30.0, 20.0), tau=1.0):
    """Logit-adjusted cross-entropy: the log of the class frequencies is added to the logits."""
    prior = torch.tensor(counts, dtype=logits.dtype, device=logits.device)
    prior = prior / prior.sum()
    return F.cross_entropy(logits + tau * prior.log(), target)


def ldam_loss(logits, target, counts=(50.0, 30.0, 20.0), max_margin=0.5, scale=30.0):
    """Label-distribution-aware margins: larger for rare classes."""
    margins = torch.tensor(counts, dtype=logits.dtype, device=logits.device) ** -0.25
    margins = margins * max_margin / margins.max()
    one_hot = F.one_hot(target, logits.shape[1]).to(logits.dtype)
    return F.cross_entropy(scale * (logits - one_hot * margins), target)


def confidence_penalty_loss(logits, target, beta=0.1):
    """Cross-entropy minus beta times the entropy of the prediction."""
    log_probs = F.log_softmax(logits, dim=1)
    entropy = -(log_probs.exp() * log_probs).sum(1)
    return F.cross_entropy(logits, target) - beta * entropy.mean()


def ordinal_emd_loss(logits, target):
    """Squared earth mover's distance of ordered classes."""
    probs = F.softmax(logits, dim=1)
    one_hot = F.one_hot(target, logits.shape[1]).to(probs.dtype)
    difference = probs.cumsum(1) - one_hot.cumsum(1)
    return difference.square().sum(1).mean()


def quality_focal_loss(logits, target, beta=2.0):
    """Quality focal loss: targets are IoU values between 0 and 1."""
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    scale = (target - torch.sigmoid(logits)).abs() ** beta
    return (scale * bce).mean()


def coral_loss(logits, levels):
    """CORAL: logits (N, K - 1) of P(rank > k) and levels (N, K - 1) of 0 and 1."""
    loss = F.logsigmoid(logits) * levels + (F.logsigmoid(logits) - logits) * (1 - levels)
    return -loss.sum(dim=1).mean()


def cross_entropy_of_tokens(logits, target, pad_id=0):
    """Cross-entropy of tokens: logits (N, T, V), target (N, T); padding is left out."""
    mask = target != pad_id
    loss = F.cross_entropy(logits.transpose(1, 2), target, reduction="none")
    return (loss * mask).sum() / mask.sum().clamp(min=1)
