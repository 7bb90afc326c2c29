import torch.nn.functional as F


def discriminator_hinge_loss(real_scores, fake_scores):
    loss_real = F.relu(1.0 - real_scores).mean()
    loss_fake = F.relu(1.0 + fake_scores).mean()
    return loss_real + loss_fake
