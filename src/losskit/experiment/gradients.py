"""Where the gradient of a loss goes, and how much memory the loss saves for it."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from losskit.experiment.tasks.task import VOID, Data

PROBE = 32  # maximum training items on which the gradient is inspected
SHARE_OF_LARGEST = 0.1
POOLS = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


def gradient_shares(outputs: Tensor, targets: Tensor, criterion: nn.Module, data: Data) -> dict[str, float]:
    """{place: its share of the summed absolute gradient with respect to the model's output}."""
    leaf = outputs.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(one_number(criterion(leaf, targets), "when its gradient was inspected"), leaf)
    size = gradient.abs().double().sum(1)  # (N, *)
    whole = size.sum()
    return {name: float(size[at].sum() / whole) if whole > 0 else 0.0 for name, at in places(leaf, targets, data)}


def one_number(loss: object, place: str) -> Tensor:
    """The returned loss, if it is one finite number."""
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        given = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise TypeError(f"the loss returned {given}; training needs a single number, as with reduction='mean'")
    if not loss.isfinite():
        raise FloatingPointError(f"the loss became {loss.item()} {place}")
    return loss


def element_shares(outputs: Tensor, targets: Tensor, data: Data) -> dict[str, float]:
    """{place: its share of the elements}."""
    found = places(outputs, targets, data)
    whole = sum(int(at.sum()) for _, at in found)
    return {name: int(at.sum()) / max(whole, 1) for name, at in found}


@torch.no_grad()
def places(outputs: Tensor, targets: Tensor, data: Data) -> list[tuple[str, Tensor]]:
    """Names and masks, (N, *)."""
    if data.kind == "regression":
        error = (outputs - targets).abs().sum(1)
        large = error >= error.quantile(1 - SHARE_OF_LARGEST)
        return [("largest tenth of errors", large), ("the rest", ~large)]
    truth = targets[:, 0].long() if targets.is_floating_point() else targets
    if data.kind == "classification":
        answer = (outputs[:, 0] > 0).long() if data.is_binary else outputs.argmax(1)
        return [("wrong", answer != truth), ("right", answer == truth)]
    boundary = near_boundary(truth)
    known = truth != VOID
    return [
        ("foreground", known & (truth > 0) & ~boundary),
        ("boundary", known & boundary),
        ("background", known & (truth == 0) & ~boundary),
    ]


def near_boundary(truth: Tensor) -> Tensor:
    """Elements with another class among their neighbours, (N, *)."""
    classes = truth.clamp(min=0).double()[:, None]
    pool = POOLS[truth.ndim - 1]
    most, least = pool(classes, 3, 1, 1), -pool(-classes, 3, 1, 1)
    return (most != least)[:, 0]


def saved_mib(outputs: Tensor, targets: Tensor, criterion: nn.Module) -> float:
    """Memory that the loss saves for its backward pass, apart from its input tensors."""
    leaf = outputs.detach().requires_grad_()
    given = {tensor.untyped_storage().data_ptr() for tensor in (leaf, targets)}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in given:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = criterion(leaf, targets)
    del loss
    return sum(kept.values()) / 2**20
