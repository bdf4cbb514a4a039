"""The conditions of `[[rules]]`: read, typed, and turned into one function of `Facts`.

```
condition  = both ("or" both)*
both       = negation ("and" negation)*
negation   = "not" negation | comparison
comparison = operand (("==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not" "in") operand)?
operand    = "(" condition ")" | "[" literal ("," literal)* "]" | literal | variable
literal    = 'text' | "text" | number | duration | "true" | "false"
```

No loops, no attributes, no calls, and never Python's own compiler. What is returned cannot raise: every type was
checked while reading, and comparisons with an absent value are false. Length and depth are bounded.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from lanewise.journey import Value
from lanewise.route.facts import VARIABLES, Facts, Kind
from lanewise.route.tokens import ExpressionError, Token, tokens

MAX_DEPTH = 50
"""Parentheses and negations inside each other; far from Python's own limit of recursion, beyond any reader's."""

MAX_DIGITS = 15
"""Digits that a float holds exactly."""

Condition: TypeAlias = Callable[[Facts], bool]

_Read: TypeAlias = Callable[[Facts], Any]
"""An operand's value. Any: text, number, flag or list, as its `_Operand.kind` says."""

_ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {  # Any: both sides are numbers by then
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_EQUAL: Final[dict[str, Callable[[Any, Any], bool]]] = {"==": operator.eq, "!=": operator.ne}  # Any: equal kinds
_COMPARE: Final = _ORDER | _EQUAL
_WORDS: Final = frozenset({"and", "or", "not", "in", "true", "false"})
_NUMBER: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kMsmhd]?)")
_SCALE: Final = {"": 1, "k": 1_000, "M": 1_000_000, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


class _Operand(Value, frozen=True, kw_only=True):
    kind: Kind
    read: _Read
    column: int
    item: Kind = "text"
    """Of a list: the kind of its elements."""
    constants: tuple[tuple[str, int], ...] = ()
    """Literal texts in it with their columns, to be checked against the choices of the other side."""
    choices: tuple[str, ...] = ()
    variable: str = ""
    unit: str = ""
    """`s` for seconds (a duration, a variable in seconds), `n` for a count with k or M, else empty."""


def compile_condition(source: str) -> Condition:
    """`source` as a function that says whether a call meets it.

    Raises:
        ExpressionError: It is not understood, or its types do not fit, with the column.
    """
    return _Parser(tokens(source)).condition_to_the_end()


class _Parser:
    """Recursive descent over the words; each method reads one line of the grammar."""

    def __init__(self, words: list[Token]) -> None:
        self._words = words
        self._at = 0
        self._depth = 0

    def condition_to_the_end(self) -> Condition:
        found = self._flag(self._either())
        if self._next.kind != "end":
            raise self._unexpected()
        return found

    @property
    def _next(self) -> Token:
        return self._words[self._at]

    def _take(self, *texts: str) -> Token | None:
        """The next word if it is one of these keywords or signs, which is then read."""
        word = self._next
        if word.kind not in {"name", "sign"} or word.text not in texts:
            return None
        self._at += 1
        return word

    def _unexpected(self) -> ExpressionError:
        word = self._next
        if word.text in _COMPARE or word.text == "in":
            return ExpressionError(
                f"a second comparison {word.told}", column=word.column, hint="join two comparisons with `and`"
            )
        meant = word.text.lower()
        hint = f"write `{meant}`" if meant in _WORDS else "join conditions with `and` or `or`"
        return ExpressionError(f"unexpected {word.told}", column=word.column, hint=hint)

    def _either(self) -> _Operand:
        return self._joined("or", self._both, any)

    def _both(self) -> _Operand:
        return self._joined("and", self._negation, all)

    def _joined(self, word: str, part: Callable[[], _Operand], fold: Callable[[list[bool]], bool]) -> _Operand:
        first = part()
        if self._next.kind != "name" or self._next.text != word:
            return first
        parts = [self._flag(first)]
        while self._take(word):
            parts.append(self._flag(part()))
        short = fold is all

        def read(facts: Facts) -> bool:
            for condition in parts:
                if condition(facts) is not short:
                    return not short
            return short

        return _Operand(kind="flag", read=read, column=first.column)

    def _negation(self) -> _Operand:
        word = self._take("not")
        if word is None:
            return self._comparison()
        self._deeper(word)
        inner = self._flag(self._negation())
        self._depth -= 1
        return _Operand(kind="flag", read=lambda facts: not inner(facts), column=word.column)

    def _comparison(self) -> _Operand:
        left = self._operand()
        if sign := self._take(*_COMPARE):
            return _compared(left, sign, self._operand())
        if sign := self._take("in"):
            return _contained(left, sign, self._operand(), wanted=True)
        if (sign := self._take("not")) is not None:
            if not self._take("in"):
                raise ExpressionError("`not` stands between two values", column=sign.column, hint="write `not in`")
            return _contained(left, sign, self._operand(), wanted=False)
        return left

    def _operand(self) -> _Operand:
        word = self._next
        if word.text == "(" and word.kind == "sign":
            self._at += 1
            self._deeper(word)
            inner = self._either()
            self._depth -= 1
            if not self._take(")"):
                raise ExpressionError("a `(` is not closed", column=word.column, hint="add `)`")
            return inner
        if word.text == "[" and word.kind == "sign":
            self._at += 1
            return self._list(word)
        if word.kind == "name" and word.text not in _WORDS:
            self._at += 1
            return _variable(word)
        return self._literal()

    def _literal(self) -> _Operand:
        word = self._next
        value: Any  # text, number or flag
        kind: Kind
        unit = ""
        if word.kind == "text":
            kind, value = "text", word.text
        elif word.kind == "number":
            kind, (value, unit) = "number", _number(word)
        elif word.kind == "name" and word.text in {"true", "false"}:
            kind, value = "flag", word.text == "true"
        else:
            raise ExpressionError(f"a value is missing before {word.told}", column=word.column)
        self._at += 1
        constants = ((word.text, word.column),) if kind == "text" else ()
        return _Operand(kind=kind, read=lambda _: value, column=word.column, constants=constants, unit=unit)

    def _list(self, opening: Token) -> _Operand:
        items = [self._literal()]
        while self._take(","):
            items.append(self._literal())
        if not self._take("]"):
            raise ExpressionError("a `[` is not closed", column=opening.column, hint="add `]`")
        for item in items:
            if item.kind != items[0].kind:
                raise ExpressionError(f"a {item.kind} in a list of {items[0].kind}s", column=item.column)
        values = frozenset(item.read(None) for item in items)  # type: ignore[arg-type]  # literals read no facts
        return _Operand(
            kind="list",
            item=items[0].kind,
            read=lambda _: values,
            column=opening.column,
            constants=tuple(pair for item in items for pair in item.constants),
            unit=next((item.unit for item in items if item.unit), ""),
        )

    def _deeper(self, word: Token) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"nested deeper than {MAX_DEPTH}", column=word.column)

    def _flag(self, operand: _Operand) -> Condition:
        if operand.kind != "flag":
            name = f"`{operand.variable}`" if operand.variable else "this"
            raise ExpressionError(
                f"{name} is a {operand.kind}, not a condition", column=operand.column, hint="compare it with a value"
            )
        return operand.read


