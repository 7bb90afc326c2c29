import torch.nn as nn


class GraphEnergyLoss(nn.Module):
    """Mean squared error of a graph-level property.

    pred: (num_graphs,) readout of the network
    target: (num_graphs, 1) labels as the data loader collates them
    """

    def __init__(self, weight=1.0):
        super().__init__()
        self.weight = weight

    def forward(self, pred, target):
        return self.weight * ((pred - target) ** 2).mean()
