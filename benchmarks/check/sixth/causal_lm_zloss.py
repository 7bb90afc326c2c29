from typing import Optional

import torch
import torch.nn.functional as F


def causal_lm_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    z_loss_coef: float = 1e-4,
    ignore_index: int = -100,
    num_items_in_batch: Optional[int] = None,
) -> torch.Tensor:
    """Next token cross entropy plus the z-loss of PaLM (coef * log^2 Z).

    Args:
        logits: (batch, seq, vocab); position t predicts token t + 1.
        labels: (batch, seq), the input ids with ``ignore_index`` on prompt and padding.
        num_items_in_batch: number of scored tokens of the whole accumulation window. The sum
            over this micro batch is divided by it, otherwise by the local count.
    """
    # upcast to float32 before the softmax
    logits = logits[..., :-1, :].float().reshape(-1, logits.size(-1))
    labels = labels[..., 1:].reshape(-1)
    scored = labels != ignore_index

    log_z = torch.logsumexp(logits, dim=-1)
    picked = logits.gather(1, labels.masked_fill(~scored, 0).unsqueeze(1)).squeeze(1)
    per_token = log_z - picked
    if z_loss_coef > 0:
        per_token = per_token + z_loss_coef * log_z.square()

    total = torch.where(scored, per_token, torch.zeros_like(per_token)).sum()
    if num_items_in_batch is not None:
        return total / num_items_in_batch
    return total / scored.sum().clamp(min=1)
