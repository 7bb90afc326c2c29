import torch


def make_example():
    torch.manual_seed(0)
    pred_masks = torch.randn(5, 64, requires_grad=True)
    gt_masks = (torch.rand(5, 64) > 0.6).float()
    return pred_masks, gt_masks, 5.0
