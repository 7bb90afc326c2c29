"""What other libraries compute that is a call or a formula here: the code that the documentation prints, and theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

import losskit
from peers import multiclass, one_hot, peer

X, ALL = multiclass()  # (3, 4, 6, 5), every class in every sample
T = torch.where(ALL == 3, 0, ALL)  # class 3 nowhere
HOT = one_hot(ALL, 4)
W = torch.tensor([0.5, 2.0, 1.0, 3.0], dtype=torch.float64)
IGNORED = torch.where(HOT.cumsum(-1) > 2, 255, HOT)
MASK = torch.rand(3, 6, 5, generator=torch.Generator().manual_seed(2)) < 0.6
TOKENS, TEACHER = X[:, :, 0].movedim(1, 2), X[:, :, 1].movedim(1, 2).softmax(-1)  # (N, T, C)
COUNTED = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]]).bool()
RANK = ALL.flatten()
PIXELS = X.movedim(1, -1).reshape(-1, 4)
POSITIVES = 'w1.mean() * FocalLoss(alpha=w / w1, class_weight=w1, mode="multilabel")(input, target)'
OF = {
    "": "",
    "total": "`RegionLoss` with `per_sample(total)`: ",
    "log_p": '`@classification_loss(mode="multilabel")` of `log_p`: ',
}


class Recipe(NamedTuple):
    what: str
    here: str  # an expression of input, target and `given`
    theirs: Callable[[Tensor], Tensor]
    input: Tensor
    given: Mapping[str, Any]
    where: Mapping[str, str] = {}  # names that `here` uses, and the code that makes them
    of: str = ""  # a key of OF, where `here` is a formula

    @property
    def text(self) -> str:
        """As the documentation shows it."""
        made = "".join(f", `{name} = {code}`" for name, code in self.where.items())
        return f"{OF[self.of]}`{self.here}`{made}"

    def ours(self, input: Tensor) -> Tensor:
        """The value of `here`."""
        scope = {**vars(losskit), "torch": torch, **self.given, "input": input}
        for name, code in self.where.items():
            scope[name] = eval(code, scope)
        if self.of == "total":
            kind = type(
                "Own", (losskit.RegionLoss,), {"per_sample": lambda _, total: self._formula(scope, total=total)}
            )
            return kind()(input, scope["target"])  # type: ignore[no-any-return]
        if self.of == "log_p":

            def own(log_p: Tensor) -> Tensor:
                return self._formula(scope, log_p=log_p)

            return losskit.classification_loss(own)(input, scope["target"], mode="multilabel")
        return eval(self.here, scope)  # type: ignore[no-any-return]

    def _formula(self, scope: Mapping[str, Any], **given: Tensor) -> Tensor:
        return eval(self.here, {**scope, **given})  # type: ignore[no-any-return]


def difference(recipe: Recipe) -> float:
    """The largest relative difference of value or gradient."""
    input = recipe.input.clone().requires_grad_()
    both = [recipe.ours(input), recipe.theirs(input)]
    pairs = [both, [torch.autograd.grad(value, input)[0] for value in both]]
    return max(float(((a - b).abs().max() / b.abs().max()).detach()) for a, b in pairs)


def corn(input: Tensor) -> Tensor:
    """Task k says whether the rank is above k, of the samples whose rank is at least k."""
    total, count = input.sum() * 0, 0
    for k in range(3):
        chosen = RANK.ge(k)
        above = (RANK[chosen] > k).double()
        total = total + F.binary_cross_entropy_with_logits(input[chosen, k], above, reduction="sum")
        count += int(chosen.sum())
    return total / count


def distillation(input: Tensor) -> Tensor:
    """The mean over tokens that count of the divergence of each."""
    return F.kl_div(input.log_softmax(-1), TEACHER, reduction="none").sum(-1)[COUNTED].mean()


RECIPES = [
    Recipe(
        "smp's Dice, in which an absent class contributes 0 to the mean",
        'DiceLoss(pool="batch", absent="skip", reduction="sum")(input, target) / C',
        lambda x: peer("smp").DiceLoss("multiclass")(x, T),
        X,
        {"target": T, "C": 4},
    ),
    Recipe(
        "smp's SoftBCE, whose mean includes ignored elements",
        "BCEWithLogitsLoss(ignore_index=255)(input, target, normalizer=target.numel())",
        lambda x: peer("smp").SoftBCEWithLogitsLoss(ignore_index=255)(x, IGNORED),
        X,
        {"target": IGNORED},
    ),
    Recipe(
        'kornia\'s Dice, whose default `average="micro"` sums over the classes first',
        "1 - 2 * total.tp.sum(-1) / (total.pred + total.target).sum(-1)",
        lambda x: peer("kornia").DiceLoss()(x, T),
        X,
        {"target": T},
        of="total",
    ),
    Recipe(
        "kornia's focal with `ignore_index=2`, whose mean includes ignored positions",
        "FocalLoss(ignore_index=2)(input, target, normalizer=target.numel()) / C",
        lambda x: peer("kornia").FocalLoss(None, 2.0, reduction="mean", ignore_index=2)(x, ALL),
        X,
        {"target": ALL, "C": 4},
    ),
    Recipe(
        "MONAI's `FocalLoss(alpha=w)` without softmax",
        POSITIVES,
        lambda x: peer("monai").FocalLoss(alpha=W.tolist())(x, HOT),
        X,
        {"target": HOT, "w": W},
        {"w1": "1 + w"},
    ),
    Recipe(
        "kornia's focal `pos_weight=w` of several channels",
        POSITIVES,
        lambda x: peer("kornia").BinaryFocalLossWithLogits(None, 2.0, reduction="mean", pos_weight=W)(x, HOT),
        X,
        {"target": HOT, "w": W},
        {"w1": "1 + w"},
    ),
    Recipe(
        "kornia's focal `pos_weight=w`, one channel",
        "(1 + w) * FocalLoss(alpha=w / (1 + w))(input, target)",
        lambda x: peer("kornia").BinaryFocalLossWithLogits(
            None, 2.0, reduction="mean", pos_weight=torch.tensor([3.0], dtype=torch.float64)
        )(x, HOT[:, :1]),
        X[:, :1],
        {"target": HOT[:, :1], "w": 3.0},
    ),
    Recipe(
        "MONAI's `DiceCELoss(sigmoid=True)` with several channels: sigmoid in Dice, softmax in cross-entropy",
        'DiceLoss(mode="multilabel", smooth=1e-5, absent="formula")(input, one_hot)'
        " + CrossEntropyLoss()(input, target)",
        lambda x: peer("monai").DiceCELoss(sigmoid=True)(x, HOT),
        X,
        {"target": ALL, "one_hot": HOT},
    ),
    Recipe(
        "MONAI's `MaskedDiceLoss(include_background=False)`",
        'DiceLoss(include_background=False, smooth=1e-5, absent="formula")(input, target, mask=mask)',
        lambda x: peer("monai").MaskedDiceLoss(softmax=True, to_onehot_y=True, include_background=False)(
            x, T.unsqueeze(1), MASK.unsqueeze(1).double()
        ),
        X,
        {"target": T, "mask": MASK},
    ),
    Recipe(
        "timm's `PolyBinaryCrossEntropy(epsilon, gamma)`, hard labels",
        "(1 - log_p.exp()) ** gamma * (epsilon * (1 - log_p.exp()) - log_p)",
        lambda x: peer("timm").PolyBinaryCrossEntropy(2.0, gamma=1.5)(x, HOT),
        X,
        {"target": HOT, "epsilon": 2.0, "gamma": 1.5},
        of="log_p",
    ),
    Recipe(
        "distillation per token, `(N, T, C)`, `mask` `(N, T)`",
        "C * KLDivLoss()(input.log_softmax(-1), teacher, mask=mask.unsqueeze(-1))",
        distillation,
        TOKENS,
        {"teacher": TEACHER, "mask": COUNTED, "C": 4},
    ),
    Recipe(
        "CORN as a masked BCE, `rank` `(N,)`, K - 1 logits",
        "BCEWithLogitsLoss()(input, rank[:, None] > tasks, mask=rank[:, None] >= tasks)",
        corn,
        PIXELS[:, :3],
        {"rank": RANK, "K": 4},
        {"tasks": "torch.arange(K - 1)"},
    ),
]
