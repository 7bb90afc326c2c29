"""The node of a loss in autograd: Python's in the main run, and the compiled one from test_accelerated.py."""

import gc
import threading
import weakref

import pytest
import torch

import losskit
from losskit.ops import accelerated

CRITERIA = {
    "elements": (losskit.MSELoss(), (4, 8)),
    "region": (losskit.DiceLoss(), (2, 1, 4, 4)),
    "sum": (losskit.DiceLoss() + 0.5 * losskit.FocalLoss(), (2, 1, 4, 4)),
    "closed form": (losskit.CosineEmbeddingLoss(), (4, 8)),
}


@pytest.fixture(params=CRITERIA, ids=lambda name: name.replace(" ", "-"))
def case(request):
    criterion, shape = CRITERIA[request.param]
    torch.manual_seed(0)
    input = torch.randn(shape, requires_grad=True)
    if request.param == "closed form":
        return criterion, [input, torch.randn(shape), torch.tensor([1, -1, 1, -1])]
    return criterion, [input, (torch.randn(shape) > 0).float()]


def gradient(criterion, tensors, upstream=1.0):
    return torch.autograd.grad(criterion(*tensors) * upstream, tensors[0])[0]


def test_the_gradient_is_that_of_the_definition(case):
    criterion, tensors = case
    wide = [t.detach().double() if t.is_floating_point() else t for t in tensors]
    wide[0].requires_grad_()
    for upstream in (1.0, 0.5, -3.0, 0.0, 1e20):
        expected = gradient(criterion, wide, upstream)
        torch.testing.assert_close(gradient(criterion, tensors, upstream).double(), expected, rtol=2e-5, atol=0)


def test_a_graph_that_was_kept_gives_the_gradient_again_and_a_freed_one_raises(case):
    criterion, tensors = case
    value = criterion(*tensors)
    (first,) = torch.autograd.grad(value, tensors[0], retain_graph=True)
    kept = first.clone()
    first.zero_()
    (second,) = torch.autograd.grad(value, tensors[0])
    torch.testing.assert_close(second, kept)
    with pytest.raises(RuntimeError, match="a second time"):
        torch.autograd.grad(value, tensors[0])


def test_a_tensor_that_was_changed_in_place_raises(case):
    criterion, tensors = case
    value = criterion(*tensors)
    tensors[1].add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


def test_second_derivatives_are_those_of_float64(case):
    criterion, tensors = case
    results = []
    for dtype in (torch.float32, torch.float64):
        given = [t.detach().to(dtype) if t.is_floating_point() else t for t in tensors]
        given[0].requires_grad_()
        (first,) = torch.autograd.grad(criterion(*given), given[0], create_graph=True)
        results.append(torch.autograd.grad(first.square().sum(), given[0])[0].double())
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-7)


def test_batched_gradients_are_those_of_each(case):
    criterion, tensors = case
    value = criterion(*tensors)
    upstream = torch.tensor([1.0, 2.0, -0.5])
    (many,) = torch.autograd.grad(value, tensors[0], upstream, is_grads_batched=True, retain_graph=True)
    expected = torch.stack([torch.autograd.grad(value, tensors[0], u, retain_graph=True)[0] for u in upstream])
    torch.testing.assert_close(many, expected)


def test_saved_tensor_hooks_see_the_tensors(case):
    criterion, tensors = case
    packed = []

    def pack(tensor):
        packed.append(tensor.shape)
        return tensor.detach().clone()

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        value = criterion(*tensors)
    assert tensors[0].shape in packed
    torch.testing.assert_close(torch.autograd.grad(value, tensors[0])[0], gradient(criterion, tensors))


def test_hooks_on_the_node_run(case):
    criterion, tensors = case
    value, seen = criterion(*tensors), []
    value.grad_fn.register_hook(lambda inputs, outputs: seen.append(outputs[0].item()))
    value.grad_fn.register_prehook(lambda outputs: seen.append(outputs[0].item()))
    value.backward()
    assert seen == [1.0, 1.0]


def test_graphs_are_freed_without_a_backward_pass(case):
    criterion, tensors = case
    tensors[0] = torch.randn_like(tensors[0]).requires_grad_()
    value = criterion(*tensors)
    watched = weakref.ref(tensors[0]), weakref.ref(value)
    del value
    tensors.clear()
    gc.collect()
    assert [each() for each in watched] == [None, None]


def test_threads_that_share_a_graph_get_the_same_gradient(case):
    criterion, tensors = case
    expected = gradient(criterion, tensors)
    for _ in range(20):
        value, found = criterion(*tensors), []

        def work(value=value, found=found):
            found.append(torch.autograd.grad(value, tensors[0], retain_graph=True)[0].clone())

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        for each in found:
            torch.testing.assert_close(each, expected)


def test_invalid_labels_raise_in_the_call():
    with pytest.raises(ValueError, match="class index 7"):
        losskit.CrossEntropyLoss()(torch.randn(2, 3, requires_grad=True), torch.tensor([0, 7]))


def test_a_mask_that_changes_the_mean_scales_the_gradient():
    input, target = torch.randn(4, 8, requires_grad=True), torch.randn(4, 8)
    mask = torch.arange(32).view(4, 8) % 3 == 0
    found = gradient(lambda *tensors: losskit.MSELoss()(*tensors, mask=mask), [input, target], 0.5)
    torch.testing.assert_close(found, mask * (input - target).detach() / mask.sum())


def test_bfloat16_is_rounded_once():
    input, target = torch.randn(64).bfloat16().requires_grad_(), torch.randn(64).bfloat16()
    for upstream in (1.0, 0.3, 3.0):
        exact = 2 * (input.double() - target.double()) / 64 * torch.tensor(upstream).double()
        assert torch.equal(gradient(losskit.MSELoss(), [input, target], upstream), exact.bfloat16())


@pytest.mark.skipif(accelerated.node() is None, reason="the main run has no node")
def test_the_node_serves():
    value = losskit.MSELoss()(torch.zeros(3, requires_grad=True), torch.ones(3))
    assert type(value.grad_fn).__name__ == "CppFunction"
