import torch
import torch.nn as nn
import torch.nn.functional as F


class LabelDistributionLoss(nn.Module):
    """Deep label distribution learning for age groups.

    Each integer label becomes a Gaussian over the bins and the network is
    trained with KL(label distribution || softmax(logits)).
    """

    def __init__(self, num_bins=20, sigma=1.2):
        super().__init__()
        self.sigma = sigma
        self.register_buffer("bins", torch.arange(num_bins).float())

    def make_target(self, labels):
        dist = self.bins.unsqueeze(0) - labels.unsqueeze(1).to(self.bins.dtype)
        t = torch.exp(-dist ** 2 / (2 * self.sigma ** 2))
        return t / t.sum(dim=1, keepdim=True)

    def forward(self, logits, labels):
        # logits: (N, num_bins), labels: (N,) with 0 .. num_bins - 1
        t = self.make_target(labels)
        log_p = F.log_softmax(logits, dim=1)
        kl = (t * (torch.log(t) - log_p)).sum(dim=1)
        return kl.mean()
