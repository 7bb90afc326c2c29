import torch
import torch.nn as nn
import torch.nn.functional as F


class LabelSmoothedCrossEntropy(nn.Module):
    """Label smoothing for seq2seq, padded tokens do not contribute.

    logits: (B, T, V)   target: (B, T), pad positions hold `ignore_index`
    """

    def __init__(self, epsilon=0.1, ignore_index=-100):
        super().__init__()
        self.epsilon = epsilon
        self.ignore_index = ignore_index

    def forward(self, logits, target):
        V = logits.size(-1)
        lprobs = F.log_softmax(logits.reshape(-1, V), dim=-1)
        target = target.reshape(-1)
        n = (target != self.ignore_index).sum().clamp(min=1)
        nll = F.nll_loss(lprobs, target, ignore_index=self.ignore_index, reduction='sum')
        smooth = -lprobs.mean(dim=-1).sum()
        return ((1 - self.epsilon) * nll + self.epsilon * smooth) / n
