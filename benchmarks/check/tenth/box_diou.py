import torch


def diou_loss(bboxes1, bboxes2, eps=1e-7, reduction='mean'):
    """
    Distance-IoU loss between matched boxes (x1, y1, x2, y2).
    """
    w1 = bboxes1[:, 2] - bboxes1[:, 0]
    h1 = bboxes1[:, 3] - bboxes1[:, 1]
    w2 = bboxes2[:, 2] - bboxes2[:, 0]
    h2 = bboxes2[:, 3] - bboxes2[:, 1]

    # intersection
    lt = torch.max(bboxes1[:, :2], bboxes2[:, :2])
    rb = torch.min(bboxes1[:, 2:], bboxes2[:, 2:])
    inter_wh = torch.clamp(rb - lt, min=0)
    inter = inter_wh[:, 0] * inter_wh[:, 1]
    union = w1 * h1 + w2 * h2 - inter
    iou = inter / (union + eps)

    # center distance
    c1 = (bboxes1[:, :2] + bboxes1[:, 2:]) / 2
    c2 = (bboxes2[:, :2] + bboxes2[:, 2:]) / 2
    rho2 = ((c1 - c2) ** 2).sum(dim=1)

    # enclosing diagonal
    out_lt = torch.min(bboxes1[:, :2], bboxes2[:, :2])
    out_rb = torch.max(bboxes1[:, 2:], bboxes2[:, 2:])
    diag2 = ((out_rb - out_lt) ** 2).sum(dim=1) + eps

    loss = 1.0 - iou + rho2 / diag2
    if reduction == 'mean':
        return loss.mean()
    return loss.sum()
