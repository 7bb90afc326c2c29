import torch
import torch.nn as nn
import torch.nn.functional as F


class CTCHeadLoss(nn.Module):
    """CTC on batch-first logits.

    logits: (N, T, C); targets: (N, S) padded with anything;
    logit_lengths, target_lengths: (N,). Alignments that are impossible
    (target longer than input) count as 0.
    """

    def __init__(self, blank=0):
        super().__init__()
        self.blank = blank

    def forward(self, logits, targets, logit_lengths, target_lengths):
        log_probs = F.log_softmax(logits, dim=-1).transpose(0, 1)
        return F.ctc_loss(
            log_probs,
            targets,
            logit_lengths,
            target_lengths,
            blank=self.blank,
            reduction="mean",
            zero_infinity=True,
        )
