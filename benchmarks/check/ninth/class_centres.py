import torch
import torch.nn as nn


class ClassCentres(nn.Module):
    """Centre loss (Wen et al., 2016) with learnable centres.

    Half the squared Euclidean distance of each feature to the centre of its
    class, summed over the dimensions and averaged over the batch. Give the
    module's parameters to an optimiser to move the centres.

    Args:
        num_classes (int): default 10
        dim (int): feature dimension. Default: 2
    """

    def __init__(self, num_classes=10, dim=2):
        super().__init__()
        self.centres = nn.Parameter(torch.randn(num_classes, dim))

    def forward(self, features, labels):
        diff = features - self.centres[labels]
        return 0.5 * diff.pow(2).sum(1).mean()
