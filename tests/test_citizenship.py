"""CONTRACT.md 18: losses can be compiled, exported, transformed, copied, saved and moved as PyTorch modules."""

import copy
import gc
import io
import pickle
import warnings
import weakref

import pytest
import torch
from torch._dynamo.testing import CompileCounter
from torch.func import grad, jacrev, jvp, vmap

import losskit
from cases import CASES, one_each, where
from domains import accepted
from effort import one_in
from inputs import Shape
from losskit import functional
from losskit.core.options import Configured

DIFFERENT = {"class_weight": [0.5, 2.0, 1.0], "smooth": 0.5, "gamma": 1.5, "label_smoothing": 0.1}


def options_for(case):
    """Options that differ from their defaults, including a buffer."""
    classes = 1 if case.kind == "binary" else 3
    given = {k: v for k, v in DIFFERENT.items() if k in case.loss.options and accepted(case.loss.options[k], v)}
    if "class_weight" in given:
        given["class_weight"] = given["class_weight"][:classes]
    return given


def alone(case, given, loss):
    """The loss as a function of the tensors with a gradient."""

    def function(*leaves):
        tensors = list(given.tensors)
        for i, leaf in zip(case.differentiable, leaves, strict=True):
            tensors[i] = leaf
        return loss(*tensors)

    return function, tuple(given.tensors[i] for i in case.differentiable)


def with_gradient(function, leaves):
    leaves = [leaf.clone().requires_grad_() for leaf in leaves]
    value = function(*leaves)
    return value, torch.autograd.grad(value, leaves)


def assert_same(found, wanted):
    torch.testing.assert_close(found[0], wanted[0])
    for a, b in zip(found[1], wanted[1], strict=True):
        torch.testing.assert_close(a, b)


@pytest.fixture
def fresh():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


COMPILED = [*one_each(), *where(lambda c: str(c) in ("dice_loss-indices", "focal_loss-indices", "lovasz_loss-indices"))]


@pytest.mark.parametrize("case", one_in(6, COMPILED))
def test_compiles_in_one_graph(case, fresh):
    given = case.given(Shape(2, 3, (4,)), 1)
    function, leaves = alone(case, given, case(**options_for(case)))
    wanted = with_gradient(function, leaves)
    assert_same(with_gradient(torch.compile(function, fullgraph=True, backend="aot_eager"), leaves), wanted)


@pytest.mark.parametrize("name", ["cross_entropy", "huber_loss", "jaccard_loss"])
def test_compiles_to_machine_code(name, fresh, monkeypatch):
    monkeypatch.delenv("CI", raising=False)  # PyTorch's own CI refuses operators that have a decomposition too
    case = next(case for case in CASES if case.entry.name == name)
    given = case.given(Shape(2, 3, (4,)), 1, torch.float32)
    function, leaves = alone(case, given, case(**options_for(case)))
    assert_same(with_gradient(torch.compile(function, fullgraph=True), leaves), with_gradient(function, leaves))


def test_a_function_form_compiles(fresh):
    from losskit.functional import focal_loss

    input, target = torch.randn(2, 3, 4), torch.randint(0, 3, (2, 4))

    def step(input, target):
        return focal_loss(input, target, gamma=1.5, alpha=[0.1, 0.2, 0.7])

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(input, target), step(input, target))


@pytest.mark.parametrize("name", ["mse_loss-pair", "cross_entropy-indices", "dice_loss-binary"])
def test_compiled_sizes_may_change_before_a_weight_is_given(name, fresh):
    """A dynamic size is a symbol of the graph, and must match the size of the weight, which is a constant."""
    case = next(case for case in CASES if str(case) == name)
    loss = case(**options_for(case))
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    for n, length, named in [(2, 4, ()), (3, 5, ()), (3, 6, ("weight", "mask"))]:
        given = case.given(Shape(n, 3, (length,)), 1)
        drawn = torch.rand(given.positions, generator=torch.Generator().manual_seed(n))
        arguments = {"weight": drawn.to(given.tensors[0].dtype), "mask": drawn > 0.3}
        arguments = {name: arguments[name] for name in named}
        torch.testing.assert_close(compiled(*given.tensors, **arguments), loss(*given.tensors, **arguments))


@pytest.fixture
def _nothing_is_constructed(monkeypatch):
    """Compiled code that constructs a loss breaks its graph, which fullgraph=True makes an error."""
    init = Configured.__init__

    def breaking(self, *positional, **options):
        torch._dynamo.graph_break()
        init(self, *positional, **options)

    monkeypatch.setattr(Configured, "__init__", breaking)


OF_CONSTANTS = [
    pytest.param(c, marks=[] if c.entry.name in ("dice_bce_loss", "focal_loss", "huber_loss") else [pytest.mark.slow])
    for c in one_each()
    if not any(isinstance(v, torch.nn.Module) for v in c.options.values())
]


