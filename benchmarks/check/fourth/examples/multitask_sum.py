import torch


def make_batch():
    g = torch.Generator().manual_seed(128)
    outputs = {
        "cls": torch.randn(12, 5, generator=g),
        "box": torch.randn(12, 4, generator=g),
        "obj": torch.randn(12, generator=g),
    }
    targets = {
        "cls": torch.randint(0, 5, (12,), generator=g),
        "box": torch.randn(12, 4, generator=g),
        "obj": (torch.rand(12, generator=g) < 0.5).float(),
    }
    return outputs, targets
