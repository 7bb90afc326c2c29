"""Sound losses of labels, written by somebody who had not seen the checker."""

import torch
import torch.nn.functional as F
from torch import nn

from check.cases import sound


@sound("notebook: binary Dice loss for Kaggle masks")
def soft_dice_loss(logits, target, smooth=1.0):
    """Binary soft Dice. logits and target: (N, 1, H, W) (or any same shape), target in {0, 1}.

    Dice is computed for every image on its own, then averaged over the batch.
    """
    if logits.shape != target.shape:
        raise ValueError(f"shape mismatch: {tuple(logits.shape)} vs {tuple(target.shape)}")
    probs = torch.sigmoid(logits).flatten(1)
    t = target.to(probs.dtype).flatten(1)
    inter = (probs * t).sum(1)
    denom = probs.sum(1) + t.sum(1)
    return (1.0 - (2.0 * inter + smooth) / (denom + smooth)).mean()


@sound("repository: Dice with ignore_index for street scenes")
class MultiClassDice(nn.Module):
    """Soft Dice for C exclusive classes, sums taken over the whole batch.

    logits (N, C, H, W), target (N, H, W) long. Pixels equal to ignore_index take no part.
    """

    def __init__(self, smooth=1.0, ignore_index=255, include_background=True):
        super().__init__()
        self.smooth = smooth
        self.ignore_index = ignore_index
        self.include_background = include_background

    def forward(self, logits, target):
        n, c = logits.shape[:2]
        if target.shape != (n,) + tuple(logits.shape[2:]):
            raise ValueError("target must be (N, H, W) matching the logits")
        valid = target != self.ignore_index
        safe = torch.where(valid, target, torch.zeros_like(target))
        onehot = F.one_hot(safe, c).movedim(-1, 1).to(logits.dtype)
        m = valid.unsqueeze(1).to(logits.dtype)
        probs = torch.softmax(logits, dim=1) * m
        onehot = onehot * m
        dims = (0,) + tuple(range(2, logits.dim()))
        inter = (probs * onehot).sum(dims)
        total = probs.sum(dims) + onehot.sum(dims)
        dice = (2.0 * inter + self.smooth) / (total + self.smooth)
        if not self.include_background:
            dice = dice[1:]
        return 1.0 - dice.mean()


@sound("repository: small-lesion segmentation, focal Tversky")
class FocalTverskyLoss(nn.Module):
    """Focal Tversky for small lesions: mean over images of (1 - TI) ** gamma, gamma >= 1.

    alpha weighs false negatives, beta false positives. logits/target (N, ...), same shape.
    """

    def __init__(self, alpha=0.7, beta=0.3, gamma=4 / 3, smooth=1.0):
        super().__init__()
        if gamma < 1:
            raise ValueError("gamma must be >= 1")
        self.alpha, self.beta, self.gamma, self.smooth = alpha, beta, gamma, smooth

    def forward(self, logits, target):
        if logits.shape != target.shape:
            raise ValueError("logits and target must have the same shape")
        p = logits.sigmoid().flatten(1)
        t = target.to(p.dtype).flatten(1)
        tp = (p * t).sum(1)
        fn = ((1 - p) * t).sum(1)
        fp = (p * (1 - t)).sum(1)
        ti = (tp + self.smooth) / (tp + self.alpha * fn + self.beta * fp + self.smooth)
        return (1 - ti).clamp(min=0).pow(self.gamma).mean()


@sound("repository: Lovasz hinge for salt masks")
def lovasz_hinge(logits, labels, per_image=True):
    """Lovasz hinge for binary masks. logits (N, H, W), labels (N, H, W) in {0, 1}."""
    if logits.shape != labels.shape:
        raise ValueError("logits and labels must have the same shape")

    def flat(score, lab):
        lab = lab.to(score.dtype)
        errors = 1.0 - score * (2.0 * lab - 1.0)
        errors, order = torch.sort(errors, descending=True)
        gt = lab[order]
        total = gt.sum()
        inter = total - gt.cumsum(0)
        union = total + (1.0 - gt).cumsum(0)
        jac = 1.0 - inter / union
        jac = torch.cat([jac[:1], jac[1:] - jac[:-1]])
        return torch.dot(F.relu(errors), jac)

    if per_image:
        return torch.stack([flat(s.reshape(-1), l.reshape(-1)) for s, l in zip(logits, labels)]).mean()
    return flat(logits.reshape(-1), labels.reshape(-1))


