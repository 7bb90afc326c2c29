import torch
import torch.nn.functional as F


def generalized_dice_loss(logits: torch.Tensor, labels: torch.Tensor, eps: float = 1e-6) -> torch.Tensor:
    """Generalized Dice loss (Sudre et al., 2017).

    Every class is weighted by the inverse of its squared volume so that small
    structures count as much as large ones. The loss is computed per volume and
    averaged over the batch.

    Args:
        logits: (N, C, H, W) raw network output.
        labels: (N, H, W) long tensor with values in [0, C). An image does not
            have to contain all the classes.
        eps: stabilizer of the final ratio.
    """
    num_classes = logits.size(1)
    probs = torch.softmax(logits, dim=1).flatten(2)
    onehot = F.one_hot(labels, num_classes).movedim(-1, 1).flatten(2).to(probs.dtype)

    volume = onehot.sum(-1)
    w = 1.0 / volume.pow(2)

    intersect = (w * (probs * onehot).sum(-1)).sum(-1)
    union = (w * (probs + onehot).sum(-1)).sum(-1)
    return (1 - (2 * intersect + eps) / (union + eps)).mean()
