import torch
import torch.nn as nn
import torch.nn.functional as F


class CTCCriterion(nn.Module):
    """CTC on batch-first logits.

    logits: (B, T, C), targets: (B, S) padded labels without blanks,
    logit_lens and target_lens: (B,). The loss of a sample is divided by its
    target length, then averaged; samples whose target does not fit into the
    frames contribute zero.
    """

    def __init__(self, blank: int = 0):
        super().__init__()
        self.blank = blank

    def forward(self, logits, targets, logit_lens, target_lens):
        log_probs = F.log_softmax(logits, dim=-1).transpose(0, 1)   # T, B, C
        return F.ctc_loss(log_probs, targets, logit_lens, target_lens,
                          blank=self.blank, reduction="mean", zero_infinity=True)
