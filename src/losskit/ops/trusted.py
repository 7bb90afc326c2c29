"""Device classes on which every form of the kernels has passed: they are not compared again at their first use.

`trusted.json` lists them; `benchmarks/gpu.py` adds the device that it ran on, if all of its checks passed there. A
class is the product name, the versions of PyTorch and Triton, and the source of the kernels. Functions generated from
user-defined formulas are compared on every device.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch

FILE = Path(__file__).with_name("trusted.json")
SOURCE = Path(__file__).with_name("triton")


class DeviceClass(NamedTuple):
    """What the results of a check are valid for."""

    device: str
    torch: str
    triton: str
    kernels: str  # the hash of their source

    def __str__(self) -> str:
        return f"{self.device}, torch {self.torch}, Triton {self.triton}"


@lru_cache(maxsize=64)
def class_of(device: torch.device) -> DeviceClass:
    from losskit.ops import triton  # only when a kernel is requested

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return DeviceClass(name, str(torch.__version__), triton.version() or "", kernels())


@lru_cache(maxsize=1)
def kernels() -> str:
    """The hash of the source of the kernels and of what launches them."""
    found = hashlib.sha256()
    for path in sorted([*SOURCE.rglob("*.py"), FILE.with_name("constants.py")]):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


@lru_cache(maxsize=1)
def kept() -> frozenset[DeviceClass]:
    """The classes that have passed."""
    return frozenset(DeviceClass(**entry) for entry in json.loads(FILE.read_text()))


def is_trusted(device: torch.device) -> bool:
    return bool(kept()) and class_of(device) in kept()


def rule(device: torch.device) -> str:
    """Why the kernels are compared at their first use on a device, or are not."""
    own = class_of(device)
    if is_trusted(device):
        return f"trusted without a comparison: every form has passed on {own}"
    if any(each.device == own.device for each in kept()):
        return f"compared at the first use of each form: {own.device} has passed with other versions, not with {own}"
    return f"compared at the first use of each form: no kept results for {own}"


def keep(passed: DeviceClass, file: Path = FILE) -> None:
    """Add a class to the list."""
    entries = [entry for entry in json.loads(file.read_text()) if entry != passed._asdict()]
    file.write_text(json.dumps([*entries, passed._asdict()], indent=1) + "\n")
    kept.cache_clear()
