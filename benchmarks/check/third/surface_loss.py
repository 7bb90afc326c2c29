from typing import List

import torch
from torch import Tensor, einsum


class SurfaceLoss:
    # Kervadec et al., MIDL 2019. dist_maps are signed distances, computed in the
    # dataloader: negative inside the object, positive outside. The loss may be negative.
    def __init__(self, **kwargs):
        self.idc: List[int] = kwargs.get("idc", [1])

    def __call__(self, logits: Tensor, dist_maps: Tensor) -> Tensor:
        assert logits.shape == dist_maps.shape
        probs = logits.softmax(dim=1)

        pc = probs[:, self.idc, ...]
        dc = dist_maps[:, self.idc, ...].to(pc.dtype)

        multipled = einsum("bk...,bk...->bk...", pc, dc)
        return multipled.mean()