@pytest.mark.usefixtures("_nothing_is_constructed")
@pytest.mark.parametrize("case", OF_CONSTANTS, ids=str)
def test_compiled_function_forms_construct_nothing(case):
    given = case.given(Shape(2, 3, (4,)), 1)
    function = getattr(functional, case.entry.name)
    torch._dynamo.reset()
    compiled = torch.compile(lambda *tensors: function(*tensors, **case.options), fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*given.tensors), function(*given.tensors, **case.options))


@pytest.mark.usefixtures("_nothing_is_constructed")
def test_options_of_a_compiled_function_form_vary():
    counted = CompileCounter()
    focal = torch.compile(
        lambda gamma, weights: functional.focal_loss(*FIXED, gamma=gamma, class_weight=weights),
        fullgraph=True,
        backend=counted,
    )
    torch._dynamo.reset()
    given = [(2.0, None), (0.5, [1.0, 2.0, 3.0]), (0.5, (1.0, 2.0, 5.0)), (2, None), (0.125, None), (3.5, None)]
    for gamma, weights in (*given, *given):
        expected = functional.focal_loss(*FIXED, gamma=gamma, class_weight=weights)
        torch.testing.assert_close(focal(gamma, weights), expected)
    assert counted.frame_count == len(given)


def test_options_of_one_compiled_function_form_leave_others_compiled():
    torch._dynamo.reset()
    counted = CompileCounter()
    compiled = [
        torch.compile(lambda g=gamma: functional.focal_loss(*FIXED, gamma=g), fullgraph=True, backend=counted)
        for gamma in (0.5, 1.5, 2.5)
    ]
    for _ in range(2):
        assert len({function().item() for function in compiled}) == 3
    assert counted.frame_count == 3


class Model(torch.nn.Module):
    def __init__(self, loss):
        super().__init__()
        self.loss = loss

    def forward(self, *tensors):
        return self.loss(*tensors)


@pytest.mark.parametrize("case", one_in(3, one_each()))
def test_exports(case):
    given = case.given(Shape(2, 3, (4,)), 1)
    loss = case(**options_for(case))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(Model(loss), given.tensors)
    torch.testing.assert_close(program.module()(*given.tensors), loss(*given.tensors))


def operators_of(program):
    return {str(node.target) for node in program.graph.nodes if str(node.target).startswith("losskit.")}


@pytest.mark.parametrize(
    "name", ["cross_entropy-indices", "dice_loss-binary", "lovasz_loss-indices", "boundary_loss-binary"]
)
def test_exports_without_operators_of_its_own(name):
    """As ONNX takes it, which knows PyTorch's operators alone: of these there are three, and one that reports."""
    case = next(case for case in CASES if str(case) == name)
    given = case.given(Shape(2, 3, (4,)), 1)
    loss = case(**options_for(case))
    program = torch.export.export(Model(loss), given.tensors)
    assert operators_of(program)
    program = program.run_decompositions(dict(torch._decomp.decomposition_table))
    assert not operators_of(program)
    torch.testing.assert_close(program.module()(*given.tensors), loss(*given.tensors))


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize(
    "criterion", [losskit.DiceLoss() + 0.5 * losskit.FocalLoss(), losskit.LearnedWeights(losskit.DiceCELoss())], ids=str
)
def test_sums_export_alone_with_changing_sizes(criterion, by_name):
    sizes = {0: torch.export.Dim("batch", min=2), 2: torch.export.Dim("length", min=2)}
    target_sizes = {0: sizes[0], 1: sizes[2]}
    shapes = {"input": sizes, "target": target_sizes} if by_name else (sizes, target_sizes)
    program = torch.export.export(criterion, segmented(4, 8), dynamic_shapes=shapes)
    for other in (segmented(3, 8), segmented(7, 5)):
        torch.testing.assert_close(program.module()(*other), criterion(*other))


FIXED = torch.randn(4, 3, 8), torch.randint(0, 3, (4, 8))


def segmented(samples, length):
    return torch.randn(samples, 3, length), torch.randint(0, 3, (samples, length))


def scripted(x: torch.Tensor, target: torch.Tensor):
    return functional.dice_loss(x, target)


@pytest.mark.parametrize(
    "compiled",
    [
        losskit.DiceLoss(),
        losskit.DiceLoss() + losskit.CrossEntropyLoss(),
        losskit.CTCLoss(),
        Model(losskit.FocalLoss()),
        functional.dice_loss,
        scripted,
    ],
)
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_torch_jit_script_is_refused(compiled):
    with pytest.raises(RuntimeError, match=r"torch.jit.script does not compile losses"):
        torch.jit.script(compiled)


