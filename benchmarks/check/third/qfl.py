import torch
import torch.nn.functional as F


def quality_focal_loss(pred, label, score, weight=None, beta=2.0, reduction="mean", avg_factor=None):
    """QFL of GFL. pred (N, C) logits; label (N,) in [0, C], C is background;
    score (N,) IoU quality of the positives. weight (N,), avg_factor e.g. number of positives."""
    num_classes = pred.size(1)
    pred_sigmoid = pred.sigmoid()

    # negatives are supervised by 0
    zerolabel = pred_sigmoid.new_zeros(pred.shape)
    loss = F.binary_cross_entropy_with_logits(pred, zerolabel, reduction="none") * pred_sigmoid.pow(beta)

    pos = ((label >= 0) & (label < num_classes)).nonzero().squeeze(1)
    pos_label = label[pos].long()
    scale_factor = score[pos].to(pred.dtype) - pred_sigmoid[pos, pos_label]
    loss[pos, pos_label] = F.binary_cross_entropy_with_logits(
        pred[pos, pos_label], score[pos].to(pred.dtype), reduction="none"
    ) * scale_factor.abs().pow(beta)

    loss = loss.sum(dim=1)
    if weight is not None:
        loss = loss * weight
    if reduction == "none":
        return loss
    if reduction == "mean":
        return loss.mean() if avg_factor is None else loss.sum() / max(float(avg_factor), 1.0)
    return loss.sum()
