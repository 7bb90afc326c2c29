"""Physics-informed losses: the residual is that of the documented differential equation."""

from __future__ import annotations

import ast
import itertools
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from losskit.checker.calling import loss_of
from losskit.checker.claims.kinds import kind
from losskit.checker.claims.text import text_of
from losskit.checker.finding import Found
from losskit.checker.origin import call_parameters
from losskit.checker.subject import Subject

_PIECE = r"[\w.]+|\*\*|[-+*/^()]|²"
_SIDE = r"[\w.*+/^()² -]{1,120}"
_EQUATION = re.compile(rf"({_SIDE})=({_SIDE})")
_SLOPE = re.compile(r"u_([xyzt]{1,4})$")
_COORDINATES = "xyzt"
_POINTS = 12


class _Function(nn.Module):
    """A smooth function of points, whose derivatives are known: a sum of products of powers and of waves."""

    def __init__(self, seed: int, count: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.powers = [each for each in itertools.product(range(4), repeat=count) if 0 < sum(each) < 4]
        self.factors = torch.randn(len(self.powers), generator=generator, dtype=torch.float64)
        self.scale = nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, *points: Tensor) -> Tensor:
        columns = points[0].unbind(-1) if len(points) == 1 else tuple(each.reshape(-1) for each in points)
        total = torch.zeros_like(columns[0])
        for factor, powers in zip(self.factors, self.powers, strict=True):
            term = factor.to(total) * torch.ones_like(total)
            for column, power in zip(columns, powers, strict=True):
                term = term * column**power
            total = total + term + 0.1 * factor.to(total) * term.sin()
        return (self.scale.to(total) * total).unsqueeze(-1)


def _written(side: str) -> str:
    """One side of an equation as Python: powers, and products that are not written."""
    pieces = re.findall(_PIECE, side)
    made = ""
    for before, piece in zip(["+", *pieces], pieces, strict=False):
        piece = {"^": "**", "²": "**2"}.get(piece, piece)
        factor = re.match(r"[\w.(]", piece) is not None
        made += ("*" if factor and re.fullmatch(r"[\w.]+|\)|²", before) else "") + piece
    return made


_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def _evaluated(node: ast.AST, known: Callable[[str], Any]) -> Any:
    """The value of an expression of names, numbers and arithmetic; KeyError for anything else."""
    if isinstance(node, ast.Expression):
        return _evaluated(node.body, known)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_evaluated(node.left, known), _evaluated(node.right, known))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        inner = _evaluated(node.operand, known)
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return float(node.value)
    if isinstance(node, ast.Name):
        return known(node.id)
    raise KeyError(ast.dump(node))


def equation_of(text: str) -> ast.Expression | None:
    """The left side of the first documented equation of derivatives of u, minus its right side."""
    for match in _EQUATION.finditer(" ".join(text.split())):
        if not re.search(r"\bu_[xyzt]", match[0]):
            continue
        for left in _suffixes(match[1].strip()):
            for right in _prefixes(match[2].strip()):
                try:
                    return ast.parse(f"({_written(left)}) - ({_written(right)})", mode="eval")
                except SyntaxError:
                    continue
    return None


def _suffixes(side: str) -> list[str]:
    """A left side without the words before it."""
    words = side.split(" ")
    starts = [
        n for n, word in enumerate(words) if not re.fullmatch(r"[a-zA-Z]{2,}|[a-z]", word) or word in ("u", "k", "c")
    ]
    return [" ".join(words[n:]) for n in starts[:1]]


def _prefixes(side: str) -> list[str]:
    """A right side without the words after it, the longest first."""
    words = side.rstrip(".").split(" ")
    end = next(
        (n for n, word in enumerate(words) if word in ("for", "at", "on", "in", "with", "of", "and", "where", "over")),
        len(words),
    )
    return [" ".join(words[:n]).rstrip(".") for n in range(end, 0, -1)]


def _slopes(u: Tensor, letters: str, of: Mapping[str, Tensor]) -> Tensor:
    """A derivative of u, one letter after the other."""
    for letter in letters:
        found = torch.autograd.grad(u.sum(), of[letter], create_graph=True, allow_unused=True)[0]
        u = torch.zeros_like(of[letter]) if found is None else found
    return u


