from typing import Optional, Tuple

import torch
import torch.nn as nn
import torch.nn.functional as F


class PreferenceLoss(nn.Module):
    """DPO / conservative DPO / IPO on summed sequence log-probs, all inputs (B,)"""

    def __init__(self, beta: float = 0.1, label_smoothing: float = 0.0, ipo: bool = False) -> None:
        super().__init__()
        self.beta = beta
        self.label_smoothing = label_smoothing
        self.ipo = ipo

    def forward(
        self,
        policy_chosen_logps: torch.Tensor,
        policy_rejected_logps: torch.Tensor,
        reference_chosen_logps: Optional[torch.Tensor] = None,
        reference_rejected_logps: Optional[torch.Tensor] = None,
    ) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        # reference-free when no reference is passed
        ref_c = torch.zeros_like(policy_chosen_logps) if reference_chosen_logps is None else reference_chosen_logps
        ref_r = torch.zeros_like(policy_rejected_logps) if reference_rejected_logps is None else reference_rejected_logps
        logits = (policy_chosen_logps - policy_rejected_logps) - (ref_c - ref_r)

        if self.ipo:
            losses = (logits - 1 / (2 * self.beta)) ** 2
        else:
            losses = (
                -F.logsigmoid(self.beta * logits) * (1 - self.label_smoothing)
                - F.logsigmoid(-self.beta * logits) * self.label_smoothing
            )

        chosen_rewards = self.beta * (policy_chosen_logps - ref_c).detach()
        rejected_rewards = self.beta * (policy_rejected_logps - ref_r).detach()
        return losses.mean(), chosen_rewards, rejected_rewards
