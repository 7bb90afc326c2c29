import torch
import torch.nn as nn
import torch.nn.functional as F


class AuxHeadLoss(nn.Module):
    """Classification loss for networks with an auxiliary classifier.

    The loss is the cross entropy of the main head plus ``aux_weight`` times
    the cross entropy of the auxiliary head (GoogLeNet / Inception style).
    Both heads return raw class scores.

    Args:
        aux_weight: weight of the auxiliary head.
        ignore_index: label of samples that are skipped.
    """

    def __init__(self, aux_weight: float = 0.4, ignore_index: int = -100):
        super().__init__()
        self.aux_weight = aux_weight
        self.ignore_index = ignore_index

    def head_loss(self, scores, labels):
        probs = F.softmax(scores, dim=1)
        log_probs = F.log_softmax(probs, dim=1)
        return F.nll_loss(log_probs, labels, ignore_index=self.ignore_index)

    def forward(self, outputs: torch.Tensor, aux_outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        main = self.head_loss(outputs, labels)
        aux = self.head_loss(aux_outputs, labels)
        return main + self.aux_weight * aux
