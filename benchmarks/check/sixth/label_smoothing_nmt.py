import torch
import torch.nn as nn
import torch.nn.functional as F


class LabelSmoothingLoss(nn.Module):
    """
    With label smoothing, KL-divergence between q_{smoothed ground truth prob.}(w)
    and p_{prob. computed by model}(w) is minimized over the target words.

    tgt batches are right padded with `padding_idx`.
    """

    def __init__(self, label_smoothing=0.1, tgt_vocab_size=1000, padding_idx=0):
        assert 0.0 < label_smoothing <= 1.0
        super(LabelSmoothingLoss, self).__init__()
        self.padding_idx = padding_idx
        smoothing_value = label_smoothing / (tgt_vocab_size - 2)
        one_hot = torch.full((tgt_vocab_size,), smoothing_value)
        one_hot[self.padding_idx] = 0
        self.register_buffer('one_hot', one_hot.unsqueeze(0))
        self.confidence = 1.0 - label_smoothing

    def forward(self, output, target):
        """
        output (FloatTensor): batch_size x seq_len x n_classes, unnormalised
        target (LongTensor): batch_size x seq_len
        """
        output = F.log_softmax(output.reshape(-1, output.size(-1)), dim=-1)
        target = target.reshape(-1)
        model_prob = self.one_hot.repeat(target.size(0), 1)
        model_prob.scatter_(1, target.unsqueeze(1), self.confidence)

        n_words = target.ne(self.padding_idx).sum().clamp(min=1)
        return F.kl_div(output, model_prob, reduction='sum') / n_words
