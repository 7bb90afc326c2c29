import torch
import torch.nn as nn


class AdaptiveWingLoss(nn.Module):
    """Adaptive wing loss for heatmap regression (Wang et al., ICCV 2019).

    Args:
        alpha, omega, epsilon, theta: parameters of the paper
        use_target_weight: weight the joints, 0 for joints that are not annotated
    """

    def __init__(self, alpha=2.1, omega=14, epsilon=1, theta=0.5, use_target_weight=True):
        super().__init__()
        self.alpha = float(alpha)
        self.omega = float(omega)
        self.epsilon = float(epsilon)
        self.theta = float(theta)
        self.use_target_weight = use_target_weight

    def criterion(self, pred, target):
        delta = (target - pred).abs()
        p = self.alpha - target
        r = self.theta / self.epsilon

        # value and slope of the two pieces agree at delta == theta
        A = self.omega * (1 / (1 + torch.pow(r, p))) * p * torch.pow(r, p - 1) * (1 / self.epsilon)
        C = self.theta * A - self.omega * torch.log(1 + torch.pow(r, p))

        inner = self.omega * torch.log(1 + torch.pow(delta.clamp(max=self.theta) / self.epsilon, p))
        outer = A * delta - C
        return torch.where(delta < self.theta, inner, outer)

    def forward(self, output, target, target_weight=None):
        """output, target: (N, K, H, W), values of target in [0, 1]; target_weight: (N, K) or (N, K, 1)"""
        if self.use_target_weight and target_weight is not None:
            w = target_weight.reshape(*output.shape[:2], 1, 1)
            return self.criterion(output * w, target * w).mean()
        return self.criterion(output, target).mean()
