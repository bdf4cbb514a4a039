"""Read the data file of clients and sentinels, and match one row of it.

The file is data so that a new client version is a reviewed line and not a change of code. This module knows how a
row is compared with a request; which rows are asked, and in which order, is `structure`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import resources
from typing import Literal, TypeAlias

import msgspec

from lanewise.journey import Housekeeping, Request, Skill, TurnKind, Value

Where: TypeAlias = Literal["header", "system", "first_user", "last_user", "shape"]
"""The text a row looks at; `shape` looks at no text."""


class Sign(Value, frozen=True, kw_only=True):
    """One condition on one text; all of its parts that are set must hold."""

    where: Where
    header: str = ""
    """Header name in lower case, for ``where = "header"``."""
    opening: str = ""
    exact: str = ""
    contains: str = ""
    pattern: str = ""
    """A regular expression searched in the text."""


class Sentinel(Sign, frozen=True, kw_only=True):
    """A call that a harness makes on its own, and the turn it is."""

    name: str
    no_tools: bool = False
    max_tokens_at_most: int | None = None
    messages_at_most: int | None = None
    schema_key: str = ""
    without_header: str = ""
    """This header must not contain `without_contains`."""
    without_contains: str = ""
    kind: TurnKind = "housekeeping"
    housekeeping: Housekeeping | None = None
    skill: Skill | None = None
    """Set where the sentinel says what the work is about."""


class Client(Value, frozen=True, kw_only=True):
    """One section of the data file."""

    name: str
    seen: str
    signs: tuple[Sign, ...] = ()
    headless: tuple[Sign, ...] = ()
    turns: tuple[Sentinel, ...] = ()


class SentinelFile(Value, frozen=True, kw_only=True):
    """The whole data file."""

    version: str
    clients: tuple[Client, ...]


class View(Value, frozen=True, kw_only=True):
    """The texts of one request that rows are compared with, prepared once."""

    request: Request
    headers: dict[str, str]
    """First value of each header."""
    system: tuple[str, ...]
    """System texts without leading white space and without the client's billing block."""
    system_holds: frozenset[int]
    """Identities of the signs that hold for one of them. They repeat at every step of an agent: see `Structure`."""
    first_user: str
    last_user: str
    """What the user wrote last, harness text removed; empty where a tool result or nothing came last."""


_BILLING = "x-anthropic-billing-header"
"""Claude Code's first system block: attribution for the provider, no instruction."""


def load() -> SentinelFile:
    """The data file that ships with the package.

    Raises:
        msgspec.ValidationError: if the file does not have the shape above; a test keeps that from being released.
    """
    text = resources.files(__package__).joinpath("sentinels.toml").read_bytes()
    return msgspec.toml.decode(text, type=SentinelFile)


def view_of(request: Request, *, first_user: str, last_user: str, matching: Callable[[str], frozenset[int]]) -> View:
    """Prepare `request` for matching; `matching` tells which system signs hold for a text."""
    headers: dict[str, str] = {}
    for name, value in request.headers:
        headers.setdefault(name, value)
    system = tuple(text.lstrip() for text in request.system if _BILLING not in text[:64])
    return View(
        request=request,
        headers=headers,
        system=system,
        system_holds=frozenset().union(*map(matching, system)),
        first_user=first_user,
        last_user=last_user,
    )


def holds(sign: Sign, view: View) -> bool:
    """Whether `sign` holds for the request behind `view`."""
    match sign.where:
        case "system":
            return id(sign) in view.system_holds
        case "header":
            value = view.headers.get(sign.header)
            return value is not None and text_holds(sign, value)
        case "last_user":
            return bool(view.last_user) and text_holds(sign, view.last_user)
        case "first_user":
            return bool(view.first_user) and text_holds(sign, view.first_user)
        case "shape":
            return True


def fits(row: Sentinel, view: View) -> bool:
    """Whether the request's shape and texts satisfy every condition of `row`."""
    if row.where == "system" and id(row) not in view.system_holds:
        return False
    request = view.request
    if row.no_tools and request.tool_names:
        return False
    if row.max_tokens_at_most is not None and not 0 < (request.max_tokens or 0) <= row.max_tokens_at_most:
        return False
    if row.messages_at_most is not None and request.message_count > row.messages_at_most:
        return False
    if row.schema_key and row.schema_key not in request.output_schema_keys:
        return False
    if row.without_header and row.without_contains in view.headers.get(row.without_header, ""):
        return False
    return holds(row, view)


def text_holds(sign: Sign, text: str) -> bool:
    """Whether all parts of `sign` that are set hold for `text`."""
    if sign.opening and not text.startswith(sign.opening):
        return False
    if sign.exact and text != sign.exact:
        return False
    if sign.contains and sign.contains not in text:
        return False
    # `re` keeps its own cache of compiled patterns; the file holds a few dozen.
    return not sign.pattern or re.search(sign.pattern, text) is not None
