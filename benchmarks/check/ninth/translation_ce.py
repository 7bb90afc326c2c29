import torch
import torch.nn as nn
import torch.nn.functional as F


class TranslationCE(nn.Module):
    """Cross-entropy of padded target sentences.

    Each sentence contributes the mean cross-entropy of its ``valid_len`` real
    tokens; padding has no influence on the result.

    Args:
        reduce (bool): average over the batch, else return one value a sentence

    Shape:
        - pred: (N, T, V) logits
        - label: (N, T) token ids
        - valid_len: (N,) numbers of real tokens, at least 1
    """

    def __init__(self, reduce=True):
        super().__init__()
        self.reduce = reduce

    def forward(self, pred, label, valid_len):
        steps = torch.arange(label.size(1), device=label.device)
        weights = (steps[None, :] < valid_len[:, None]).to(pred.dtype)
        token_loss = F.cross_entropy(pred.permute(0, 2, 1), label, reduction="none")
        sentence_loss = (token_loss * weights).mean(dim=1)
        return sentence_loss.mean() if self.reduce else sentence_loss
