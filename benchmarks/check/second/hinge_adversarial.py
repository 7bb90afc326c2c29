import torch.nn.functional as F


def hinge_adversarial_loss(fake_scores, real_scores=None):
    """Discriminator loss, or generator loss when only fake scores are given."""
    if real_scores is None:
        return -fake_scores.mean()
    return F.relu(1.0 - real_scores).mean() + F.relu(1.0 + fake_scores).mean()
