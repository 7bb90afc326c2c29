import torch
import torch.nn as nn
import torch.nn.functional as F


class DetectionLoss(nn.Module):
    """Classification + box regression + objectness, with logging.

    outputs: dict with "cls" (N, C), "box" (N, 4), "obj" (N,) logits
    targets: dict with "cls" (N,), "box" (N, 4), "obj" (N,) in {0, 1}
    The first two only count for rows whose objectness target is 1.
    """

    def __init__(self, box_weight=2.0, obj_weight=1.0):
        super().__init__()
        self.box_weight = box_weight
        self.obj_weight = obj_weight

    def forward(self, outputs, targets):
        pos = targets["obj"].to(outputs["obj"].dtype)
        n_pos = pos.sum().clamp(min=1)

        cls = (F.cross_entropy(outputs["cls"], targets["cls"], reduction="none") * pos).sum() / n_pos
        box = F.smooth_l1_loss(outputs["box"], targets["box"], reduction="none").sum(dim=1)
        box = (box * pos).sum() / n_pos
        obj = F.binary_cross_entropy_with_logits(outputs["obj"], pos)

        logs = {"cls": cls.item(), "box": box.item(), "obj": obj.item()}
        total = cls + self.box_weight * logs["box"] + self.obj_weight * obj
        return total, logs
