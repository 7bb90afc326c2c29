import torch
import torch.nn as nn
import torch.nn.functional as F


class HomophilyContrastLoss(nn.Module):
    """Node level graph contrastive loss with neighbours as extra positives.

    For the anchor u_i of view 1 the positives are the same node in view 2
    and the neighbours of i in both views (weighted by the saliency in
    ``adj1`` / ``adj2``), the negatives are all remaining nodes of both views:

        l(u_i) = - log( pos / (pos + neg) )

    Args:
        num_hidden, num_proj_hidden: sizes of the projection head.
        tau: temperature.
        mean: average over the nodes, otherwise sum.
    """

    def __init__(self, num_hidden=32, num_proj_hidden=32, tau=0.5, mean=True):
        super().__init__()
        self.tau = tau
        self.mean = mean
        self.fc1 = nn.Linear(num_hidden, num_proj_hidden)
        self.fc2 = nn.Linear(num_proj_hidden, num_hidden)

    def projection(self, z):
        return self.fc2(F.elu(self.fc1(z)))

    def sim(self, z1, z2):
        z1 = F.normalize(z1, dim=1)
        z2 = F.normalize(z2, dim=1)
        return torch.exp(torch.mm(z1, z2.t()) / self.tau)

    def semi_loss(self, z1, adj1, z2, adj2):
        # the adjacencies come without self loops
        refl_sim = self.sim(z1, z1)
        between_sim = self.sim(z1, z2)

        pos = (between_sim.diag()
               + (refl_sim * adj1).sum(1)
               + (between_sim * adj2).sum(1))
        neg = (refl_sim.sum(1) + between_sim.sum(1)
               - refl_sim.diag()
               - (refl_sim * adj1).sum(1)
               - (between_sim * adj2).sum(1))
        return -torch.log(pos / (pos + neg))

    def forward(self, z1, adj1, z2, adj2):
        h1 = self.projection(z1)
        h2 = self.projection(z2)
        l1 = self.semi_loss(h1, adj1, h2, adj2)
        l2 = self.semi_loss(h2, adj2, h1, adj1)
        loss = (l1 + l2) * 0.5
        return loss.mean() if self.mean else loss.sum()
