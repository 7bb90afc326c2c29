import torch
import torch.nn as nn


class CausalLMLoss(nn.Module):
    """Language modelling loss of a decoder.

    The labels are simply a copy of the input ids (padding set to -100); the
    prediction at position t is compared with the token at position t + 1.

    logits: (batch, seq, vocab), labels: (batch, seq)
    """

    def __init__(self, ignore_index=-100):
        super().__init__()
        self.criterion = nn.CrossEntropyLoss(ignore_index=ignore_index)

    def forward(self, logits, labels):
        vocab = logits.size(-1)
        return self.criterion(logits.view(-1, vocab), labels.view(-1))
