"""Static reading of a loss's code: every pattern is found at its line, and not in its sound twin. No code runs."""

import textwrap

import pytest

from losskit.checker.source import READINGS, read

# For each pattern: code with it at the marked line, and sound code with the same purpose.
PAIRS = {
    "source-activation-twice": [
        ("p = input.softmax(1)\nreturn F.cross_entropy(p, target)  # here", "return F.cross_entropy(input, target)"),
        (
            "return nn.BCEWithLogitsLoss()(torch.sigmoid(input), target)  # here",
            "return nn.BCEWithLogitsLoss()(input, target)",
        ),
        (
            "p = torch.sigmoid(input).view(-1)\nq = p\nreturn F.binary_cross_entropy_with_logits(q, target)  # here",
            "return F.nll_loss(input.log_softmax(1), target)",
        ),
    ],
    "source-data": [
        ("return (input.data - target).abs().mean()  # here", "return (input - target.data).abs().mean()"),
    ],
    "source-cut": [
        ("p = input.detach()  # here\nreturn (p - target).abs().mean()", "shown = input.detach()\nreturn input.mean()"),
        ("return 2 * input.mean().item()  # here", "return input.mean() * target.mean().item()"),
        ("a = input.numpy()  # here\nb = a + 1\nreturn b.mean()", "print(input.mean().item())\nreturn input.mean()"),
    ],
    "source-flattened": [
        ("p = input.view(-1)  # here\nreturn (p * target).sum()", "p = input.flatten(2)\nreturn (p * target).sum()"),
        ("return input.flatten().mean()  # here", "return input.view(len(input), -1).mean()"),
    ],
    "source-sigmoid-then-bce": [
        (
            "p = torch.sigmoid(input)\nreturn F.binary_cross_entropy(p, target)  # here",
            "return F.binary_cross_entropy(input, target)",
        ),
    ],
    "source-sum-then-mean": [
        ("return (input - target).abs().sum().mean()  # here", "return (input - target).abs().sum(1).mean()"),
    ],
    "source-deprecated": [
        ("return F.sigmoid(input).mean()  # here", "return torch.sigmoid(input).mean()"),
        ("return F.mse_loss(input, target, size_average=False)  # here", "return F.mse_loss(input, target)"),
    ],
}
PAIRS |= {
    "source-probabilities-for-logs": [
        ("return nn.NLLLoss()(input.softmax(1), target)  # here", "return nn.NLLLoss()(input.log_softmax(1), target)"),
        ("return F.kl_div(F.softmax(input, 1), target)  # here", "return F.kl_div(F.log_softmax(input, 1), target)"),
    ],
    "source-writes": [
        (
            "target[target == 255] = 0  # here\nreturn F.cross_entropy(input, target)",
            "target = target.clone()\ntarget[target == 255] = 0\nreturn F.cross_entropy(input, target)",
        ),
    ],
    "source-no-dim": [
        (
            "return F.nll_loss(F.log_softmax(input), target)  # here",
            "return F.nll_loss(F.log_softmax(input, 1), target)",
        ),
    ],
    "source-root": [
        ("return torch.sqrt(F.mse_loss(input, target))  # here", "return torch.sqrt(F.mse_loss(input, target) + 1e-8)"),
        ("mse = ((input - target) ** 2).mean()\nreturn mse.sqrt()  # here", "return ((input - target) ** 2).mean()"),
    ],
    "source-cuda": [
        ("return F.mse_loss(input, target.cuda())  # here", "return F.mse_loss(input, target.to(input.device))"),
    ],
}
PAIRS["source-data"].append(
    (
        "return (input.data - target).abs().mean()  # here",
        "n = (input.data > 0).sum()\nreturn input.type_as(target.data).mean()",
    )
)
PAIRS["source-cut"] += [
    ("return F.l1_loss(input.round(), target)  # here", "return F.l1_loss(input, target.round())"),
    ("return (input.argmax(1) != target).float().mean()  # here", "return F.cross_entropy(input, target.argmax(1))"),
    (
        "return (input.detach() - target).abs().mean()  # here",
        "m = input.max(1, keepdim=True).values\nreturn (input - m.detach()).exp().sum()",
    ),
    ("return input.mean().item(), 1  # here", "return input.mean(), (input.argmax(1) == target).float().mean().item()"),
]
CASES = [(id, *pair) for id, pairs in PAIRS.items() for pair in pairs]


def written(tmp_path, body, parameters="input, target"):
    file = tmp_path / "read_me.py"
    head = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n\nraise SystemExit('was run')\n\n"
    file.write_text(f"{head}def loss({parameters}):\n" + textwrap.indent(body, "    ") + "\n")
    return file


def found(file):
    return {(f.check, int(f.what.split("line ")[1].split(",")[0])) for f in read(file)}


@pytest.mark.parametrize(("id", "faulty", "sound"), CASES)
def test_a_fault_is_found_at_its_line_and_its_sound_twin_is_not(tmp_path, id, faulty, sound):
    file = written(tmp_path, faulty)
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if "# here" in text)
    assert (id, line) in found(file)
    assert id not in {check for check, _ in found(written(tmp_path, sound))}


def test_parameters_that_nothing_uses(tmp_path):
    report = read(written(tmp_path, "return (input - target).mean()", "input, target, weight=None, _spare=0"))
    assert [f.what.rsplit(" ", 4)[-4] for f in report["source-unused"]] == ["weight"]
    assert not read(written(tmp_path, "return g(**locals())", "input, target"))["source-unused"]
    assert not read(written(tmp_path, "raise NotImplementedError", "input, target"))["source-unused"]


def test_a_module_kept_on_self_is_known_by_its_class(tmp_path):
    file = tmp_path / "held.py"
    file.write_text(
        "class Loss(nn.Module):\n    def __init__(self):\n        self.part = nn.BCELoss()\n"
        "    def forward(self, input, target):\n        p = torch.sigmoid(input)\n        return self.part(p, target)\n"
    )
    assert ("source-sigmoid-then-bce", 6) in found(file)


def test_every_reading_has_a_pair():
    assert set(PAIRS) | {"source-unused", "source-default-tensor"} == set(READINGS)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(ValueError, match="cannot be read"):
        read(tmp_path / "absent.py")
    (tmp_path / "broken.py").write_text("def loss(:\n")
    with pytest.raises(ValueError, match="not valid Python"):
        read(tmp_path / "broken.py")


def test_a_reading_is_waived_with_a_reason(tmp_path):
    report = read(written(tmp_path, "return input.sum().mean()"), {"source-sum-then-mean": "a sum is meant"})
    assert not report["source-sum-then-mean"]
    assert report.waived[0].reason == "a sum is meant"


def test_a_tensor_as_a_default_is_found(tmp_path):
    assert ("source-default-tensor", 7) in found(written(tmp_path, "return input * w", "input, w=torch.ones(3)"))
    assert not found(written(tmp_path, "return input * target", "input, target=None"))


def test_a_line_is_told_once(tmp_path):
    body = "return torch.tensor(input.detach().cpu().numpy().mean() - target.mean())"
    assert len([each for each in read(written(tmp_path, body)) if each.check == "source-cut"]) == 1
