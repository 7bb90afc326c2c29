import torch
import torch.nn as nn
import torch.nn.functional as F


def deepcoral_loss(features, features_target, assume_centered=False):
    """CORrelation ALignment (Sun & Saenko, 2016): squared Frobenius distance
    of the feature covariances of the two domains, over 4 d^2.

    features: (N_s, d) source features
    features_target: (N_t, d) target features
    """
    if not assume_centered:
        features = features - features.mean(0)
        features_target = features_target - features_target.mean(0)
    cov = torch.cov(features)
    cov_target = torch.cov(features_target)
    diff = cov - cov_target
    return (diff * diff).sum() / (4 * len(cov) ** 2)


class DeepCoralObjective(nn.Module):
    """Cross entropy on the labelled source batch + reg * CORAL."""

    def __init__(self, reg=1.0):
        super().__init__()
        self.reg = reg

    def forward(self, logits_s, y_s, feat_s, feat_t):
        ce = F.cross_entropy(logits_s, y_s)
        return ce + self.reg * deepcoral_loss(feat_s, feat_t)
