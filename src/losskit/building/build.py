"""build: a loss from a line of text or from a config, for command lines and settings files.

The text is parsed and walked, never evaluated: names, numbers, options, + - * / and parentheses are its whole grammar.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload

import torch
from torch import nn

from losskit.building.references import Reference, make
from losskit.core.algebra import WeightedSum
from losskit.core.catalogue import find, short_name
from losskit.core.domains import quoted
from losskit.core.loss import Loss
from losskit.core.operands import as_loss

M = TypeVar("M", bound=nn.Module)
T = TypeVar("T")
Value = Any  # of an option: numbers, strings, True, False, None and lists of them

_REFERENCE = re.compile(
    r"""(?: (?P<quoted> "[^"]+\.py" | '[^']+\.py' )
          | (?P<place> (?:[A-Za-z]:)? [\w.~/\\] [\w.~/\\-]{0,255}? \.py | [A-Za-z_][\w.]{0,255} ) )
        : (?P<name> [A-Za-z_]\w{0,255} (?:\.[A-Za-z_]\w*)* )
      | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*'   # strings, which hold no references""",
    re.VERBOSE,
)
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_WORDS = {"true": "True", "false": "False", "none": "None", "null": "None", "yes": "True", "no": "False"}


@overload
def build(loss: M, *, references: bool = False) -> M: ...  # type: ignore[overload-overlap]
@overload
def build(loss: str | Mapping[str, Any] | Callable[..., Any], *, references: bool = False) -> Loss: ...
def build(loss: Any, *, references: bool = False) -> nn.Module:
    """Build a loss from text or from a config; a loss or a module is returned as it is.

    Text names losses by class, function or short name, with options, and adds and scales them::

        losskit.build("dice + 0.5 * focal(gamma=2)")

    With `references=True` text also names a class or a function in a file or a module. Building it imports and runs
    that code, so pass it only for text that you trust as you trust code::

        losskit.build("bce + my_losses.py:my_dice(smooth=0.5)", references=True)
        losskit.build("torch.nn:HuberLoss(delta=2.0) / 2", references=True)

    A config is a mapping, as JSON, YAML or TOML give it. It names a loss and its options, or a sum::

        {"loss": "dice", "smooth": 1.0}
        {"dice": {"smooth": 1.0}}                                   # the same
        {"sum": [{"loss": "dice"}, {"weight": 0.5, "loss": "focal", "gamma": 2}]}

    A config accepts text wherever it accepts a loss: `{"sum": ["dice", "0.5 * focal"]}`. Raises a ValueError that
    points at the place for anything that does not describe a loss, and for text of more than 10 000 characters.
    """
    if isinstance(loss, nn.Module):
        return loss
    if isinstance(loss, str):
        return _Text(loss, references).loss()
    if isinstance(loss, Mapping):
        return _from_config(loss, "", references)
    if isinstance(loss, type) and issubclass(loss, nn.Module):
        raise TypeError(f"build takes a loss; got the class {loss.__name__}. Pass {loss.__name__}().")
    if callable(loss):
        return as_loss(loss)
    advice = ' For a sum pass {"sum": [...]}.' if isinstance(loss, Sequence) else ""
    raise TypeError(f"build takes text, a config or a loss; got {quoted(loss)}.{advice}")


def split(text: str) -> list[str]:
    """The losses of a comma-separated list, each as its text: "dice, focal(gamma=2)" is two."""
    parsed = _Text(text)
    root = parsed.parse()
    if not isinstance(root, ast.Tuple):
        return [parsed.text]
    return [parsed.text[slice(*parsed.span(node))] for node in root.elts]


def reference_of(text: str) -> Reference | None:
    """The reference that is the whole text, such as `my_losses.py:my_dice`; None for any other text."""
    parsed = _Text(text)
    whole = parsed.references.get(0)
    return whole if whole and set(parsed.code) == {"_"} else None


