import torch
from torch import nn


class ImpartialLossBalancer(nn.Module):
    """Loss balance part of impartial multi-task learning (IMTL-L).

    Every task loss L_i is multiplied by a learned scale exp(s_i), with -s_i added so that
    the scales do not collapse:

        L = sum_i exp(s_i) * L_i - s_i

    The s_i start at zero and are trained together with the network:

        balancer = ImpartialLossBalancer(num_losses=3)
        optimizer = torch.optim.Adam(itertools.chain(model.parameters(), balancer.parameters()))
    """

    def __init__(self, num_losses=3):
        super().__init__()
        self.num_losses = num_losses

    def forward(self, losses):
        losses = torch.stack(list(losses))
        assert losses.numel() == self.num_losses
        self.register_parameter('s_t', nn.Parameter(
            torch.zeros(self.num_losses, device=losses.device), requires_grad=True))
        return (torch.exp(self.s_t) * losses - self.s_t).sum()
