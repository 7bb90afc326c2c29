"""torch.jit: `script` and `trace` are refused with an error that says what to use instead.

python examples/integrations/with_jit.py
"""

import warnings

import torch

from losskit import DiceLoss

warnings.filterwarnings("ignore", category=DeprecationWarning)  # PyTorch's own, about torch.jit

if __name__ == "__main__":
    x, target = torch.randn(2, 4, 16, 16), torch.randint(4, (2, 16, 16))
    for compiler in torch.jit.script, lambda loss: torch.jit.trace(loss, (x, target)):
        try:
            compiler(DiceLoss())
        except RuntimeError as error:
            print(error)
        else:
            raise AssertionError("torch.jit compiled a loss, and would have recorded what the C kernels return")
    program = torch.export.export(DiceLoss(), (x, target))
    assert program.module()(x, target) == DiceLoss()(x, target)
