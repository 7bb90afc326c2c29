import torch
import torch.nn as nn


def generalized_box_iou(pred, target, eps=1e-7):
    """Element-wise GIoU of boxes (..., 4) in (x1, y1, x2, y2) format."""
    lt = torch.max(pred[..., :2], target[..., :2])
    rb = torch.min(pred[..., 2:], target[..., 2:])
    wh = (rb - lt).clamp(min=0)
    overlap = wh[..., 0] * wh[..., 1]

    wh_p = (pred[..., 2:] - pred[..., :2]).clamp(min=0)
    wh_t = (target[..., 2:] - target[..., :2]).clamp(min=0)
    union = wh_p[..., 0] * wh_p[..., 1] + wh_t[..., 0] * wh_t[..., 1] - overlap
    iou = overlap / union.clamp(min=eps)

    enclosed_lt = torch.min(pred[..., :2], target[..., :2])
    enclosed_rb = torch.max(pred[..., 2:], target[..., 2:])
    wh_e = (enclosed_rb - enclosed_lt).clamp(min=0)
    enclose = (wh_e[..., 0] * wh_e[..., 1]).clamp(min=eps)
    return iou - (enclose - union) / enclose


class MatchedBoxLoss(nn.Module):
    """L1 + GIoU loss of the matched queries of a set prediction detector.

    Args:
        l1_weight, giou_weight: weights of the two terms.

    Inputs:
        pred_boxes: (B, Q, 4) in (cx, cy, w, h), normalised to [0, 1]
        targets: list of (n_i, 4) tensors in the same format
        indices: list of (query_idx, target_idx) pairs from the matcher
    """

    def __init__(self, l1_weight=5.0, giou_weight=2.0):
        super().__init__()
        self.l1_weight = l1_weight
        self.giou_weight = giou_weight

    @staticmethod
    def to_xyxy(b):
        cx, cy, w, h = b.unbind(-1)
        return torch.stack([cx - 0.5 * w, cy - 0.5 * h,
                            cx + 0.5 * w, cy + 0.5 * h], dim=-1)

    def forward(self, pred_boxes, targets, indices):
        batch_idx = torch.cat([torch.full_like(q, i) for i, (q, _) in enumerate(indices)])
        query_idx = torch.cat([q for q, _ in indices])
        src = pred_boxes[batch_idx, query_idx]
        tgt = torch.cat([t[j] for t, (_, j) in zip(targets, indices)], dim=0)

        # the sum over no boxes is zero and keeps the graph
        num_boxes = max(sum(len(t) for t in targets), 1)
        loss_l1 = (src - tgt).abs().sum() / num_boxes
        giou = generalized_box_iou(self.to_xyxy(src), self.to_xyxy(tgt))
        loss_giou = (1 - giou).sum() / num_boxes
        return self.l1_weight * loss_l1 + self.giou_weight * loss_giou
