from typing import Optional

import torch
import torch.nn.functional as F


def load_balancing_loss(
    router_logits: torch.Tensor,
    num_experts: int = 8,
    top_k: int = 2,
    attention_mask: Optional[torch.Tensor] = None,
) -> torch.Tensor:
    r"""
    Auxiliary load balancing loss as in Switch Transformer, extended to top-k routing:

        loss = num_experts * sum_i f_i * P_i

    with f_i the fraction of assignments that go to expert i and P_i the router's mean
    softmax probability for expert i over the tokens.

    Args:
        router_logits: [batch_size * sequence_length, num_experts]
        attention_mask: [batch_size, sequence_length], padding tokens are left out.
    """
    routing_weights = F.softmax(router_logits.float(), dim=-1)
    top_weights, selected_experts = torch.topk(routing_weights, top_k, dim=-1)

    # [num_tokens, num_experts]
    expert_mask = F.one_hot(selected_experts, num_experts).sum(dim=1).float()
    expert_prob = torch.zeros_like(routing_weights).scatter(1, selected_experts, top_weights)

    if attention_mask is None:
        token_mask = torch.ones(router_logits.shape[0], 1, device=router_logits.device)
    else:
        token_mask = attention_mask.reshape(-1, 1).float()
    n_tokens = token_mask.sum().clamp(min=1.0)

    tokens_per_expert = (expert_mask * token_mask).sum(dim=0) / (n_tokens * top_k)
    router_prob_per_expert = (expert_prob * token_mask).sum(dim=0) / n_tokens
    return num_experts * torch.sum(tokens_per_expert * router_prob_per_expert)
