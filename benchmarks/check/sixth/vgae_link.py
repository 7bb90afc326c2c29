import torch
import torch.nn.functional as F

MAX_LOGSTD = 10


class VGAELoss(torch.nn.Module):
    r"""Objective of a variational graph auto-encoder with inner product decoder.

    Edges are scored against sampled non-edges; the KL term is the mean over nodes,
    weighted by 1 / N.
    """

    def decode(self, z, edge_index):
        return (z[edge_index[0]] * z[edge_index[1]]).sum(dim=1)

    def recon_loss(self, z, pos_edge_index, neg_edge_index):
        pos = self.decode(z, pos_edge_index)
        neg = self.decode(z, neg_edge_index)
        # -log(sigmoid(s)) = softplus(-s), -log(1 - sigmoid(s)) = softplus(s)
        pos_loss = F.softplus(-pos).mean() if pos.numel() > 0 else z.sum() * 0
        neg_loss = F.softplus(neg).mean() if neg.numel() > 0 else z.sum() * 0
        return pos_loss + neg_loss

    def kl_loss(self, mu, logstd):
        logstd = logstd.clamp(max=MAX_LOGSTD)
        return -0.5 * torch.mean(torch.sum(1 + 2 * logstd - mu ** 2 - logstd.exp() ** 2, dim=1))

    def forward(self, mu, logstd, pos_edge_index, neg_edge_index, noise=None):
        """mu, logstd: (N, D); edge indices: (2, E) long"""
        if self.training:
            noise = torch.randn_like(mu) if noise is None else noise
            z = mu + noise * logstd.clamp(max=MAX_LOGSTD).exp()
        else:
            z = mu
        loss = self.recon_loss(z, pos_edge_index, neg_edge_index)
        return loss + (1 / mu.size(0)) * self.kl_loss(mu, logstd)
