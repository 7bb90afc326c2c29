import torch


def chamfer_distance(x, y, x_lengths=None, y_lengths=None, single_directional=False):
    """
    Squared chamfer distance of padded point clouds.

    x: (N, P1, D), y: (N, P2, D); *_lengths: (N,) number of real points (>= 1), rest is padding.
    Mean over the points of a cloud, then over the batch.
    """
    d = (x.unsqueeze(2) - y.unsqueeze(1)).pow(2).sum(-1)

    def to_mask(p, lengths):
        if lengths is None:
            return torch.ones(p.shape[:2], dtype=torch.bool, device=p.device)
        return torch.arange(p.shape[1], device=p.device)[None] < lengths[:, None]

    mx, my = to_mask(x, x_lengths), to_mask(y, y_lengths)

    def one_way(dist, m_from, m_to):
        nearest = dist.masked_fill(~m_to.unsqueeze(1), float("inf")).min(dim=2)[0]
        nearest = nearest.masked_fill(~m_from, 0.0)
        return nearest.sum(1) / m_from.sum(1).clamp(min=1)

    cham = one_way(d, mx, my)
    if not single_directional:
        cham = cham + one_way(d.transpose(1, 2), my, mx)
    return cham.mean()
