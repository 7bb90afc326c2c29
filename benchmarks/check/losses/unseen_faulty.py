"""Faulty losses of labels, written by somebody who had not seen the checker."""

import torch
import torch.nn.functional as F
from torch import nn

from check.cases import faulty


# range(num_classes - 1) leaves the last class out: the Dice of class C-1 never enters the mean (with C = 2 only
# background counts); a right version averages all C per-class Dice losses, including class C-1.
@faulty("labels-left-out", thread="notebook: Dice over all classes, Cityscapes")
class MulticlassDiceLoss(nn.Module):
    """Dice loss for multi-class segmentation, averaged over all classes.

    logits: (N, C, H, W), target: (N, H, W) with class indices.
    """

    def __init__(self, smooth=1.0):
        super().__init__()
        self.smooth = smooth

    def forward(self, logits, target):
        num_classes = logits.shape[1]
        probs = F.softmax(logits, dim=1)
        onehot = F.one_hot(target, num_classes).permute(0, 3, 1, 2).to(probs.dtype)
        losses = []
        for c in range(num_classes - 1):
            p = probs[:, c].reshape(-1)
            t = onehot[:, c].reshape(-1)
            inter = (p * t).sum()
            losses.append(1 - (2 * inter + self.smooth) / (p.sum() + t.sum() + self.smooth))
        return torch.stack(losses).mean()


# The Jaccard gradient is built from fg in pixel order instead of fg[perm], so weights do not belong to the sorted
# errors and the value depends on the order of the pixels; a right version uses fg[perm] and is invariant to
# permuting pixels.
@faulty("order-matters", "positions-matter", thread="repository: own Lovasz-softmax, mIoU does not improve")
def lovasz_softmax(logits, labels):
    """Lovasz-softmax over the classes present. logits (N, C, H, W), labels (N, H, W)."""
    n, c = logits.shape[:2]
    probs = F.softmax(logits, dim=1).permute(0, 2, 3, 1).reshape(-1, c)
    labels = labels.reshape(-1)
    losses = []
    for k in range(c):
        fg = (labels == k).to(probs.dtype)
        if fg.sum() == 0:
            continue
        errors = (fg - probs[:, k]).abs()
        errors_sorted, perm = torch.sort(errors, descending=True)
        total = fg.sum()
        inter = total - fg.cumsum(0)
        union = total + (1 - fg).cumsum(0)
        jac = 1 - inter / union
        grad = torch.cat([jac[:1], jac[1:] - jac[:-1]])
        losses.append(torch.dot(errors_sorted, grad))
    return torch.stack(losses).mean()


# a.data detaches the auxiliary logits, so with any aux head its gradient is missing (None/zero) although the loss
# value depends on it; right: interpolate a itself.
@faulty("no-graph", "slope-disagrees", "unused-argument", thread="repository: PSPNet auxiliary heads")
class AuxHeadLoss(nn.Module):
    """Cross-entropy on the main head and on auxiliary heads (deep supervision, PSPNet style).

    main (N, C, H, W), aux: list of (N, C, h, w), target (N, H, W). Total = CE(main) + aux_weight * mean CE(aux).
    """

    def __init__(self, aux_weight=0.4):
        super().__init__()
        self.aux_weight = aux_weight

    def forward(self, main, aux, target):
        loss = F.cross_entropy(main, target)
        aux_losses = []
        for a in aux:
            up = F.interpolate(a.data, size=target.shape[-2:], mode="bilinear", align_corners=False)
            aux_losses.append(F.cross_entropy(up, target))
        if aux_losses:
            loss = loss + self.aux_weight * torch.stack(aux_losses).mean()
        return loss


