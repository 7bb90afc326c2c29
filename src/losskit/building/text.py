"""One line of text that describes a loss, parsed; errors point at places in it."""

from __future__ import annotations

import ast
import re
import warnings

from losskit.building.references import Reference

_REFERENCE = re.compile(
    r"""(?: (?P<quoted> "[^"]+\.py" | '[^']+\.py' )
          | (?P<place> (?:[A-Za-z]:)? [\w.~/\\] [\w.~/\\-]{0,255}? \.py | [A-Za-z_][\w.]{0,255} ) )
        : (?P<name> [A-Za-z_]\w{0,255} (?:\.[A-Za-z_]\w*)* )
      | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*'   # strings, which hold no references""",
    re.VERBOSE,
)
_WIDEST = 100  # characters of the text in a message
_LONGEST = 10_000  # characters of a text
TOO_DEEP = "it is nested too deeply"
GRAMMAR = 'Write names, numbers, + - * / and parentheses, as in "dice + 0.5 * focal(gamma=2)".'


class Text:
    """One line of text, parsed; errors point at places in it."""

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise ValueError(f"This text has {len(text)} characters, and a loss is written in at most {_LONGEST}.")
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
            raise self.error((start, start + 1), f"This is not written as a loss{said}. {GRAMMAR}") from error
        except (MemoryError, RecursionError) as error:
            raise ValueError(f"This text is no loss: {TOO_DEEP}.") from error
        except ValueError as error:
            raise ValueError(f"This text is no loss: {error}.") from error

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Where a node begins and ends, in characters."""
        start, end = getattr(node, "col_offset", 0), getattr(node, "end_col_offset", None)
        if self.bytes is None:
            return start, len(self.code) if end is None else end
        return len(self.bytes[:start].decode()), len(self.bytes[:end].decode())  # ast counts bytes

    def of(self, node: ast.AST) -> str:
        """The characters of a node."""
        return self.text[slice(*self.span(node))]

    def reference(self, node: ast.AST) -> Reference | None:
        """What a name refers to, if it stands for a reference."""
        return self.references.get(self.span(node)[0])

    def error(self, place: ast.AST | tuple[int, int], message: str) -> ValueError:
        """An error with this message that marks this place in the text."""
        start, end = place if isinstance(place, tuple) else self.span(place)
        if (start, end) == (0, len(self.text)):
            return ValueError(message)  # the whole text is the place
        first = max(0, start - _WIDEST // 2)
        shown = self.text[first : first + _WIDEST]
        marks = "^" * min(max(end - start, 1), _WIDEST - (start - first))
        return ValueError(f"{message}\n  {shown}\n  {' ' * (start - first)}{marks}")
