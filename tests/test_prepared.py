"""Prepared launches get the addresses of the tensors that Triton was given, and these do not overlap."""

import itertools
from contextlib import contextmanager
from unittest.mock import patch

import pytest
import torch

from launch_cases import stubbed
from losskit.ops import values
from losskit.ops.triton.prepared import Room
from test_device_plan import LAUNCHES

PIECES = [("a", (3,), torch.float64), ("b", (2, 5, 13), torch.float32), ("c", (1,), torch.int64),
          ("d", (64,), torch.int32), ("e", (257,), torch.uint8), ("f", (2, 1), torch.float64)]  # fmt: skip


def extent(tensor):
    return tensor.data_ptr(), tensor.data_ptr() + tensor.nbytes


def test_pieces_of_a_room_lie_at_its_offsets_aligned_and_apart():
    room = Room()
    for piece in PIECES:
        room.add(*piece)
    memory = torch.zeros(room.size, dtype=torch.uint8)
    tensors = room.tensors(memory)
    assert [(t.shape, t.dtype) for t in tensors] == [(shape, dtype) for _, shape, dtype in PIECES]
    assert [t.data_ptr() - memory.data_ptr() for t in tensors] == room.offsets
    assert all(offset % 16 == 0 for offset in room.offsets)
    ends = [extent(t) for t in tensors]
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(ends))
    assert ends[-1][1] <= extent(memory)[1]


@contextmanager
def same_memory():
    """Allocations of one size and type get the same memory in every call."""
    made = {}

    def once(allocate):
        def allocated(*given, **options):
            tensor = allocate(*given, **options)
            return made.setdefault((tensor.shape, tensor.dtype, allocate), tensor)

        return allocated

    with patch.object(torch, "empty", once(torch.empty)), patch.object(torch, "empty_like", once(torch.empty_like)):
        yield


def addressed(value):
    """An argument with addresses in place of tensors."""
    if isinstance(value, tuple):
        return tuple(map(addressed, value))
    return value.data_ptr() if isinstance(value, torch.Tensor) else value


def inside(value):
    """The tensors of an argument."""
    if isinstance(value, tuple):
        return [tensor for each in value for tensor in inside(each)]
    return [value] if isinstance(value, torch.Tensor) else []


@pytest.mark.parametrize("name", LAUNCHES)
def test_a_prepared_launch_gets_the_addresses_of_the_tensors_that_triton_got(name):
    make, tensors, *_ = LAUNCHES[name]
    loss, (x, t) = make(), tensors()
    x.requires_grad_()
    values.open_rows.clear()
    one = torch.ones(())
    with stubbed() as launches, same_memory():
        passes = []
        for _ in range(2):
            launches.clear()
            torch.autograd.grad(loss(x, t), x, one)
            passes.append(launches[:])
        by_triton, prepared = passes
        assert len(by_triton) == len(prepared)
        for (kernel, tensors, _), (again, addresses, _) in zip(by_triton, prepared, strict=True):
            assert kernel is again
            assert any(inside(each) for each in tensors.values())
            assert not any(inside(each) for each in addresses.values())
            for argument, given in tensors.items():
                expected = addressed(given)
                if argument == "problem" and kernel.__name__ in ("finish", "reduce"):
                    expected += given.nbytes  # the next row of problems
                assert addresses[argument] == expected, (kernel.__name__, argument)
