import torch
import torch.nn as nn


class PListMLELoss(nn.Module):
    """Position-aware ListMLE for training rerankers.

    The documents of each query are sorted by their label and the negative
    Plackett-Luce log likelihood of that permutation is minimised; every
    position i has the weight 2^(n - i) - 1 (normalised).

    Args:
        respect_input_order: the documents are already given from the most
            to the least relevant, do not sort by label.
        position_weights: use the position dependent weights; plain ListMLE
            otherwise.

    Inputs of ``forward``: a flat tensor with the scores of all query-document
    pairs, a list with the number of documents per query and the flat labels.
    """

    def __init__(self, respect_input_order=False, position_weights=True):
        super().__init__()
        self.respect_input_order = respect_input_order
        self.position_weights = position_weights

    def _scatter(self, flat, counts, fill):
        batch_size, max_docs = len(counts), max(counts)
        out = flat.new_full((batch_size, max_docs), fill)
        rows = torch.repeat_interleave(
            torch.arange(batch_size, device=flat.device),
            torch.tensor(counts, device=flat.device))
        cols = torch.cat([torch.arange(c, device=flat.device) for c in counts])
        out[rows, cols] = flat
        return out, rows, cols

    def _weights(self, mask):
        # 2^(n - i) - 1 for i = 0 .. n - 1
        n = mask.sum(dim=1, keepdim=True)
        i = torch.arange(mask.shape[1], device=mask.device).unsqueeze(0)
        weights = (torch.pow(2.0, (n - i).clamp(min=0).float()) - 1) * mask
        return weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-10)

    def forward(self, scores, counts, labels):
        logits_matrix, rows, cols = self._scatter(scores, counts, 1e-16)
        labels_matrix, _, _ = self._scatter(labels.float(), counts, -float("inf"))
        mask = torch.zeros_like(logits_matrix, dtype=torch.bool)
        mask[rows, cols] = True

        if not self.respect_input_order:
            # the padding has the label -inf and stays at the end
            _, order = labels_matrix.sort(dim=1, descending=True, stable=True)
            logits_matrix = logits_matrix.gather(1, order)
            mask = mask.gather(1, order)

        # log of the sum over the documents which are not yet placed
        log_norm = torch.logcumsumexp(logits_matrix.flip(1), dim=1).flip(1)
        log_probs = (logits_matrix - log_norm).masked_fill(~mask, 0.0)

        if self.position_weights:
            log_probs = log_probs * self._weights(mask)
        per_query = -log_probs.sum(dim=1)
        return per_query.mean()
