import torch
import torch.nn as nn
import torch.nn.functional as F


class BalancedCE(nn.Module):
    """Class-balanced cross-entropy based on the effective number of samples.

    The weight of class c is ``(1 - beta) / (1 - beta ** n_c)``, rescaled so
    that the weights add up to the number of classes. The loss is the weighted
    mean of the negative log-likelihood of the softmax of the scores.

    Args:
        samples_per_class (sequence of int): training images of each class
        beta (float): in [0, 1). Default: 0.999

    Shape:
        - scores: (N, C), unnormalised outputs of the last linear layer
        - labels: (N,)
    """

    def __init__(self, samples_per_class=(500, 200, 50, 10), beta=0.999):
        super().__init__()
        n = torch.tensor(samples_per_class, dtype=torch.float64)
        w = (1.0 - beta) / (1.0 - beta**n)
        w = w / w.sum() * len(samples_per_class)
        self.register_buffer("weight", w.float())

    def forward(self, scores, labels):
        probs = F.softmax(scores, dim=1)
        return F.cross_entropy(probs, labels, weight=self.weight.to(scores.dtype))