class _Text:
    """One line of text, parsed; errors point at places in it."""

    def __init__(self, text: str, may_refer: bool = False) -> None:
        if len(text) > _LONGEST:
            raise ValueError(f"This text has {len(text)} characters, and a loss is written in at most {_LONGEST}.")
        self.may_refer = may_refer  # whether references may be imported, which runs their code
        self.text = re.sub(r"\s", " ", text.strip())
        self.references: dict[int, Reference] = {}  # by position
        self.code = _REFERENCE.sub(self._mark, self.text)
        self.bytes = None if self.code.isascii() else self.code.encode()

    def _mark(self, match: re.Match[str]) -> str:
        """Replace a reference by a name of the same length, which preserves positions."""
        if match["name"] is None:
            return match[0]
        place = match["place"] or match["quoted"][1:-1]
        self.references[match.start()] = Reference(place, match["name"])
        return "_" * len(match[0])

    def parse(self) -> ast.expr:
        if not self.text:
            raise ValueError('There is no loss in an empty text. Write one as in "dice + 0.5 * focal(gamma=2)".')
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python's warnings about the text as code
                return ast.parse(self.code, mode="eval").body
        except SyntaxError as error:
            said = "" if error.msg.startswith("invalid syntax") else f" ({error.msg})"
            start = min((error.offset or 1) - 1, len(self.text))
            raise self.error((start, start + 1), f"This is not written as a loss{said}. {_GRAMMAR}") from error
        except (MemoryError, RecursionError) as error:
            raise ValueError(f"This text is no loss: {_TOO_DEEP}.") from error
        except ValueError as error:
            raise ValueError(f"This text is no loss: {error}.") from error

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Where a node begins and ends, in characters."""
        start, end = getattr(node, "col_offset", 0), getattr(node, "end_col_offset", None)
        if self.bytes is None:
            return start, len(self.code) if end is None else end
        return len(self.bytes[:start].decode()), len(self.bytes[:end].decode())  # ast counts bytes

    def error(self, place: ast.AST | tuple[int, int], message: str) -> ValueError:
        """An error with this message that marks this place in the text."""
        start, end = place if isinstance(place, tuple) else self.span(place)
        if (start, end) == (0, len(self.text)):
            return ValueError(message)  # the whole text is the place
        first = max(0, start - _WIDEST // 2)
        shown = self.text[first : first + _WIDEST]
        marks = "^" * min(max(end - start, 1), _WIDEST - (start - first))
        return ValueError(f"{message}\n  {shown}\n  {' ' * (start - first)}{marks}")

    def loss(self) -> Loss:
        root = self.parse()
        if isinstance(root, ast.Tuple):
            raise self.error(root, "These are several losses, separated by commas; build makes one. Add them with +.")
        try:
            result = self.evaluate(root)
        except RecursionError as error:
            raise ValueError(f"This text is no loss: {_TOO_DEEP}.") from error
        if not isinstance(result, Loss):
            raise self.error(root, "A number is no loss. Name one to multiply by it, as in 0.5 * dice.")
        return result

    def named(self, options: Mapping[str, Value]) -> Loss:
        """The loss that this text names, with the options of a config."""
        root = self.parse()
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
            place, _, name = self.text[slice(*self.span(node))].rpartition(".")
            raise self.error(node, f"What is in a module is written with a colon: {place}:{name}.")
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            raise self.error(node, "A loss is named without quotes.")
        raise self.error(node, f"This is not part of a loss. {_GRAMMAR}")

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
        outside = self.span(node.func)[0] in self.references
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
        given = self.text[slice(*self.span(argument))]
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
        reference = self.references.get(self.span(head)[0])
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
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tensor":
            return self._tensor(node)
        if isinstance(node, ast.Name) and not self._names_loss(node, losses):
            meant = _WORDS.get(node.id.lower())
            raise self.error(node, f"Write {meant}." if meant else f"A word as a value is quoted: '{node.id}'.")
        result = self.evaluate(node) if isinstance(node, _EVALUATED) else None
        if result is None or (isinstance(result, Loss) and not losses):
            raise self.error(node, "An option takes a number, a quoted word, True, False, None, or a list of them.")
        return result

    def _names_loss(self, node: ast.Name, losses: bool) -> bool:
        if not losses or self.span(node)[0] in self.references:
            return losses
        try:
            return bool(find(node.id))
        except ValueError:
            return False

    def _tensor(self, node: ast.Call) -> torch.Tensor:
        if len(node.args) != 1 or node.keywords:
            raise self.error(node, "A tensor is written tensor([1.0, 2.0]).")
        try:
            return torch.tensor(self.value(node.args[0], losses=False))
        except (TypeError, ValueError, RuntimeError) as error:
            raise self.error(node, f"This is not a tensor: {error}.") from error


_WIDEST = 100  # characters of the text in a message
_REFUSED = "refers to code, which this would run. If you trust the text as you trust code, pass references=True."
_LONGEST = 10_000  # characters of a text
_TOO_DEEP = "it is nested too deeply"
_EVALUATED = (ast.BinOp, ast.UnaryOp, ast.Name, ast.Call)
_GRAMMAR = 'Write names, numbers, + - * / and parentheses, as in "dice + 0.5 * focal(gamma=2)".'


def _from_config(config: Any, place: str, references: bool) -> Loss:
    """The loss of one node of a config; `place` is its path, such as `sum[1]`."""
    if isinstance(config, (nn.Module, str)) or (callable(config) and not isinstance(config, (type, Mapping))):
        return as_loss(_located(place, lambda: build(config, references=references)))
    if not isinstance(config, Mapping):
        raise ValueError(f"{place or 'config'}: expected text or a mapping; got {quoted(config)}. {_FORMS}")
    if not config:
        raise ValueError(f"{place or 'config'}: expected a loss; the mapping is empty. {_FORMS}")
    rest = dict(config)
    if "sum" in rest or "loss" in rest:
        weight = _weight(rest.pop("weight", 1), place)
        loss = _sum(rest, place, references) if "sum" in rest else _one(rest.pop("loss"), rest, place, references)
        return loss if weight == 1 else weight * loss
    if len(rest) > 1:
        known = " and ".join(map(quoted, list(rest)[:8]))
        raise ValueError(f"{place or 'config'}: {known} do not say which loss this is. {_FORMS}")
    ((name, options),) = rest.items()
    if options is not None and not isinstance(options, Mapping):
        said = f"{quoted(name)} takes a mapping of its options; got {quoted(options)}"
        raise ValueError(f"{place or 'config'}: {said}. {_FORMS}")
    return _one(name, dict(options or {}), place, references)


def _sum(config: dict[str, Any], place: str, references: bool) -> Loss:
    items = config.pop("sum")
    if config:
        name = quoted(next(iter(config)))
        raise ValueError(f"{place or 'config'}: a sum has no {name}; options belong to its losses.")
    if isinstance(items, (str, Mapping)) or not isinstance(items, Sequence) or not items:
        raise ValueError(f"{place or 'config'}: sum takes a list of losses; got {quoted(items)}. {_FORMS}")
    terms = [
        (1.0, _from_config(item, f"{place}{'.' if place else ''}sum[{i}]", references)) for i, item in enumerate(items)
    ]
    return _located(place, lambda: WeightedSum(list(terms)))


def _one(name: Any, options: dict[str, Any], place: str, references: bool) -> Loss:
    if not options:
        return _from_config(name, place, references)
    if not isinstance(name, str):
        raise ValueError(
            f"{place or 'config'}: the options {', '.join(options)} need the name of a loss; got {quoted(name)}."
        )
    text = [key for key, value in options.items() if isinstance(value, str) and _is_number(value)][:1]
    advice = "".join(f" {quoted(key)} is text here: YAML needs the point in 1.0e-3." for key in text)
    return _located(place, lambda: _Text(name, references).named(options), advice)


def _weight(weight: Any, place: str) -> float:
    if isinstance(weight, bool) or not isinstance(weight, (int, float)):
        advice = "YAML needs the point in 1.0e-3" if isinstance(weight, str) else "per-class weights are class_weight"
        raise ValueError(
            f"{place or 'config'}: weight multiplies the loss, so it is one number; got {quoted(weight)}. ({advice}.)"
        )
    return weight


def _located(place: str, make_loss: Callable[[], T], advice: str = "") -> T:
    try:
        return make_loss()
    except (TypeError, ValueError) as error:
        said, *lines = str(error).split("\n")
        raise ValueError("\n".join([f"{place}: {said}{advice}" if place else f"{said}{advice}", *lines])) from error


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


_FORMS = 'Write {"loss": "dice", "smooth": 1.0}, {"dice": {"smooth": 1.0}} or {"sum": [...]}.'
