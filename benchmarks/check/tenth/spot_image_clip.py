import torch
import torch.nn as nn
import torch.nn.functional as F


def cross_entropy(preds, targets):
    return (-targets * F.log_softmax(preds, dim=-1)).sum(1)


class CLIPSoftLoss(nn.Module):
    """CLIP style loss, soft targets come from the similarities inside each modality.

    Logits and targets are both similarities at the same temperature.
    """

    def __init__(self, temperature=0.2):
        super().__init__()
        self.temperature = temperature

    def forward(self, image_embeddings, spot_embeddings):
        image_embeddings = F.normalize(image_embeddings, dim=-1)
        spot_embeddings = F.normalize(spot_embeddings, dim=-1)
        logits = (spot_embeddings @ image_embeddings.T) / self.temperature
        images_similarity = image_embeddings @ image_embeddings.T
        spots_similarity = spot_embeddings @ spot_embeddings.T
        targets = F.softmax((images_similarity + spots_similarity) / 2 * self.temperature, dim=-1).detach()
        spots_loss = cross_entropy(logits, targets)
        images_loss = cross_entropy(logits.T, targets)
        return ((images_loss + spots_loss) / 2.0).mean()
