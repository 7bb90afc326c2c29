"""Operators and launches of a loss on a device, counted in Triton's interpreter, where the CPU stands for the device."""

from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from torch.utils._python_dispatch import TorchDispatchMode

from losskit.core import contract, reduction, region
from losskit.ops import operators, passes, reference, values
from triton_cases import loss_of

READ_BACK = ("_local_scalar_dense", "nonzero", "equal", "is_nonzero")  # what waits for a device


class Operators(TorchDispatchMode):
    """The names of the operators that run meanwhile."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.seen.append(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))


@contextmanager
def as_on_a_device():
    """No number may be read, and what was found arrives later; yields the kernels that are launched."""
    from losskit.ops.triton.launch import Work

    launches, launch = [], Work._launch

    def counting(work, kernel, *arguments, **options):
        launches.append(kernel.__name__)
        return launch(work, kernel, *arguments, **options)

    with ExitStack() as stack:
        for module in (contract, reduction, region, reference, values, passes):
            stack.enter_context(patch.object(module, "can_branch", lambda _: False))
        stack.enter_context(patch.object(Work, "_launch", counting))
        stack.enter_context(patch.object(values._Pending, "ready", lambda _: False))
        late = patch.object(passes, "Settings", lambda *settings: operators.Settings(*settings[:-1], True))
        stack.enter_context(late)
        yield launches
    values._pending.clear()


def waiting_operators(device, name):
    """Operators of a loss with its gradient that read a number back, and the launches."""
    loss, x, t = loss_of(name, {}, device)
    with as_on_a_device() as launches, Operators() as operators_:
        loss(x.requires_grad_(), t).backward()
    return [each for each in operators_.seen if each in READ_BACK], launches