# Function transforms


@pytest.mark.parametrize("case", CASES, ids=str)
def test_func_grad_and_jacrev(case):
    given = case.given(Shape(2, 3, (4,)), 1)
    function, leaves = alone(case, given, case(**options_for(case)))
    _, wanted = with_gradient(function, leaves)
    for i, gradient in enumerate(wanted):
        torch.testing.assert_close(grad(function, i)(*leaves), gradient)
        torch.testing.assert_close(jacrev(function, i)(*leaves), gradient)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("case", where(lambda c: c.kind != "sequences"), ids=str)
def test_vmap_of_grad_equals_the_loop(case, dtype):
    """Each with a different factor, so that no two gradients are equal."""
    loss = case(**options_for(case))
    each = [
        (torch.tensor(1.0 + seed, dtype=dtype), *case.given(Shape(2, 3, (4,)), seed, dtype).tensors)
        for seed in range(3)
    ]
    for i in case.differentiable:
        gradient = grad(lambda factor, *tensors: factor * loss(*tensors), 1 + i)
        mapped = vmap(gradient)(*(torch.stack(tensors) for tensors in zip(*each, strict=True)))
        torch.testing.assert_close(mapped, torch.stack([gradient(*tensors) for tensors in each]))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_forward_mode_is_right_or_raises(case):
    given = case.given(Shape(2, 3, (4,)), 1)
    function, leaves = alone(case, given, case(**options_for(case)))
    generator = torch.Generator().manual_seed(3)
    tangents = tuple(torch.randn(leaf.shape, generator=generator, dtype=leaf.dtype) for leaf in leaves)
    try:
        _, found = jvp(function, leaves, tangents)
    except (RuntimeError, NotImplementedError):
        return
    _, gradients = with_gradient(function, leaves)
    torch.testing.assert_close(found, sum((g * t).sum() for g, t in zip(gradients, tangents, strict=True)))


# Copies, files, devices


@pytest.mark.parametrize("case", CASES, ids=str)
def test_copies_and_pickles(case):
    given = case.given()
    loss = case(**options_for(case))
    value = loss(*given.tensors)
    file = io.BytesIO()
    torch.save(loss, file)
    file.seek(0)
    for other in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss)), torch.load(file, weights_only=False)):
        assert type(other) is type(loss)
        assert repr(other) == repr(loss)
        assert torch.equal(other(*given.tensors), value)


@pytest.mark.parametrize("case", where(lambda c: c.has("class_weight")), ids=str)
def test_the_state_holds_class_weights(case):
    given = case.given()
    options = options_for(case)
    loss = case(**options)
    other = case(**{**options, "class_weight": [1.0] * len(options["class_weight"])})
    state = loss.state_dict()
    assert any(torch.equal(v, torch.tensor(options["class_weight"])) for v in state.values())
    other.load_state_dict(state)
    torch.testing.assert_close(other(*given.tensors), loss(*given.tensors))


@pytest.mark.parametrize("case", where(lambda c: c.has("class_weight")), ids=str)
def test_class_weights_move_with_the_module(case):
    loss = case(**options_for(case)).to("meta")
    assert loss.state_dict()
    assert all(value.is_meta for value in loss.state_dict().values())
    moved = case(**options_for(case)).double()
    assert all(value.dtype == torch.float64 for value in moved.state_dict().values())
    copy.deepcopy(moved)(*case.given().tensors)


# Inputs and graphs


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_inputs_are_never_changed(case, reduction):
    if reduction not in case.reductions or case.composite:
        reduction = "mean"
    given = case.given()
    tensors = [t.clone().requires_grad_(i in case.differentiable) for i, t in enumerate(given.tensors)]
    arguments = {}
    if case.mask:
        arguments["mask"] = torch.rand(given.positions) < 0.5
    if case.weight:
        arguments["weight"] = torch.rand(given.positions, dtype=torch.float64)
    versions = [t._version for t in (*tensors, *arguments.values())]
    value = case(reduction=reduction, **options_for(case))(*tensors, **arguments)
    value.sum().backward()
    assert [t._version for t in (*tensors, *arguments.values())] == versions
    for tensor, before in zip(tensors, given.tensors, strict=True):
        assert torch.equal(tensor.detach(), before)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_graph_is_kept_alive(case):
    given = case.given()
    loss = case(**options_for(case))
    source = given.tensors[0].clone().requires_grad_()
    input = source * 1  # the output of a model
    value = loss(input, *given.tensors[1:])
    alive = weakref.ref(input), weakref.ref(value)
    gc.disable()  # not even by a reference cycle
    try:
        del input, value
        assert [ref() for ref in alive] == [None, None]
    finally:
        gc.enable()
