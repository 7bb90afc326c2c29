"""The loss of a parsed line: its nodes are walked, never run. Names, numbers, options and + - * / are the grammar."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch

from losskit.building.references import make
from losskit.building.text import GRAMMAR, TOO_DEEP, Text
from losskit.core.algebra import WeightedSum
from losskit.core.catalogue import find, short_name
from losskit.core.domains import quoted
from losskit.core.loss import Loss

Value = Any  # of an option: numbers, strings, True, False, None and lists of them

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_WORDS = {"true": "True", "false": "False", "none": "None", "null": "None", "yes": "True", "no": "False"}
_REFUSED = "refers to code, which this would run. If you trust the text as you trust code, pass references=True."
_EVALUATED = (ast.BinOp, ast.UnaryOp, ast.Name, ast.Call)


class Evaluation:
    """The loss that one line of text describes."""

    def __init__(self, text: str, may_refer: bool = False) -> None:
        self.line = Text(text)
        self.error = self.line.error
        self.may_refer = may_refer  # whether references may be imported, which runs their code

    def loss(self) -> Loss:
        root = self.line.parse()
        if isinstance(root, ast.Tuple):
            raise self.error(root, "These are several losses, separated by commas; build makes one. Add them with +.")
        try:
            result = self.evaluate(root)
        except RecursionError as error:
            raise ValueError(f"This text is no loss: {TOO_DEEP}.") from error
        if not isinstance(result, Loss):
            raise self.error(root, "A number is no loss. Name one to multiply by it, as in 0.5 * dice.")
        return result

    def named(self, options: Mapping[str, Value]) -> Loss:
        """The loss that this text names, with the options of a config."""
        root = self.line.parse()
        if not isinstance(root, ast.Name):
            names = ", ".join(options)
            raise self.error(root, f"The options {names} belong to one loss, so the text is its name alone.")
        return self.construct(root, [], options, {})

    def evaluate(self, node: ast.expr) -> Loss | float:
        """A sum, a product, a number or a loss."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            return self._summed(node)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return self._combined(node, self.evaluate(node.left), self.evaluate(node.right))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
            inner = self.evaluate(node.operand)
            return inner if isinstance(node.op, ast.UAdd) else -inner
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
            return node.value
        if isinstance(node, ast.Name):
            return self.construct(node, [], {}, {})
        if isinstance(node, ast.Call):
            return self._called(node)
        if isinstance(node, ast.Attribute):
            place, _, name = self.line.of(node).rpartition(".")
            raise self.error(node, f"What is in a module is written with a colon: {place}:{name}.")
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            raise self.error(node, "A loss is named without quotes.")
        raise self.error(node, f"This is not part of a loss. {GRAMMAR}")

    def _summed(self, node: ast.BinOp) -> Loss | float:
        """A chain of sums at once: adding one by one copies the sum for every part."""
        chain: list[ast.BinOp] = []
        first: ast.expr = node
        while isinstance(first, ast.BinOp) and isinstance(first.op, (ast.Add, ast.Sub)):
            chain.append(first)
            first = first.left
        result = self.evaluate(first)
        terms: list[tuple[float, Any]] = [(1.0, result)]
        for each in reversed(chain):
            right = self.evaluate(each.right)
            if isinstance(result, Loss) and isinstance(right, Loss):
                terms.append((1.0 if isinstance(each.op, ast.Add) else -1.0, right))
            else:
                result = self._combined(each, result, right)
                terms = [(1.0, result)]
        try:
            return result if len(terms) == 1 else WeightedSum(terms)
        except (TypeError, ValueError, OverflowError) as error:
            raise self.error(node, str(error)) from error

    def _combined(self, node: ast.BinOp, left: Loss | float, right: Loss | float) -> Loss | float:
        if isinstance(node.op, ast.Div) and isinstance(right, Loss):
            raise self.error(node.right, "Losses are divided by numbers, and this is a loss.")
        if isinstance(node.op, (ast.Add, ast.Sub)) and isinstance(left, Loss) != isinstance(right, Loss):
            number = node.right if isinstance(left, Loss) else node.left
            raise self.error(
                number, "A number added to a loss changes no gradient; multiply the loss by it, or leave it out."
            )
        try:
            result: Loss | float = _OPERATORS[type(node.op)](left, right)
        except ZeroDivisionError as error:
            raise self.error(node.right, "A loss cannot be divided by zero.") from error
        except (TypeError, ValueError, OverflowError) as error:
            raise self.error(node, str(error)) from error
        return result

    def _called(self, node: ast.Call) -> Loss:
        if not isinstance(node.func, ast.Name):
            if isinstance(node.func, ast.Attribute):
                self.evaluate(node.func)  # raises the error that says how to write it
            raise self.error(node.func, "Options follow a name: dice(smooth=1.0). A product is written with *.")
        outside = self.line.reference(node.func) is not None
        if node.args and not outside:
            raise self._unnamed(node.func, node.args[0])
        arguments = [self.value(argument, losses=True) for argument in node.args]
        options, places = {}, {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise self.error(keyword.value, "Options are written one by one, as name=value.")
            if keyword.arg in options:
                raise self.error(keyword, f"{keyword.arg} is given twice.")
            options[keyword.arg] = self.value(keyword.value, losses=outside)
            places[keyword.arg] = keyword
        return self.construct(node.func, arguments, options, places)

    def _unnamed(self, head: ast.Name, argument: ast.expr) -> ValueError:
        cls = self._find(head)
        given = self.line.of(argument)
        first = next(iter(cls.options))
        return self.error(argument, f"{cls.__name__} takes its options by name: {short_name(cls)}({first}={given}).")

    def _find(self, head: ast.Name) -> type[Loss]:
        try:
            return find(head.id).loss
        except ValueError as error:
            raise self.error(head, str(error)) from error

    def construct(
        self,
        head: ast.Name,
        arguments: list[Value],
        options: Mapping[str, Value],
        places: Mapping[str, ast.keyword],
    ) -> Loss:
        """The loss of this name with these options; errors point at the option that they are about."""
        reference = self.line.reference(head)
        if reference and not self.may_refer:
            raise self.error(head, f"{quoted(str(reference))} {_REFUSED}")
        cls = None if reference else self._find(head)
        try:
            if reference is not None:
                return make(reference, arguments, options)
            assert cls is not None
            return cls(**options)
        except (TypeError, ValueError) as error:
            message = str(error)
            found = {name: re.search(rf"\b{re.escape(name)}\b", message) for name in places}
            spoken = [(match.start(), name) for name, match in found.items() if match]
            raise self.error(places[min(spoken)[1]] if spoken else head, message) from error

    def value(self, node: ast.expr, *, losses: bool) -> Value:
        """The value of an option; only the options of references may be losses."""
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float, str, type(None))):
            return node.value
        if isinstance(node, (ast.List, ast.Tuple)):
            items = [self.value(item, losses=losses) for item in node.elts]
            return items if isinstance(node, ast.List) else tuple(items)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("tensor", "torch.tensor", "torch.Tensor"):
            return self._tensor(node)
        if isinstance(node, ast.Name) and not self._names_loss(node, losses):
            meant = _WORDS.get(node.id.lower())
            raise self.error(node, f"Write {meant}." if meant else f"A word as a value is quoted: '{node.id}'.")
        result = self.evaluate(node) if isinstance(node, _EVALUATED) else None
        if result is None or (isinstance(result, Loss) and not losses):
            raise self.error(node, "An option takes a number, a quoted word, True, False, None, or a list of them.")
        return result

    def _names_loss(self, node: ast.Name, losses: bool) -> bool:
        if not losses or self.line.reference(node) is not None:
            return losses
        try:
            return bool(find(node.id))
        except ValueError:
            return False

    def _tensor(self, node: ast.Call) -> torch.Tensor:
        dtypes = [_dtype(each.value) for each in node.keywords if each.arg == "dtype"]
        if len(node.args) != 1 or len(node.keywords) != len(dtypes) or None in dtypes:
            raise self.error(node, "A tensor is written tensor([1.0, 2.0]).")
        floats = [torch.float32] if ast.unparse(node.func) == "torch.Tensor" else []
        try:
            return torch.tensor(self.value(node.args[0], losses=False), dtype=next(iter([*dtypes, *floats]), None))
        except (TypeError, ValueError, RuntimeError) as error:
            raise self.error(node, f"This is not a tensor: {error}.") from error


def _dtype(node: ast.expr) -> torch.dtype | None:
    """A dtype as it is written in code, torch.float32; None if this is none."""
    place, _, name = ast.unparse(node).rpartition(".")
    found = getattr(torch, name, None) if place == "torch" else None
    return found if isinstance(found, torch.dtype) else None
