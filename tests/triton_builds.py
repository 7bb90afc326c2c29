"""Kernels compiled for a GPU that need not be there: launches are recorded, and built from what they were given."""

from contextlib import contextmanager

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.jit import JITFunction

_TYPES = {
    torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16", torch.float64: "fp64", torch.uint8: "u8",
    torch.int8: "i8", torch.int16: "i16", torch.int32: "i32", torch.int64: "i64",
}  # fmt: skip


class Built:
    """Stands for a compiled kernel, whose launcher records what it is given."""

    function, packed_metadata = 1, None

    def __init__(self, record):
        self.run = record


@contextmanager
def recorded():
    """The launches made meanwhile, none of which runs: (kernel, arguments by name, options)."""
    launches = []

    def record(self, *args, grid, warmup, **options):
        names = [parameter.name for parameter in self.params]
        given = dict(zip(names, args, strict=False)) | {k: v for k, v in options.items() if k in names}
        others = {k: v for k, v in options.items() if k not in names}
        launches.append((self, given, others))
        return Built(lambda *prepared: launches.append((self, dict(zip(names, prepared[9:], strict=True)), others)))

    run, JITFunction.run = JITFunction.run, record
    try:
        yield launches
    finally:
        JITFunction.run = run


def compiled(launch, target):
    """The launch's kernel as the GPU would get it."""
    kernel, given, options = launch
    constants, attributes, signature = {}, {}, {}
    for place, parameter in enumerate(kernel.params):
        value = given[parameter.name]
        if parameter.is_constexpr:
            signature[parameter.name], constants[(place,)] = "constexpr", value
        else:
            signature[parameter.name] = _type(value, (place,), constants, attributes)
    source = ASTSource(kernel, signature, constants, attributes)
    target = target if isinstance(target, GPUTarget) else GPUTarget("cuda", target, 32)
    return triton.compile(source, target=target, options=options)


def _type(value, place, constants, attributes):
    if isinstance(value, tuple):
        return tuple(_type(each, (*place, k), constants, attributes) for k, each in enumerate(value))
    if value is None or (type(value) is int and value == 1):
        constants[place] = value
        return "constexpr"
    if isinstance(value, float):
        return "fp32"
    if isinstance(value, int):
        if value % 16 == 0:
            attributes[place] = [["tt.divisibility", 16]]
        return "i32" if abs(value) < 2**31 else "i64"
    attributes[place] = [["tt.divisibility", 16]]
    return "*" + _TYPES[value.dtype]