@sound("question: boundary loss with distance maps, negative value normal?")
def boundary_loss(logits, dist_map):
    """Boundary loss with a precomputed signed distance map (negative inside the object).

    logits (N, 1, H, W), dist_map (N, 1, H, W). May be negative; lower is better.
    """
    if logits.shape != dist_map.shape:
        raise ValueError("dist_map must have the shape of the logits")
    return (torch.sigmoid(logits) * dist_map.to(logits.dtype)).mean()


@sound("repository: U-Net++ with side outputs")
class DeepSupervisionBCE(nn.Module):
    """BCE on the outputs of a U-Net++ / U2-Net. outputs: list of logits, finest first, (N, 1, h, w);
    target (N, 1, H, W). Coarse logits are resized to the target; weights decay**i, normalised to one.
    """

    def __init__(self, decay=0.5):
        super().__init__()
        self.decay = decay

    def forward(self, outputs, target):
        if torch.is_tensor(outputs):
            outputs = [outputs]
        target = target.to(outputs[0].dtype)
        weights = [self.decay**i for i in range(len(outputs))]
        total = 0.0
        for w, out in zip(weights, outputs):
            if out.shape[:2] != target.shape[:2]:
                raise ValueError("batch or channel mismatch between an output and the target")
            if out.shape[2:] != target.shape[2:]:
                out = F.interpolate(out, size=target.shape[2:], mode="bilinear", align_corners=False)
            total = total + w * F.binary_cross_entropy_with_logits(out, target)
        return total / sum(weights)


@sound("forum: own label smoothing with ignore_index")
class LabelSmoothingCE(nn.Module):
    """Cross-entropy with uniform label smoothing over all classes. logits (N, C), target (N,) long.

    reduction: 'mean' (over the targets that are not ignored), 'sum' or 'none'.
    """

    def __init__(self, smoothing=0.1, ignore_index=-100, reduction="mean"):
        super().__init__()
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(reduction)
        self.smoothing = smoothing
        self.ignore_index = ignore_index
        self.reduction = reduction

    def forward(self, logits, target):
        logp = F.log_softmax(logits, dim=-1)
        keep = target != self.ignore_index
        safe = target.masked_fill(~keep, 0)
        nll = -logp.gather(-1, safe.unsqueeze(-1)).squeeze(-1)
        uniform = -logp.mean(-1)
        loss = (1 - self.smoothing) * nll + self.smoothing * uniform
        loss = loss.masked_fill(~keep, 0.0)
        if self.reduction == "none":
            return loss
        if self.reduction == "sum":
            return loss.sum()
        return loss.sum() / keep.sum().clamp(min=1)


@sound("notebook: mixup training on CIFAR")
def mixup_cross_entropy(logits, y_a, y_b, lam=0.5):
    """Cross-entropy for a mixup batch: lam * CE(y_a) + (1 - lam) * CE(y_b).

    lam: a float or one value per sample, shape (N,).
    """
    ce_a = F.cross_entropy(logits, y_a, reduction="none")
    ce_b = F.cross_entropy(logits, y_b, reduction="none")
    if torch.is_tensor(lam) and lam.dim() > 0 and lam.shape != ce_a.shape:
        raise ValueError("lam must be a scalar or have shape (N,)")
    return (lam * ce_a + (1 - lam) * ce_b).mean()


