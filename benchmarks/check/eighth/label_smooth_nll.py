import torch
import torch.nn.functional as F


def label_smoothed_nll(log_probs: torch.Tensor, target: torch.Tensor, epsilon: float = 0.1,
                       pad: int = 0) -> torch.Tensor:
    """Label-smoothed negative log-likelihood.

    The true class gets probability ``1 - epsilon`` and the remaining mass
    ``epsilon`` is shared equally by the other V - 1 classes. Positions with
    target ``pad`` are dropped; the result is the sum over the others.

    Args:
        log_probs: (..., V) log-probabilities, e.g. from ``F.log_softmax``.
        target: (...) class indices.
        epsilon: smoothing mass.
        pad: index of the padding class.
    """
    vocab = log_probs.size(-1)
    flat = log_probs.reshape(-1, vocab)
    target = target.reshape(-1)

    keep = target.ne(pad)
    flat, target = flat[keep], target[keep]
    picked = flat.gather(1, target[:, None]).squeeze(1)
    others = flat.sum(dim=1) - picked
    return -((1 - epsilon) * picked + epsilon / (vocab - 1) * others).sum()
