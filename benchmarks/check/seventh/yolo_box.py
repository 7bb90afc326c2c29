import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def bbox_ciou(boxes1, boxes2, eps=1e-7):
    """Complete IoU of boxes in (cx, cy, w, h) format, any leading shape."""
    b1_lt = boxes1[..., :2] - boxes1[..., 2:] * 0.5
    b1_rb = boxes1[..., :2] + boxes1[..., 2:] * 0.5
    b2_lt = boxes2[..., :2] - boxes2[..., 2:] * 0.5
    b2_rb = boxes2[..., :2] + boxes2[..., 2:] * 0.5

    inter = (torch.min(b1_rb, b2_rb) - torch.max(b1_lt, b2_lt)).clamp(min=0)
    inter_area = inter[..., 0] * inter[..., 1]
    area1 = boxes1[..., 2] * boxes1[..., 3]
    area2 = boxes2[..., 2] * boxes2[..., 3]
    iou = inter_area / (area1 + area2 - inter_area + eps)

    # enclosing box and centre distance
    enclose = torch.max(b1_rb, b2_rb) - torch.min(b1_lt, b2_lt)
    c2 = enclose.pow(2).sum(-1) + eps
    rho2 = (boxes1[..., :2] - boxes2[..., :2]).pow(2).sum(-1)

    # aspect ratio
    ar_pred = boxes1[..., 2] / (boxes1[..., 3] + eps)
    ar_gt = boxes2[..., 2] / boxes2[..., 3]
    v = 4 / math.pi ** 2 * (torch.atan(ar_gt) - torch.atan(ar_pred)).pow(2)
    with torch.no_grad():
        alpha = v / (1 - iou + v + eps)
    return iou - rho2 / c2 - alpha * v


class YoloBoxLoss(nn.Module):
    """CIoU + objectness loss of one detection scale.

    Args:
        pred: (B, N, 5) decoded cx, cy, w, h and the objectness logit.
        target: (B, N, 5) assigned box (all zero where no object is assigned)
            and 1/0 respond flag.
        input_size: image size, small boxes get a larger weight.
    """

    def __init__(self, input_size=416, box_gain=1.0, obj_gain=1.0):
        super().__init__()
        self.input_size = input_size
        self.box_gain = box_gain
        self.obj_gain = obj_gain

    def forward(self, pred, target):
        respond = target[..., 4]
        ciou = bbox_ciou(pred[..., :4], target[..., :4])

        # scale between 1 and 2, larger for small objects
        area = target[..., 2] * target[..., 3]
        scale = 2.0 - area / (self.input_size ** 2)

        batch = pred.shape[0]
        box_loss = (respond * scale * (1 - ciou)).sum() / batch
        obj_loss = F.binary_cross_entropy_with_logits(
            pred[..., 4], respond, reduction="sum") / batch
        return self.box_gain * box_loss + self.obj_gain * obj_loss
