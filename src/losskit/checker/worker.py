"""The process in which a loss is checked; if it ends, the parent reports why."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from losskit.checker.children import received, send
from losskit.checker.finding import Outcome, plain
from losskit.checker.origin import Origin, origin_of
from losskit.checker.repro import literal, script
from losskit.checker.spec import Unsure
from losskit.checker.subject import Subject
from losskit.checker.user_batch import subject_of

_SHOWN = 48  # largest tensor that is written down before every call


def serve(subject: Subject, ids: Sequence[str], reply: BinaryIO) -> None:
    """Run these checks on a subject, and send each call, each start and each outcome."""
    from losskit.checker.battery import known, outcome_of  # imports every check, which `losskit --help` does not need

    subject.on_call = _call_recorder(subject, reply)
    for id in ids:
        send(reply, check=id)
        send(reply, outcome=_sendable(outcome_of(known(id), subject)))
    send(reply, done=True)


def _sendable(outcome: Outcome) -> Outcome:
    """An outcome whose evidence contains only numbers and text."""
    return replace(outcome, findings=tuple(replace(each, evidence=plain(each.evidence)) for each in outcome.findings))


def _call_recorder(subject: Subject, reply: BinaryIO) -> Any:
    """Writes down each call before it is made, so that the call that ends the process is known."""
    last = ""

    def on_call(tensors: tuple[Any, ...], arguments: Mapping[str, Any]) -> None:
        nonlocal last
        try:
            code = _repro(subject, tensors, arguments)
        except Exception:  # noqa: BLE001 - tensors without values, as inside vmap
            return
        if code != last:
            last = code
            send(reply, call=_shapes(tensors), code=code)

    return on_call


def _repro(subject: Subject, tensors: tuple[Any, ...], arguments: Mapping[str, Any]) -> str:
    return subject.code(*map(_written, tensors), arguments=arguments)


def _written(tensor: Tensor) -> str:
    return literal(tensor) if tensor.numel() <= _SHOWN else _like(tensor)


def _trial_recorder(origin: Origin, reply: BinaryIO) -> Callable[[Sequence[Any]], None]:
    """Writes down the first trial calls, before the meaning of the tensors is known."""

    def on_trial(tensors: Sequence[Any]) -> None:
        short = [t.float() if t.dtype == torch.float64 else t for t in tensors]
        made = {f"t{n}": _written(t) for n, t in enumerate(short)}
        call = f"print(criterion({', '.join(made)}))"
        code = script(f"import torch\n{origin.imports}", origin.construction(), made, (call,))
        send(reply, call=_shapes(tensors), code=code)

    return on_trial


def _shapes(tensors: Sequence[Any]) -> str:
    found = [t for t in tensors if isinstance(t, Tensor)]
    return ", ".join(f"{tuple(t.shape)} {str(t.dtype).removeprefix('torch.')}" for t in found)


def _like(tensor: Tensor) -> str:
    size = tuple(tensor.shape)
    if tensor.is_floating_point():
        return f"torch.randn({size}, dtype={tensor.dtype})"
    return f"torch.randint({int(tensor.max()) + 1}, {size}, dtype={tensor.dtype})"


def limit_memory(allowance: int | None) -> None:
    """Allow no more memory than this beyond what the process has now, where the system supports it."""
    if allowance is None:
        return
    try:
        import resource

        status = Path("/proc/self/status").read_text()
    except (ImportError, OSError):
        return
    now = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData:"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (now + allowance, hard))


def begin(reply: BinaryIO, request: Mapping[str, Any], origin: Callable[[], Origin]) -> None:
    """Determine what the loss of a request takes, and run its checks; or send why that is not possible."""
    torch.set_num_threads(1)
    try:
        made = origin()
        subject = _subject(reply, request, made)
    except Unsure as error:
        _send_general_outcomes(reply, made, error)
        send(reply, unsure=str(error))
    except MemoryError as error:
        send(reply, memory=str(error))
    except (ValueError, TypeError, ImportError) as error:
        send(reply, wrong=str(error))
    except SystemExit as error:
        send(reply, wrong=f"its file exits Python when it is imported (exit code {error.code}).")
    except Exception as error:  # noqa: BLE001 - whatever a constructor raises
        send(reply, wrong=f"it cannot be constructed: {type(error).__name__}: {error}")
    else:
        serve(subject, request["checks"], reply)
    reply.flush()


def _send_general_outcomes(reply: BinaryIO, origin: Origin, error: Unsure) -> None:
    """Send the outcomes of the checks that apply to any loss, in a form with which it ran."""
    from losskit.checker.battery import checks, outcome_of  # imports every check, unlike `losskit --help`

    if error.nearest is not None:
        named = [checks()[id] for id in ("one-edit-from-formula", "contradicts-claim")]
        known = checks().values() if error.nearest.because else named  # because it ran
        subject = Subject(origin, error.nearest)
        outcomes = [_sendable(outcome_of(each, subject)) for each in known if each.anyhow]
        send(reply, seen=outcomes)


def _subject(reply: BinaryIO, request: Mapping[str, Any], made: Origin) -> Subject:
    send(reply, loaded=made.name)
    limit_memory(request["memory"])
    made.on_trial = _trial_recorder(made, reply)
    subject = subject_of(made, request["batch"], request["example"], request["said"], request["spec"])
    send(reply, spec=subject.spec)
    return subject


def load(request: Mapping[str, Any], reply: BinaryIO) -> None:
    """Load the loss of a request, and check it."""
    begin(reply, request, lambda: origin_of(request["loss"], request["options"]))


def main() -> None:
    """Check the loss of a request in this fresh process."""
    load(*received())
    os._exit(0)  # without waiting for threads that a loss left running


if __name__ == "__main__":
    main()
