import torch


def focal_tversky_loss(probs, target, alpha=0.3, beta=0.7, gamma=4.0 / 3.0, smooth=1.0):
    """Focal Tversky loss on probabilities.

    TI = TP / (TP + alpha * FP + beta * FN) per sample and channel;
    the loss is mean((1 - TI) ** gamma) with gamma >= 1.

    probs:  (N, C, H, W) in [0, 1] (already passed through sigmoid or softmax)
    target: (N, C, H, W) binary
    """
    if gamma < 1:
        raise ValueError("gamma below 1 has an infinite slope at TI = 1")
    p = probs.flatten(2)
    if p.dtype in (torch.float16, torch.bfloat16):
        p = p.float()
    t = target.to(p.dtype).flatten(2)
    tp = (p * t).sum(-1)
    fp = (p * (1 - t)).sum(-1)
    fn = ((1 - p) * t).sum(-1)
    ti = (tp + smooth) / (tp + alpha * fp + beta * fn + smooth)
    return torch.pow((1 - ti).clamp(min=0), gamma).mean()