class _Call:
    """How a loss takes its model and its points."""

    def __init__(self, subject: Subject, equation: ast.Expression) -> None:
        self.subject = subject
        self.equation = equation
        parameters = call_parameters(subject.build())
        self.required = [each.name for each in parameters if each.default is each.empty]
        models = {extra.name for extra in subject.spec.way.extras if extra.sort == "model"}
        self.models = [name for name in self.required if name in models]
        named = {node.id for node in ast.walk(equation) if isinstance(node, ast.Name)}
        used = {letter for name in named if (found := _SLOPE.fullmatch(name)) for letter in found[1]}
        self.letters = [each for each in _COORDINATES if each in used]
        self.rest = [name for name in self.required if name not in self.models]
        self.alone = [name for name in self.rest if name in self.letters]
        self.others = [name for name in self.rest if name in named and name not in self.alone]
        self.joint = [name for name in self.rest if name not in self.alone and name not in self.others]
        held = vars(subject.build()) if hasattr(subject.build(), "__dict__") else {}
        defaults = {each.name: each.default for each in parameters}
        self.numbers = {**held, **defaults, **subject.origin.options}

    @property
    def understood(self) -> bool:
        apart = sorted(self.alone) == sorted(self.letters) and not self.joint
        return len(self.models) == 1 and (apart or (not self.alone and len(self.joint) == 1))

    def orders(self) -> list[Sequence[str]]:
        return [self.alone] if self.alone else list(itertools.permutations(self.letters))

    def moved(self, order: Sequence[str], wide: bool) -> tuple[float, float] | None:
        """The slope of the loss with the scale of a function, by the gradient and by differences."""
        costs = []
        for scale in (1.0, 1.0 + 1e-4, 1.0 - 1e-4):
            model = _Function(0, len(order))
            model.scale.data.fill_(scale)
            found = self.loss(0, order, wide, model)
            if found is None or not found.requires_grad:
                return None
            costs.append((float(found.detach()), torch.autograd.grad(found, model.scale, allow_unused=True)[0]))
        slope = costs[0][1]
        return None if slope is None else (float(slope), (costs[1][0] - costs[2][0]) / 2e-4)

    def loss(self, seed: int, order: Sequence[str], wide: bool, model: _Function) -> Tensor | None:
        """The loss of a function at random points; None if it is called in another way."""
        columns, others = self.drawn(seed, order)
        points = {each: column.unsqueeze(1).clone() for each, column in columns.items()}
        given: dict[str, Any] = {self.models[0]: model, **{n: o.unsqueeze(1) if wide else o for n, o in others.items()}}
        given |= points if self.alone else {self.joint[0]: torch.cat(list(points.values()), 1)}
        try:
            return loss_of(self.subject.build()(*(given[name] for name in self.required)))[0].double().mean()
        except Exception:  # noqa: BLE001 - it takes its points in another way
            return None

    def drawn(self, seed: int, order: Sequence[str]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The coordinates of points, and the further terms of the equation there."""
        generator = torch.Generator().manual_seed(seed)
        columns = {each: 2 * torch.rand(_POINTS, generator=generator, dtype=torch.float64) - 1 for each in order}
        return columns, {name: torch.randn(_POINTS, generator=generator, dtype=torch.float64) for name in self.others}

    def pair(self, seed: int, order: Sequence[str], wide: bool) -> tuple[float, Tensor] | None:
        """The loss of a function, and the residuals of the documented equation."""
        model = _Function(seed, len(order))
        found = self.loss(seed, order, wide, model)
        if found is None:
            return None
        columns, others = self.drawn(seed, order)
        leaves = {each: column.clone().requires_grad_() for each, column in columns.items()}
        u = model(*leaves.values()).squeeze(-1) if len(order) > 1 else model(leaves[order[0]].unsqueeze(1)).squeeze(-1)

        def known(name: str) -> Any:
            slope = _SLOPE.fullmatch(name)
            if slope:
                return _slopes(u, slope[1], leaves)
            if name == "u" or name in leaves or name in others:
                return u if name == "u" else leaves.get(name, others.get(name))
            number = {"pi": math.pi}.get(name, self.numbers.get(name))
            if not isinstance(number, (int, float)):
                raise KeyError(name)
            return float(number)

        return float(found.detach()), torch.as_tensor(_evaluated(self.equation, known)).detach()


@kind(r"residual|pinn|physics", code=r"autograd\.grad")
def documented_equation(subject: Subject) -> Iterator[Found]:
    """Whether the loss measures the residual of the equation in its documentation."""
    if not subject.spec.way.inside:
        return
    said = text_of(subject.build(), subject.origin.name).said
    equation = equation_of(said) if len(re.findall(r"\bu_[xyzt]+[^=\n]*=", said)) == 1 else None
    if equation is None:
        return
    call = _Call(subject, equation)
    if not call.understood or re.search(r"boundary|initial condition|\bbc\b|\bic\b|data term|causal|weighted", said):
        return
    tried = []
    for order, wide in itertools.product(call.orders(), (False, True) if call.others else (False,)):
        try:
            pairs = [call.pair(seed, order, wide) for seed in range(3)]
        except (KeyError, RuntimeError, TypeError):
            return
        if None in pairs or any(not math.isfinite(each[0]) for each in pairs if each):
            continue
        tried.append(pairs)
        for power, root in ((2.0, 1.0), (1.0, 1.0), (2.0, 0.5)):
            ratios = [each[0] / max(float(each[1].abs().pow(power).mean()) ** root, 1e-12) for each in pairs if each]
            if max(ratios) - min(ratios) < 2e-3 * abs(max(ratios)) and max(ratios) > 0:
                yield from _held(call.moved(order, wide))
                return
    if tried:
        found = tried[0][0]
        assert found is not None
        yield Found(
            f"for a polynomial it is not the residual of the documented equation, {ast.unparse(equation)} = 0",
            {"value": found[0], "mean squared residual": float(found[1].square().mean())},
            "",
            None,
            "Take each derivative of the output by itself: grad(u_x, x)[:, 0], not grad(u_x + u_y, x).",
        )


def _held(slopes: tuple[float, float] | None) -> Iterator[Found]:
    """A part of the residual that the gradient holds constant."""
    if slopes is not None and not math.isclose(*slopes, rel_tol=1e-2, abs_tol=1e-6):
        yield Found(
            "the value is that of the documented equation, but the gradient is not: a part of the residual is held "
            "constant",
            {"by the gradient": slopes[0], "by differences": slopes[1]},
            "",
            None,
            "Leave out detach(), and keep create_graph=True for every derivative.",
        )
