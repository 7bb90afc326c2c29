import torch
import torch.nn as nn
import torch.nn.functional as F


def deepcoral_loss(features, features_target, assume_centered=False):
    """Distance between the feature covariances of the source and the target domain
    (Sun & Saenko, Deep CORAL):  1 / (4 d^2) * || C_S - C_T ||_F^2

    features, features_target : (batch, d)
    """
    if not assume_centered:
        features = features - features.mean(0)
        features_target = features_target - features_target.mean(0)
    cov = torch.cov(features)
    cov_target = torch.cov(features_target)
    diff = cov - cov_target
    return (diff * diff).sum() / (4 * len(cov) ** 2)


class DeepCoralCriterion(nn.Module):
    def __init__(self, reg=1.0):
        super().__init__()
        self.reg = reg

    def forward(self, y_s, y_pred_s, features_s, features_t):
        task = F.cross_entropy(y_pred_s, y_s)
        return task + self.reg * deepcoral_loss(features_s, features_t)
