import torch.nn as nn
import torch.nn.functional as F


class SimSiamLoss(nn.Module):
    """Symmetrised negative cosine similarity of SimSiam (Chen & He, 2020).

    p1, p2: outputs of the predictor; z1, z2: outputs of the projector, straight
    from the encoder. All (N, D).
    """

    def forward(self, p1, p2, z1, z2):
        loss1 = F.cosine_similarity(p1, z2, dim=-1).mean()
        loss2 = F.cosine_similarity(p2, z1, dim=-1).mean()
        return -0.5 * (loss1 + loss2)
