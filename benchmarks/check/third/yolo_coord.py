import torch
import torch.nn as nn
import torch.nn.functional as F


class YoloV1CoordLoss(nn.Module):
    """
    localisation term of YOLO v1.

    predictions: (N, S, S, 4) raw output of the last fully connected layer (no activation): x, y, w, h
    targets:     (N, S, S, 4) x, y relative to the cell, w, h relative to the image
    exists_box:  (N, S, S) 1 where a cell is responsible for an object
    """

    def __init__(self, lambda_coord=5.0):
        super().__init__()
        self.lambda_coord = lambda_coord

    def forward(self, predictions, targets, exists_box):
        exists_box = exists_box.unsqueeze(-1).to(predictions.dtype)

        xy_p = predictions[..., :2]
        wh_p = torch.sqrt(predictions[..., 2:4] + 1e-6)
        xy_t = targets[..., :2]
        wh_t = torch.sqrt(targets[..., 2:4] + 1e-6)

        box_p = torch.cat([xy_p, wh_p], dim=-1)
        box_t = torch.cat([xy_t, wh_t], dim=-1)
        loss = F.mse_loss(exists_box * box_p, exists_box * box_t, reduction="sum")
        return self.lambda_coord * loss / predictions.shape[0]
