import torch
import torch.nn as nn
import torch.nn.functional as F


class AnswerTokens(nn.Module):
    """Next-token loss on the answer part of a prompt.

    Logits at position t predict token t + 1. Only positions whose *target*
    token is flagged in ``answer_mask`` count. The summed loss is divided by the
    number of such tokens in the batch (at least 1).

    Args:
        z_loss (float): weight of ``logsumexp(logits)**2`` over the same tokens.
            Default: 0

    Shape:
        - logits: (N, T, V)
        - ids: (N, T)
        - answer_mask: (N, T), 0 or 1
    """

    def __init__(self, z_loss=0.0):
        super().__init__()
        self.z_loss = z_loss

    def forward(self, logits, ids, answer_mask):
        logits, nxt, m = logits[:, :-1], ids[:, 1:], answer_mask[:, 1:].to(logits.dtype)
        lse = torch.logsumexp(logits, -1)
        nll = lse - logits.gather(-1, nxt.unsqueeze(-1)).squeeze(-1)
        if self.z_loss:
            nll = nll + self.z_loss * lse**2
        return (nll * m).sum() / m.sum().clamp(min=1)
