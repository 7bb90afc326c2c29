import torch


def road_jaccard_loss(outputs, targets, smooth=1.0):
    """Soft Jaccard (IoU) loss for road extraction.

    The soft intersection over union of every tile is computed on sigmoid
    probabilities; the returned scalar, averaged over tiles, is to be minimised
    and lies in [0, 1].

    Args:
        outputs: logits, (N, H, W)
        targets: binary masks, (N, H, W)
        smooth: smoothing of the ratio
    """
    p = torch.sigmoid(outputs).flatten(1)
    t = targets.flatten(1).to(p.dtype)
    inter = (p * t).sum(1)
    union = p.sum(1) + t.sum(1) - inter
    iou = (inter + smooth) / (union + smooth)
    return iou.mean()
