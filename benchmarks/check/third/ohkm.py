import torch
import torch.nn as nn


class JointsOHKMMSELoss(nn.Module):
    """heatmap MSE on the topk hardest joints of every person.

    output, target: (B, J, H, W), target_weight: (B, J, 1)
    """

    def __init__(self, use_target_weight=True, topk=8):
        super(JointsOHKMMSELoss, self).__init__()
        self.criterion = nn.MSELoss(reduction='none')
        self.use_target_weight = use_target_weight
        self.topk = topk

    def ohkm(self, loss):
        k = min(self.topk, loss.size(1))
        topk_val, _ = torch.topk(loss, k=k, dim=1, sorted=False)
        return topk_val.mean()

    def forward(self, output, target, target_weight=None):
        batch_size = output.size(0)
        num_joints = output.size(1)
        heatmaps_pred = output.reshape((batch_size, num_joints, -1))
        heatmaps_gt = target.reshape((batch_size, num_joints, -1))

        loss = 0.5 * self.criterion(heatmaps_pred, heatmaps_gt).mean(dim=2)
        if self.use_target_weight and target_weight is not None:
            loss = loss * target_weight.reshape(batch_size, num_joints)
        return self.ohkm(loss)
