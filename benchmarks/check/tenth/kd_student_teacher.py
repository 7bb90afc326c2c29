import torch
import torch.nn as nn
import torch.nn.functional as F


def loss_fn_kd(outputs, labels, teacher_outputs, alpha=0.5, T=2.0):
    """
    Knowledge distillation loss given outputs, labels.
    "Hyperparameters": temperature and alpha
    """
    soft = nn.KLDivLoss(reduction='batchmean')(
        F.log_softmax(outputs / T, dim=1),
        F.softmax(teacher_outputs.detach() / T, dim=1))
    KD_loss = soft * (alpha * T * T) + F.cross_entropy(outputs, labels) * (1. - alpha)
    return KD_loss
