import torch
import torch.nn.functional as F


def lovasz_hinge(logits: torch.Tensor, labels: torch.Tensor, ignore: int = 255) -> torch.Tensor:
    """Binary Lovasz hinge loss (Berman et al., 2018).

    Surrogate of the Jaccard loss of the foreground, computed image by image
    on the pixels that are not void and averaged over the images. An image
    with void pixels only contributes zero.

    Args:
        logits: (N, H, W) scores, positive means foreground.
        labels: (N, H, W) with 0, 1 or ``ignore``.
        ignore: void label.
    """
    total = logits.new_zeros(())
    for score, label in zip(logits, labels):
        keep = label != ignore
        s, y = score[keep], label[keep].to(score.dtype)
        if y.numel() == 0:
            total = total + score.sum() * 0
            continue

        errors = 1 - s * (2 * y - 1)
        errors, order = torch.sort(errors, descending=True)
        y = y[order]

        # Jaccard loss when the k worst pixels are wrong, for k = 1 .. P
        intersection = y.sum() - y.cumsum(0)
        union = y.sum() + (1 - y).cumsum(0)
        jaccard = 1 - intersection / union
        grad = torch.diff(jaccard, prepend=jaccard.new_zeros(1))
        total = total + torch.dot(F.relu(errors), grad)
    return total / len(logits)