@sound("repository: knowledge distillation, ResNet teacher")
class DistillationLoss(nn.Module):
    """Hinton distillation. Returns (total, hard, soft); total = (1 - alpha) * CE + alpha * T^2 * KL(teacher || student)."""

    def __init__(self, temperature=4.0, alpha=0.7):
        super().__init__()
        self.T = temperature
        self.alpha = alpha

    def forward(self, student_logits, teacher_logits, target):
        if student_logits.shape != teacher_logits.shape:
            raise ValueError("student and teacher logits differ in shape")
        hard = F.cross_entropy(student_logits, target)
        log_s = F.log_softmax(student_logits / self.T, dim=1)
        log_t = F.log_softmax(teacher_logits.detach() / self.T, dim=1)
        soft = F.kl_div(log_s, log_t, reduction="batchmean", log_target=True) * self.T**2
        return (1 - self.alpha) * hard + self.alpha * soft, hard, soft


@sound("question: coarse and fine labels in one loss")
class HierarchicalCE(nn.Module):
    """Fine cross-entropy plus cross-entropy of the coarse class that the fine one belongs to.

    logits (N, len(parents)), target (N,) fine class index. parents[i] is the coarse class of fine class i.
    """

    def __init__(self, parents=(0, 0, 1, 1, 2, 2), coarse_weight=0.5):
        super().__init__()
        self.register_buffer("parents", torch.tensor(parents, dtype=torch.long))
        self.coarse_weight = coarse_weight

    def forward(self, logits, target):
        if logits.size(1) != self.parents.numel():
            raise ValueError("one logit per fine class expected")
        logp = F.log_softmax(logits, dim=1)
        groups = [torch.logsumexp(logp[:, self.parents == k], dim=1) for k in range(int(self.parents.max()) + 1)]
        coarse = torch.stack(groups, dim=1)
        return F.nll_loss(logp, target) + self.coarse_weight * F.nll_loss(coarse, self.parents[target])


@sound("repository: face recognition with CosFace head")
class CosFaceHead(nn.Module):
    """Large-margin cosine loss (CosFace). embeddings (N, in_features), labels (N,)."""

    def __init__(self, in_features=32, num_classes=10, scale=30.0, margin=0.35):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_classes, in_features))
        nn.init.xavier_uniform_(self.weight)
        self.scale = scale
        self.margin = margin

    def forward(self, embeddings, labels):
        cos = F.linear(F.normalize(embeddings), F.normalize(self.weight))
        onehot = F.one_hot(labels, cos.size(1)).to(cos.dtype)
        return F.cross_entropy(self.scale * (cos - self.margin * onehot), labels)


@sound("repository: multi-label tagging, asymmetric loss")
class AsymmetricMultiLabelLoss(nn.Module):
    """Asymmetric loss for multi-label tagging; sum over labels, mean over the batch.

    logits, target: (N, L). gamma_neg > gamma_pos plays down the many easy negatives.
    """

    def __init__(self, gamma_pos=1.0, gamma_neg=4.0):
        super().__init__()
        self.gamma_pos, self.gamma_neg = gamma_pos, gamma_neg

    def forward(self, logits, target):
        if logits.shape != target.shape:
            raise ValueError("logits and target must both be (N, L)")
        y = target.to(logits.dtype)
        pos = torch.sigmoid(-logits).pow(self.gamma_pos) * F.logsigmoid(logits)
        neg = torch.sigmoid(logits).pow(self.gamma_neg) * F.logsigmoid(-logits)
        return -(y * pos + (1 - y) * neg).sum(1).mean()


@sound("notebook: age estimation, CORAL ordinal regression")
def coral_loss(logits, target):
    """CORAL ordinal regression. logits (N, K-1): logit of 'rank > k'; target (N,) long rank in 0..K-1.

    Sum over the K-1 binary tasks, mean over the batch.
    """
    if target.dim() != 1 or target.size(0) != logits.size(0):
        raise ValueError("target must be (N,)")
    ks = torch.arange(logits.size(1), device=logits.device)
    levels = (target.unsqueeze(1) > ks).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, levels, reduction="none").sum(1).mean()