# Sigmoid is applied twice (sigmoid, then BCE-with-logits), so perfect confident logits give about 0.31..0.69
# instead of 0; right: pass the raw logits.
@faulty("misused-function", "activated-twice", thread="forum: multi-label masks, loss stuck near 0.5")
class MultiLabelSegLoss(nn.Module):
    """BCE for overlapping organ masks. logits: raw network output (N, C, H, W), target (N, C, H, W) in {0, 1}."""

    def __init__(self, pos_weight=1.0):
        super().__init__()
        self.pos_weight = pos_weight

    def forward(self, logits, target):
        if logits.shape != target.shape:
            raise ValueError("logits and target must have the same shape")
        probs = torch.sigmoid(logits)
        pw = torch.as_tensor(self.pos_weight, dtype=probs.dtype, device=probs.device)
        return F.binary_cross_entropy_with_logits(probs, target.to(probs.dtype), pos_weight=pw)


# target[~valid] = 0 rewrites the caller's label tensor whenever it contains ignore_index, so a second call trains
# void pixels as class 0; right: work on a copy.
@faulty("changes-inputs", thread="repository: CE plus Dice with void label 255")
class CEDiceIgnore(nn.Module):
    """CE + Dice; pixels labelled ignore_index count in neither. logits (N, C, H, W), target (N, H, W)."""

    def __init__(self, ignore_index=255, smooth=1.0):
        super().__init__()
        self.ignore_index = ignore_index
        self.smooth = smooth

    def forward(self, logits, target):
        c = logits.shape[1]
        valid = target != self.ignore_index
        target[~valid] = 0
        ce = F.cross_entropy(logits, target, reduction="none")
        ce = (ce * valid).sum() / valid.sum().clamp(min=1)
        m = valid.unsqueeze(1)
        probs = F.softmax(logits, dim=1) * m
        onehot = F.one_hot(target, c).permute(0, 3, 1, 2) * m
        inter = (probs * onehot).sum((0, 2, 3))
        total = probs.sum((0, 2, 3)) + onehot.sum((0, 2, 3))
        dice = (2 * inter + self.smooth) / (total + self.smooth)
        return ce + 1 - dice.mean()


# Pixels equal to ignore_index are replaced by class 0 and never masked, so they are trained as class 0 and counted
# in the mean; right: (loss * valid).sum() / valid.sum().
@faulty("ignored-changes-value", "ignored-gets-gradient", thread="issue: focal loss ignore_index has no effect")
class FocalSegLoss(nn.Module):
    """Multi-class focal loss for segmentation. logits (N, C, H, W), target (N, H, W).

    ignore_index: label of pixels without annotation; they do not contribute.
    """

    def __init__(self, gamma=2.0, ignore_index=255):
        super().__init__()
        self.gamma = gamma
        self.ignore_index = ignore_index

    def forward(self, logits, target):
        valid = target != self.ignore_index
        target = torch.where(valid, target, torch.zeros_like(target))
        logp = F.log_softmax(logits, dim=1).gather(1, target.unsqueeze(1)).squeeze(1)
        p = logp.exp()
        loss = -((1 - p) ** self.gamma) * logp
        return loss.mean()


# pt is computed as exp(-alpha[y] * CE) = p_y ** alpha[y] rather than p_y whenever alpha[y] != 1; right: pt from the
# unweighted cross-entropy.
@faulty("weight-in-factor", thread="repository: multi-class focal loss with alpha weights")
class WeightedFocalLoss(nn.Module):
    """Focal loss FL = -alpha[y] * (1 - p_y) ** gamma * log(p_y), averaged over the batch.

    logits (N, 3) for healthy / benign / malignant, target (N,).
    """

    def __init__(self, alpha=(0.25, 1.0, 4.0), gamma=2.0):
        super().__init__()
        self.register_buffer("alpha", torch.tensor(alpha))
        self.gamma = gamma

    def forward(self, logits, target):
        ce = F.cross_entropy(logits, target, weight=self.alpha, reduction="none")
        pt = torch.exp(-ce)
        return ((1 - pt) ** self.gamma * ce).mean()


