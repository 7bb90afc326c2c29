import torch
from torch import nn
from torch.autograd import Function


class _DiceCoeff(Function):
    """Dice coeff for individual examples"""

    @staticmethod
    def forward(ctx, input, target, eps):
        inter = torch.dot(input.reshape(-1), target.reshape(-1))
        union = torch.sum(input) + torch.sum(target) + eps
        ctx.save_for_backward(input, target, inter, union)
        ctx.eps = eps
        return (2 * inter + eps) / union

    @staticmethod
    def backward(ctx, grad_output):
        input, target, inter, union = ctx.saved_tensors
        grad_input = None
        if ctx.needs_input_grad[0]:
            grad_input = grad_output * (2 * target * union + (2 * inter + ctx.eps)) / (union * union)
        return grad_input, None, None


class DiceCoeffLoss(nn.Module):
    """1 - dice, averaged over the batch. probs: sigmoid output (N, ...), masks: 0/1 same shape"""

    def __init__(self, eps=1.0):
        super().__init__()
        self.eps = eps

    def forward(self, probs, masks):
        masks = masks.to(probs.dtype)
        s = 0.0
        for p, m in zip(probs, masks):
            s = s + _DiceCoeff.apply(p, m, self.eps)
        return 1 - s / probs.shape[0]
