"""The recipes of docs/coming-from.md, each against what it stands for."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

import losskit
from losskit import functional
from peers import peer

L = functional
close = torch.testing.assert_close
X = torch.randn(3, 4, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
T = torch.randint(0, 3, (3, 5, 6), generator=torch.Generator().manual_seed(1))  # class 3 is absent


def gradients(found: Tensor, expected: Tensor, x: Tensor, rtol: float = 1e-6) -> None:
    close(found, expected, rtol=rtol, atol=1e-9)
    pair = [torch.autograd.grad(value, x, retain_graph=True)[0] for value in (found, expected)]
    close(*pair, rtol=rtol, atol=1e-8)


def test_absent_classes_of_smp() -> None:
    x = X.clone().requires_grad_()
    expected = peer("smp").DiceLoss("multiclass")(x, T)
    gradients(losskit.DiceLoss(pool="batch", absent="skip", reduction="sum")(x, T) / 4, expected, x)


def test_ignored_positions_in_the_mean_of_smp() -> None:
    x = X.clone().requires_grad_()
    target = (T.unsqueeze(1).expand(X.shape) == 1).double()
    target[0, :, :2] = 255
    expected = peer("smp").SoftBCEWithLogitsLoss(ignore_index=255)(x, target)
    found = L.binary_cross_entropy_with_logits(x, target, ignore_index=255, normalizer=target.numel())
    gradients(found, expected, x)


def test_micro_dice_of_kornia() -> None:
    class MicroDice(losskit.RegionLoss):
        def per_sample(self, total: losskit.Totals) -> Tensor:
            return 1 - 2 * total.tp.sum(-1) / (total.pred + total.target).sum(-1)

    x = X.clone().requires_grad_()
    gradients(MicroDice()(x, T), peer("kornia").DiceLoss(average="micro")(x, T), x)


def test_distillation_per_token() -> None:
    """The mean over tokens that count of the divergence of each."""
    student, teacher = X[..., 0].movedim(1, 2).clone().requires_grad_(), X[..., 1].movedim(1, 2)  # (N, T, C)
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]]).bool()
    log_p, q = student.log_softmax(-1), teacher.softmax(-1)
    expected = F.kl_div(log_p, q, reduction="none").sum(-1)[mask].mean()
    found = L.kl_div(log_p, q, mask=mask.unsqueeze(-1)) * student.shape[-1]
    gradients(found, expected, student, 1e-12)


def test_corn_is_a_masked_bce() -> None:
    """CORN: task k says whether the rank is above k, of the samples whose rank is at least k."""
    logits, rank = X[:, :3].flatten(2).movedim(1, 2).reshape(-1, 3).clone().requires_grad_(), T.flatten()
    total, count = logits.sum() * 0, 0
    for k in range(3):
        chosen = rank >= k
        above = (rank[chosen] > k).double()
        total = total + F.binary_cross_entropy_with_logits(logits[chosen, k], above, reduction="sum")
        count += int(chosen.sum())
    tasks = torch.arange(3)
    found = L.binary_cross_entropy_with_logits(logits, rank[:, None] > tasks, mask=rank[:, None] >= tasks)
    gradients(found, total / count, logits, 1e-12)
