import torch
import torch.nn.functional as F


def gae_loss(preds, labels, mu=None, logvar=None, n_nodes=None, norm=None, pos_weight=None):
    """Loss of the (variational) graph auto-encoder.

    preds: (N, N) inner-product logits, labels: (N, N) adjacency with self loops, dense 0/1.
    norm and pos_weight default to the values of Kipf & Welling. With mu given the KL of
    the variational variant is added, divided by the number of nodes.
    """
    labels = labels.to(preds.dtype)
    if n_nodes is None:
        n_nodes = preds.shape[0]
    total = float(preds.numel())
    n_edges = labels.sum().clamp(min=1.0)
    if pos_weight is None:
        pos_weight = (total - n_edges).clamp(min=1.0) / n_edges
    if norm is None:
        norm = total / ((total - n_edges) * 2).clamp(min=1.0)

    cost = norm * F.binary_cross_entropy_with_logits(preds, labels, pos_weight=torch.as_tensor(pos_weight, dtype=preds.dtype))
    if mu is None:
        return cost

    # see Appendix B of the VAE paper; the model predicts log sigma^2
    kld = -0.5 / n_nodes * torch.mean(torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1))
    return cost + kld
