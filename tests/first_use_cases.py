"""Losses on a device with faulty kernels, run in Triton's interpreter on the CPU."""

import multiprocessing
import time
import warnings
from contextlib import contextmanager
from unittest.mock import patch

import torch
import torch.distributed as dist

import losskit
from losskit.distributed import sync
from losskit.ops import choice, device_forms, first_use, native, processes, triton, trusted


@contextmanager
def faulty(fault):
    """Kernels that raise, hang during compilation or have one wrong element, beside plain PyTorch alone."""
    from losskit.ops.triton import launch as launching
    from losskit.ops.triton import prepared
    from losskit.ops.triton.launch import Work

    launch, run = launching.launch, Work.run

    def at_fault(kernel, programs, arguments, options, *, only_compiled=False):
        last = kernel.__name__ == "finish"
        large = programs > 2 and not only_compiled  # of the input, not of the compared slice
        if (
            fault == "raises"
            or (fault == "compilation raises" and only_compiled)
            or (fault == "finish raises" and last)
        ):
            raise RuntimeError("out of resource: shared memory\nand more")
        if fault == "later launch raises" and large:
            raise RuntimeError("an invalid configuration argument")
        if fault == "shortage" and large:
            raise torch.OutOfMemoryError("no memory")
        if only_compiled and (fault == "hangs" or (fault == "finish hangs" and last)):
            time.sleep(5)
        launch(kernel, programs, arguments, options, only_compiled=only_compiled)
        if last and fault in ("finish value", "finish derivative") and not only_compiled:
            changed = arguments[5 if fault == "finish value" else 4]
            changed.view(-1)[0] += 1e-5

    def lying(work):
        if fault == "value" and work.totals:
            work.s -= 1
        totals, gradient, problem = run(work)
        if fault == "gradient" and gradient is not None:
            gradient.view(-1)[len(gradient.view(-1)) // 2] += 1e-3
        return totals, gradient, problem

    first_use.forget()
    limit = 0.5 if "hangs" in fault else 60
    with (
        patch.object(launching, "launch", at_fault),
        patch.object(prepared, "launch", at_fault),
        patch.object(Work, "run", lying),
        patch.object(native, "AVAILABLE", False),
        patch.object(native, "warn_missing", lambda: None),
        patch.object(first_use, "LIMIT", limit),
    ):
        yield
    first_use.forget()


def tensors(link, samples=3):
    generator = torch.Generator().manual_seed(samples)
    x = torch.randn(samples, 3, 6, 9, generator=generator)
    if link == "sigmoid":
        return x, (torch.rand(x.shape, generator=generator) < 0.4).float()
    return x, torch.randint(0, 3, (samples, 6, 9), generator=generator)


LOSSES = {
    "sigmoid": lambda: losskit.DiceBCELoss(),
    "softmax": lambda: losskit.DiceCELoss(),
}


def step(loss, x, t):
    x = x.clone().requires_grad_()
    value = loss(x, t)
    (gradient,) = torch.autograd.grad(value, x)
    return value.item(), gradient


def errors(loss, x, t):
    """How far value and gradient are from those in float64."""
    value, gradient = step(loss, x, t)
    exact, slope = step(loss, x.double(), t)
    return abs(value - exact), (gradient - slope).abs().max().item()


def served(_, fault, link, forced=""):
    """The operators of three calls, the error of each, the warnings, and what `explain` says."""
    loss, (x, t) = LOSSES[link](), tensors(link)
    with faulty(fault), warnings.catch_warnings(record=True) as said, patch.object(first_use.instead, "works", False):
        warnings.simplefilter("always")
        if forced:
            with choice.forced(forced):
                return step(loss, x, t)
        off = [errors(loss, x, t) for _ in range(2)]
        explained = str(losskit.explain(loss, x.clone().requires_grad_(), t))
        off.append(errors(loss, x, t))
    return off, [str(each.message) for each in said if "losskit" in str(each.message)], explained  # not numpy's


def comparisons(_, calls):
    """The number of comparisons in these calls of a loss, each (samples, dtype)."""
    counted, compare = [], first_use.comparison.compare
    with (
        faulty(""),
        patch.object(first_use.comparison, "compare", lambda *a, **k: counted.append(1) or compare(*a, **k)),
    ):
        loss, found = losskit.DiceCELoss(), []
        for samples, dtype in calls:
            x, t = tensors("softmax", samples)
            step(loss, x.to(getattr(torch, dtype)), t)
            found.append(len(counted))
    return found


def compiled(_, before):
    """The operator in a compiled call, after an eager one or not, its error, and the number of comparisons."""
    loss, (x, t) = losskit.DiceCELoss(), tensors("softmax")
    launches = []

    def run(*arguments, **options):
        launches.append(1)
        return original(*arguments, **options)

    original = triton.run
    with faulty(""):
        if before:
            step(loss, x, t)
        torch.compiler.reset()
        with patch.object(triton, "run", run), patch.object(first_use, "_compared", None):
            off = errors(torch.compile(loss, fullgraph=True, backend="aot_eager"), x, t)
            mapped = torch.func.grad(loss)(x, t)
    return off, len(launches), (mapped - step(loss, x.double(), t)[1]).abs().max().item()


def captured(_, before):
    """The operators during CUDA graph capture, which is simulated on the CPU."""
    loss, (x, t) = losskit.DiceCELoss(), tensors("softmax")
    with faulty(""):
        if before:
            step(loss, x, t)
        with patch.object(first_use, "is_capturing", lambda _: True), choice.recorded() as passes:
            step(loss, x, t)
    return passes[0].operator, passes[0].refused.get("triton", "")


def inconclusive(_):
    """The operators of calls whose input has nothing to compare, and of one that has."""
    loss, (x, t) = losskit.DiceCELoss(), tensors("softmax")
    found = []
    with faulty(""):
        for mask in (torch.zeros(3, 6, 9) > 0, torch.ones(3, 6, 9) > 0):
            with choice.recorded() as passes:
                loss(x, t, mask=mask)
            found.append((passes[0].operator, passes[0].refused.get("triton", "")))
    return found


def with_instead(_, compiles):
    """Whether the fallback is compiled, or plain if the compiler raises, and its error."""
    loss, (x, t) = losskit.DiceCELoss(), tensors("softmax")
    asked = []

    def compile(function, **options):
        asked.append(options)
        if not compiles:
            raise RuntimeError("no compiler")
        return torch._dynamo.optimize("aot_eager", dynamic=options["dynamic"])(function)

    fresh = first_use._Instead()
    with faulty("raises"), warnings.catch_warnings(), patch.object(torch, "compile", compile):
        warnings.simplefilter("ignore")
        with patch.object(first_use, "instead", fresh):
            return errors(loss, x, t), len(asked), fresh.works


def shortage(_):
    """Whether an out-of-memory error is raised, and the kernels are used afterwards."""
    loss, (x, t) = losskit.DiceCELoss(), tensors("softmax")
    with faulty("shortage"):
        step(loss, *tensors("softmax", 2))
        try:
            step(loss, x, t)
        except torch.OutOfMemoryError:
            with choice.recorded() as passes:
                loss(*tensors("softmax", 2))
            return passes[0].operator
    return "nothing raised"


def rank(number, world, store, results, fault, synced):
    """One of several processes that compute a loss twice; the kernels of the second are at fault."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=number, world_size=world)
    x, t = tensors("softmax", 4)
    x, t = x.chunk(world)[number].clone().requires_grad_(), t.chunk(world)[number]
    served = []
    with faulty(fault if number == 1 else ""), warnings.catch_warnings(), patch.object(processes, "EVERY", 1):
        warnings.simplefilter("ignore")
        loss = sync(losskit.DiceCELoss(pool="batch"), gradients="sum") if synced else losskit.DiceCELoss()
        with patch.object(first_use.instead, "works", False):
            for _ in range(2):
                with choice.recorded() as passes:
                    value = loss(x, t)
                served.append((passes[0].operator, passes[0].plain))
                x.grad = None
                value.backward()
                dist.barrier()
    results.put((number, served, value.item(), x.grad.tolist()))
    dist.destroy_process_group()


def ranks(_, store, fault, synced):
    """Operators of two calls, value and gradient of each rank; value and gradient of the global batch in float64."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    each = [context.Process(target=rank, args=(k, 2, store, results, fault, synced)) for k in range(2)]
    for process in each:
        process.start()
    found = sorted(results.get(timeout=120) for _ in each)
    for process in each:
        process.join()
    x, t = tensors("softmax", 4)
    return found, step(losskit.DiceCELoss(pool="batch"), x.double(), t)


def doctored(_, fault):
    """What `losskit doctor` prints for three forms, and its exit code."""
    from typer.testing import CliRunner

    from losskit.cli.commands import app

    few = [form for form in device_forms.every() if form.layout in ("rows", "one class")][:3]
    with faulty(fault), patch.object(native, "AVAILABLE", True), patch.object(device_forms, "every", lambda: iter(few)):
        result = CliRunner().invoke(app, ["doctor"], catch_exceptions=False)
    return result.output, result.exit_code


@contextmanager
def trusted_here(**changed):
    """The CPU, in Triton's interpreter, among the devices that have passed."""
    passed = trusted.class_of(torch.device("cpu"))._replace(**changed)
    with patch.object(trusted, "kept", lambda: frozenset([passed])):
        yield


def of_trusted(_, changed, make):
    """The number of comparisons of a loss and of its last kernel, and what `explain` says."""
    counted, compare = [], first_use._tried
    with (
        faulty(""),
        trusted_here(**changed),
        patch.object(first_use, "_tried", lambda *given: counted.append(1) or compare(*given)),
    ):
        loss, (x, t) = MADE[make](), tensors("softmax")
        off = errors(loss, x, t)
        return off, len(counted), str(losskit.explain(loss, x.clone().requires_grad_(), t))


MADE = {
    "Dice and cross-entropy": losskit.DiceCELoss,
    "Lovasz": losskit.LovaszLoss,
    "own region": losskit.region_loss(lambda total: 1 - total.tp / (total.pred + total.target)).Module,
    "own term": losskit.classification_loss(lambda log_p: log_p * log_p).Module,
}


def of_trusted_at_fault(_):
    """A launch on a trusted device that raises: the errors, the warnings, and the operator afterwards."""
    loss, (x, t) = losskit.DiceCELoss(), tensors("softmax")
    with (
        faulty("later launch raises"),
        trusted_here(),
        warnings.catch_warnings(record=True) as said,
        patch.object(first_use.instead, "works", False),
    ):
        warnings.simplefilter("always")
        off = [errors(loss, x, t) for _ in range(2)]
        with choice.recorded() as passes:
            loss(x, t)
    return off, [str(each.message) for each in said if "losskit" in str(each.message)], passes[0].operator


def doctored_rule(_, changed):
    """What `losskit doctor` says about the rule, with this class among those that have passed."""
    with trusted_here(**changed):
        return [line.strip() for line in doctored(_, "")[0].splitlines() if "forms are " in line]
