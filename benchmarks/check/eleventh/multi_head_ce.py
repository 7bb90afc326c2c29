import torch
import torch.nn as nn


class MultiPositionCrossEntropy(nn.Module):
    """One weighted cross entropy per letter position, summed.

    logits: (N, positions, letters), target: (N, positions)
    """

    def __init__(self, num_positions=3, num_letters=4):
        super().__init__()
        self.criterions = []
        for p in range(num_positions):
            weight = torch.linspace(1.0, 1.0 + p, num_letters)
            self.criterions.append(nn.CrossEntropyLoss(weight=weight))

    def forward(self, logits, target):
        loss = 0.0
        for p, criterion in enumerate(self.criterions):
            loss = loss + criterion(logits[:, p], target[:, p])
        return loss
