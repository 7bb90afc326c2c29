import torch
from torch import Tensor, nn


class ListMLELoss(nn.Module):
    """ListMLE for rerankers: negative Plackett-Luce log-likelihood of the ordering given by the labels.

    Lists of different length are padded on the right; ``mask`` is True for real documents.
    Per-query losses are divided by the number of documents and averaged over queries.
    """

    def __init__(self, respect_input_order: bool = False) -> None:
        super().__init__()
        self.respect_input_order = respect_input_order

    def forward(self, logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
        """logits, labels: (batch_size, max_docs); mask: (batch_size, max_docs) bool"""
        logits = logits.masked_fill(~mask, 1e-16)

        if not self.respect_input_order:
            keys = labels.float().masked_fill(~mask, float("-inf"))
            _, indices = keys.sort(dim=1, descending=True, stable=True)
            logits = logits.gather(1, indices)
            mask = mask.gather(1, indices)

        # log sum of the scores of the documents that are not yet placed
        log_norm = torch.logcumsumexp(logits.flip(1), dim=1).flip(1)
        log_probs = logits - log_norm
        log_probs = log_probs.masked_fill(~mask, 0.0)

        n_docs = mask.sum(dim=1).clamp(min=1)
        return -(log_probs.sum(dim=1) / n_docs).mean()
