"""The process in which a loss is checked: what ends it is told by the one that waits for it."""

from __future__ import annotations

import ast
import faulthandler
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import torch
from torch import Tensor

from losskit.checker.finding import Finding, Outcome
from losskit.checker.origin import Origin, origin_of
from losskit.checker.probe import conclude
from losskit.checker.repro import literal, script
from losskit.checker.spec import Spec, Unsure
from losskit.checker.subject import Subject
from losskit.checker.user_batch import load

_SHOWN = 48  # numbers of a tensor that are worth writing down before every call


def serve(subject: Subject, ids: Sequence[str], reply: TextIO) -> None:
    """Ask these checks of a subject, and tell of each call, each start and each outcome in a line of JSON."""
    from losskit.checker.battery import known  # brings every check, which `losskit --help` does without

    subject.on_call = _teller(subject, reply)
    for id in ids:
        tell(reply, check=id)
        tell(reply, outcome=outcome_to_dict(known(id)(subject)))
    tell(reply, done=True)


def tell(reply: TextIO, **said: Any) -> None:
    print(json.dumps(said, default=str), file=reply, flush=True)


def _teller(subject: Subject, reply: TextIO) -> Any:
    """Writes down each call before it is made, so that the one that ends the process is known."""
    last = ""

    def on_call(tensors: tuple[Any, ...], arguments: Mapping[str, Any]) -> None:
        nonlocal last
        try:
            code = _repro(subject, tensors, arguments)
        except Exception:  # noqa: BLE001 - tensors without values of their own, as inside vmap
            return
        if code != last:
            last = code
            tell(reply, call=_shapes(tensors), code=code)

    return on_call


def _repro(subject: Subject, tensors: tuple[Any, ...], arguments: Mapping[str, Any]) -> str:
    return subject.code(*map(_written, tensors), arguments=arguments)


def _written(tensor: Tensor) -> str:
    return literal(tensor) if tensor.numel() <= _SHOWN else _like(tensor)


def _trial_teller(origin: Origin, reply: TextIO) -> Callable[[Sequence[Any]], None]:
    """Writes down the first trial calls, made before it is known what the tensors are."""

    def on_trial(tensors: Sequence[Any]) -> None:
        short = [t.float() if t.dtype == torch.float64 else t for t in tensors]
        made = {f"t{n}": _written(t) for n, t in enumerate(short)}
        call = f"print(criterion({', '.join(made)}))"
        code = script(f"import torch\n{origin.imports}", origin.construction(), made, (call,))
        tell(reply, call=_shapes(tensors), code=code)

    return on_trial


def _shapes(tensors: Sequence[Any]) -> str:
    found = [t for t in tensors if isinstance(t, Tensor)]
    return ", ".join(f"{tuple(t.shape)} {str(t.dtype).removeprefix('torch.')}" for t in found)


def _like(tensor: Tensor) -> str:
    size = tuple(tensor.shape)
    if tensor.is_floating_point():
        return f"torch.randn({size}, dtype={tensor.dtype})"
    return f"torch.randint({int(tensor.max()) + 1}, {size}, dtype={tensor.dtype})"


def outcome_to_dict(outcome: Outcome) -> dict[str, Any]:
    return {**asdict(outcome), "findings": [finding.to_dict() for finding in outcome.findings]}


def outcome_from_dict(said: Mapping[str, Any]) -> Outcome:
    return Outcome(**{**said, "findings": tuple(Finding.from_dict(each) for each in said["findings"])})


def limit_memory(allowance: int | None) -> None:
    """No more than this beyond what the process has now, where the system can hold it to that."""
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


def settle(stderr: int) -> None:
    """One thread, a trace where the process dies or is asked for one, and Ctrl-C left to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable(stderr, all_threads=False)
    if hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGUSR1, stderr, all_threads=True)
    torch.set_num_threads(1)


def exit_with_parent(lifeline: int) -> None:
    """The other end closes when whoever asked is gone, however it went."""

    def wait() -> None:
        os.read(lifeline, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def begin(reply: TextIO, request: Mapping[str, Any], origin: Callable[[], Origin]) -> None:
    """Find out what the loss of a request takes, and serve the checks that it names; or say why that cannot be."""
    try:
        subject = _subject(reply, request, origin)
    except Unsure as error:
        tell(reply, unsure=str(error))
    except MemoryError as error:
        tell(reply, memory=str(error))
    except (ValueError, TypeError, ImportError) as error:
        tell(reply, wrong=str(error))
    except Exception as error:  # noqa: BLE001 - whatever a constructor raises
        tell(reply, wrong=f"it cannot be made: {type(error).__name__}: {error}")
    else:
        serve(subject, request["checks"], reply)
    reply.flush()


def _subject(reply: TextIO, request: Mapping[str, Any], origin: Callable[[], Origin]) -> Subject:
    made = origin()
    tell(reply, loaded=made.name)
    limit_memory(request["memory"])
    made.on_trial = _trial_teller(made, reply)
    given = request["spec"]
    subject = Subject(made, conclude(made, **_said(request["said"])) if given is None else Spec.from_dict(given))
    tell(reply, spec=subject.spec.to_dict())
    batch = request["batch"]
    if batch is not None:
        subject.batch = load(Path(batch)) if isinstance(batch, str) else tuple(batch)
        subject.batch_file = batch if isinstance(batch, str) else subject.batch_file
    return subject


def _said(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}


def main() -> None:
    """Load the loss of a request in this fresh process."""
    request = json.loads(sys.stdin.readline())
    exit_with_parent(sys.stdin.fileno())
    reply = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a loss prints is no reply
    settle(sys.stderr.fileno())
    begin(reply, request, lambda: origin_of(request["loss"], ast.literal_eval(request["options"])))
    os._exit(0)  # without waiting for what a loss left running


if __name__ == "__main__":
    main()
