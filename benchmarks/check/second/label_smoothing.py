import torch
import torch.nn.functional as F


def smooth_one_hot(labels, num_classes, smoothing):
    y = F.one_hot(labels, num_classes).float()
    off_value = smoothing / num_classes
    return y * (1.0 - off_value) + off_value


def label_smoothing_loss(logits, labels, smoothing=0.1):
    """Cross entropy with smoothed targets y * (1 - smoothing) + smoothing / K.

    logits: (N, K); labels: (N,)
    """
    target = smooth_one_hot(labels, logits.size(1), smoothing).to(logits.dtype)
    log_probs = F.log_softmax(logits, dim=1)
    return -(target * log_probs).sum(dim=1).mean()
