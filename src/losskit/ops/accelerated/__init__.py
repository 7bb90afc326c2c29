"""The optional C++ node of autograd, which shortens small calls. `losskit accelerate` compiles it for this PyTorch.

Everything works without it. A node that was compiled for another PyTorch, Python or losskit is ignored.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.machinery
import importlib.util
import os
import sys
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import torch

from losskit.ops import constants, native

SOURCE = Path(__file__).with_name("node.cpp")
DIRECTORY = "LOSSKIT_CACHE"  # environment variable


def directory() -> Path:
    """Where compiled nodes are stored: $LOSSKIT_CACHE, else a folder of the user's cache."""
    given = os.environ.get(DIRECTORY)
    if given:
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "losskit"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "losskit"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "losskit"


def compiled_file() -> Path:
    """The file of the node for this PyTorch, Python and losskit."""
    versions = torch.__version__, torch.version.git_version, sys.implementation.cache_tag, str(constants.FINGERPRINT)
    stamp = hashlib.sha256("\n".join(versions).encode() + SOURCE.read_bytes()).hexdigest()[:16]
    return directory() / f"node-{stamp}{importlib.machinery.EXTENSION_SUFFIXES[0]}"


def node() -> Any:
    """The compiled node, or None; it does not support compiled autograd."""
    dynamo = sys.modules.get("torch._dynamo.config")
    return None if dynamo is not None and getattr(dynamo, "compiled_autograd", False) else _installed()


@cache
def _installed() -> Any:
    if not native.AVAILABLE:
        return None
    try:
        file = compiled_file()
        return load(file) if file.exists() else None
    except (OSError, RuntimeError, ImportError) as error:  # no home directory, or a damaged file
        warnings.warn(f"losskit: cannot load the compiled node: {error}", native.LosskitWarning, stacklevel=2)
        return None


def load(file: Path) -> Any:
    loader = importlib.machinery.ExtensionFileLoader("_node", str(file))
    spec = importlib.util.spec_from_loader("_node", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def plan(
    entry: Any, struct: ctypes.Structure, *, mode: int, locked: bool, is_double: bool, scales: bool
) -> tuple[Any, Any] | None:
    """A plan of the node, for a loss described by the structure, and the function that runs it; None without a node."""
    compiled = node()
    if compiled is None:
        return None
    details = native.library().losskit_details
    addresses = [ctypes.cast(function, ctypes.c_void_p).value for function in (entry, details)]
    return compiled.plan(*addresses, ctypes.addressof(struct), mode, not locked, is_double, scales), compiled.run


def remove() -> list[Path]:
    """Delete all compiled nodes, and return their files."""
    files = sorted(directory().glob("node-*")) if directory().is_dir() else []
    for file in files:
        file.unlink()
    return files
