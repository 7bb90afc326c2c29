import torch


class EDMLoss:
    """Denoising loss of Karras et al., "Elucidating the design space of diffusion-based generative models".

    net(x, sigma, labels) returns the denoised image.
    """

    def __init__(self, P_mean=-1.2, P_std=1.2, sigma_data=0.5):
        self.P_mean = P_mean
        self.P_std = P_std
        self.sigma_data = sigma_data

    def __call__(self, net, images, labels=None, rnd_normal=None, noise=None):
        if rnd_normal is None:
            rnd_normal = torch.randn([images.shape[0], 1, 1, 1], device=images.device)
        if noise is None:
            noise = torch.randn_like(images)
        sigma = (rnd_normal * self.P_std + self.P_mean).exp()
        weight = (sigma ** 2 + self.sigma_data ** 2) / (sigma * self.sigma_data) ** 2
        n = noise * sigma
        D_yn = net(images + n, sigma, labels)
        loss = weight * ((D_yn - images) ** 2)
        return loss.sum(dim=(1, 2, 3)).mean()
