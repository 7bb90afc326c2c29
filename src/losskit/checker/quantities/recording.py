"""Recording: the variables that a call of a loss assigns, with their values and those of the others at that time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn

_MOST = 600  # assignments that are kept


@dataclass(frozen=True)
class Assigned:
    """One assignment: the variable, its value, and the variables before it; a result has the name of its function."""

    code: CodeType
    line: int
    name: str
    value: Tensor
    before: Mapping[str, Any]
    around: Mapping[str, Any]  # the variables of its file
    result: bool = False


@dataclass
class Recording:
    """Watches the functions of one file."""

    file: str
    made: list[Assigned] = field(default_factory=list)
    _known: dict[int, tuple[Tensor, int, Tensor]] = field(default_factory=dict)  # copies of tensors, by identity
    _frames: dict[FrameType, tuple[int, dict[str, Any]]] = field(default_factory=dict)

    def of(self, run: Callable[[], Any]) -> list[Assigned]:
        """The assignments of a call, as far as it gets."""
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            run()
        finally:
            sys.settrace(before)
        return self.made

    def _enter(self, frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename != self.file or frame.f_code.co_name.startswith("<"):
            return None
        self._frames[frame] = frame.f_lineno, {}
        return self._step

    def _step(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event in ("line", "return") and frame in self._frames and len(self.made) < _MOST:
            line, before = self._frames[frame]
            now = self._copied(_variables(frame))
            for name, value in now.items():
                if isinstance(value, Tensor) and line != frame.f_code.co_firstlineno and before.get(name) is not value:
                    self.made.append(Assigned(frame.f_code, line, name, value, before, frame.f_globals))
            self._frames[frame] = frame.f_lineno, now
        if event == "return":
            line, before = self._frames.pop(frame, (0, {}))
            if isinstance(arg, Tensor) and line:
                name, value = frame.f_code.co_name, self._copy(arg)
                self.made.append(Assigned(frame.f_code, line, name, value, before, frame.f_globals, True))
        return self._step

    def _copied(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Variables with tensors as they are now; the same object as before where nothing has changed."""
        return {name: self._copy(each) if isinstance(each, Tensor) else each for name, each in variables.items()}

    def _copy(self, tensor: Tensor) -> Tensor:
        version = tensor._version if not tensor.is_inference() else 0
        known = self._known.get(id(tensor))
        if known is None or known[0] is not tensor or known[1] != version:
            with torch.no_grad():
                known = tensor, version, tensor.detach().clone()
            self._known[id(tensor)] = known
        return known[2]


def _variables(frame: FrameType) -> dict[str, Any]:
    """The variables of a function, and the tensors that its object holds."""
    own = frame.f_locals.get("self")
    if not isinstance(own, nn.Module):
        return dict(frame.f_locals)
    held = {**vars(own), **vars(own).get("_buffers", {})}
    tensors = {f"self.{name}": each for name, each in held.items() if isinstance(each, Tensor)}
    return {**frame.f_locals, **tensors}