# Only positives are smoothed (to 1 - eps/2); negatives stay at 0 instead of eps/2, so a batch of zeros gives the
# unsmoothed loss.
@faulty("perfect-costs", thread="question: label smoothing for binary classifier")
def bce_with_label_smoothing(logits, target, smoothing=0.1):
    """Binary cross-entropy with label smoothing: the labels 0/1 become smoothing/2 and 1 - smoothing/2."""
    if logits.shape != target.shape:
        raise ValueError("logits and target must have the same shape")
    target = target.to(logits.dtype)
    target = torch.where(target > 0.5, target - smoothing / 2, target)
    return F.binary_cross_entropy_with_logits(logits, target)


# KLDivLoss gets softmax probabilities instead of log-probabilities of the student, so identical student and teacher
# give a non-zero (negative) 'KL'; right: log_softmax.
@faulty("misused-function", thread="forum: distillation loss is negative with KLDivLoss")
class KDLoss(nn.Module):
    """Knowledge distillation: alpha * T^2 * KL(teacher || student) + (1 - alpha) * CE.

    student_logits, teacher_logits (N, C), labels (N,).
    """

    def __init__(self, T=3.0, alpha=0.5):
        super().__init__()
        self.T = T
        self.alpha = alpha
        self.kl = nn.KLDivLoss(reduction="batchmean")

    def forward(self, student_logits, teacher_logits, labels):
        soft_teacher = F.softmax(teacher_logits.detach() / self.T, dim=1)
        soft_student = F.softmax(student_logits / self.T, dim=1)
        kd = self.kl(soft_student, soft_teacher) * self.T**2
        ce = F.cross_entropy(student_logits, labels)
        return self.alpha * kd + (1 - self.alpha) * ce


# log_softmax runs over the batch (dim=0) instead of the classes, so one sample's loss depends on the other samples
# (and N=1 gives 0); right: dim=1.
@faulty("wrong-dimension", thread="notebook: several annotators, soft label cross-entropy")
def soft_label_loss(logits, target_dist):
    """Cross-entropy against a label distribution (e.g. several annotators). Both (N, C); rows of target_dist sum to 1."""
    if logits.shape != target_dist.shape:
        raise ValueError("logits and target_dist must have the same shape")
    log_probs = F.log_softmax(logits, dim=0)
    return -(target_dist * log_probs).sum(dim=1).mean()


# The margin has the wrong sign, cos(theta - m): for theta > m the target becomes easier and the loss falls as m
# grows; right: cos(theta + m).
@faulty("margin-eases", thread="repository: ArcFace on cosine logits")
class ArcFaceLoss(nn.Module):
    """ArcFace: additive angular margin m on the target class, makes the target class harder.

    cosine: (N, C) cosines between normalised embedding and class centres, labels (N,).
    """

    def __init__(self, s=30.0, m=0.3):
        super().__init__()
        self.s = s
        self.m = m

    def forward(self, cosine, labels):
        theta = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
        onehot = F.one_hot(labels, cosine.size(1)).to(cosine.dtype)
        logits = torch.cos(theta - self.m * onehot)
        return F.cross_entropy(self.s * logits, labels)


# Integer division // floors N / (C * count): a majority class with count > N / C gets weight 0 and no gradient,
# other weights are truncated; right: true division.
@faulty("wrong-answers-unlearnt", "labels-left-out", thread="notebook: balance classes from batch counts")
def batch_balanced_ce(logits, target):
    """Cross-entropy with class weights from the batch: N / (C * count), as in sklearn's class_weight='balanced'.

    logits (N, C), target (N,). Weighted mean.
    """
    num_classes = logits.size(1)
    counts = torch.bincount(target, minlength=num_classes).clamp(min=1)
    weights = target.numel() // (num_classes * counts)
    w = weights.to(logits.dtype)[target]
    ce = F.cross_entropy(logits, target, reduction="none")
    return (w * ce).sum() / w.sum().clamp(min=1e-8)