def _number(word: Token) -> tuple[float, str]:
    match = _NUMBER.fullmatch(word.text)
    if match is None:
        raise ExpressionError(
            f"{word.told} is no number", column=word.column, hint="write 500, 0.5, 8k, 1M, or a duration such as 8h"
        )
    if len(match[1]) > MAX_DIGITS:
        raise ExpressionError(f"a number of more than {MAX_DIGITS} digits", column=word.column)
    suffix = match[2]
    return float(match[1]) * _SCALE[suffix], "" if not suffix else "n" if suffix in "kM" else "s"


def _variable(word: Token) -> _Operand:
    found = VARIABLES.get(word.text)
    if found is None:
        close = difflib.get_close_matches(word.text[:40], list(VARIABLES), n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"texts stand in quotes; variables: {', '.join(VARIABLES)}"
        raise ExpressionError(f"unknown variable {word.told}", column=word.column, hint=hint)
    unit = "s" if found.seconds else "n" if found.kind == "number" else ""
    return _Operand(
        kind=found.kind,
        read=operator.attrgetter(word.text),
        column=word.column,
        choices=found.choices,
        variable=word.text,
        unit=unit,
    )


def _compared(left: _Operand, sign: Token, right: _Operand) -> _Operand:
    if left.kind != right.kind:
        raise ExpressionError(f"a {left.kind} is compared with a {right.kind}", column=right.column)
    if left.kind == "list":
        raise ExpressionError("lists cannot be compared", column=sign.column, hint="write `'value' in list`")
    if sign.text in _ORDER and left.kind != "number":
        raise ExpressionError(f"{sign.told} compares numbers, not a {left.kind}", column=sign.column)
    _check(left, right)
    compare, one, other = _COMPARE[sign.text], left.read, right.read

    def read(facts: Facts) -> bool:
        a, b = one(facts), other(facts)
        return a is not None and b is not None and compare(a, b)

    return _Operand(kind="flag", read=read, column=left.column)


def _contained(left: _Operand, sign: Token, right: _Operand, *, wanted: bool) -> _Operand:
    if right.kind != "list":
        raise ExpressionError(
            "`in` needs a list on its right", column=right.column, hint="write ['a', 'b'], or compare with `==`"
        )
    if left.kind != right.item:
        raise ExpressionError(f"a {left.kind} is looked for in a list of {right.item}s", column=sign.column)
    _check(left, right)
    one, among = left.read, right.read

    def read(facts: Facts) -> bool:
        value = one(facts)
        return value is not None and (value in among(facts)) is wanted

    return _Operand(kind="flag", read=read, column=left.column)


def _check(left: _Operand, right: _Operand) -> None:
    """Texts that the other side can never be, and durations beside counts."""
    for side, other in ((left, right), (right, left)):
        for text, column in other.constants:
            if side.choices and text not in side.choices:
                close = difflib.get_close_matches(text[:40], side.choices, n=1)
                hint = f"did you mean '{close[0]}'?" if close else f"use one of {', '.join(filter(None, side.choices))}"
                raise ExpressionError(f"`{side.variable}` is never {text[:40]!r}", column=column, hint=hint)
    if {left.unit, right.unit} == {"s", "n"}:
        raise ExpressionError(
            "a duration is compared with a count", column=right.column, hint="k and M count, s, m, h and d are times"
        )
