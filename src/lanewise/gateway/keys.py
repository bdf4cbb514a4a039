"""Who calls: keys of the config, and the wishes a caller states in `x-lanewise-*` headers. Knows no bodies."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import get_args

from lanewise.config import KeySettings, duration_s
from lanewise.errors import MalformedBody, Unauthorized
from lanewise.journey import Caller, Lane
from lanewise.upstream import credential_of
from lanewise.upstream.providers import CREDENTIAL_HEADERS

KEY_HEADER = "x-lanewise-key"
"""For callers that also send a provider credential of their own."""

Headers = Sequence[tuple[str, str]]


def caller_of(
    headers: Headers, keys: Mapping[str, KeySettings], now: dt.datetime
) -> tuple[Caller, list[tuple[str, str]]]:
    """The caller, and the headers without a Lanewise key that stood where a provider's would.

    Raises:
        Unauthorized: Keys are configured and none of them was sent.
        MalformedBody: A wish that cannot be read.
    """
    key_id, remaining = _authenticated(headers, keys)
    wishes = {name: value for name, value in remaining if name.startswith("x-lanewise-")}
    row = keys.get(key_id)
    deadline_s = _deadline_s(wishes.get("x-lanewise-deadline", ""), now)
    if deadline_s is None and row is not None:
        deadline_s = duration_s(row.deadline)
    tags = [tag.strip() for tag in wishes.get("x-lanewise-tags", "").split(",") if tag.strip()]
    caller = Caller(
        key_id=key_id,
        pin=wishes.get("x-lanewise-pin", ""),
        lane=_lane(wishes.get("x-lanewise-lane", "")),
        deadline_s=deadline_s,
        session=wishes.get("x-lanewise-session", ""),
        tags=(*(row.tags if row else ()), *tags),
        has_credential=bool(credential_of(remaining)),
    )
    return caller, remaining


def _authenticated(headers: Headers, keys: Mapping[str, KeySettings]) -> tuple[str, list[tuple[str, str]]]:
    if not keys:
        return "", list(headers)
    own = next((value for name, value in headers if name == KEY_HEADER), "")
    sent = own or credential_of(headers)
    digest = "sha256:" + hashlib.sha256(sent.encode()).hexdigest()
    found = ""
    for name, row in keys.items():  # all are compared, so that the time tells nothing
        if hmac.compare_digest(row.hash, digest):
            found = name
    if not sent or not found:
        raise Unauthorized(
            "this gateway needs a key and got none it knows",
            hint=f"send your Lanewise key as the API key of the client, or in {KEY_HEADER}",
        )
    dropped = {KEY_HEADER} if own else CREDENTIAL_HEADERS
    return found, [(name, value) for name, value in headers if name not in dropped]


def _lane(value: str) -> Lane | None:
    if not value:
        return None
    for lane in get_args(Lane):
        if value == lane:
            return lane  # type: ignore[no-any-return]  # get_args cannot say what it returns
    raise MalformedBody(f"x-lanewise-lane is {value!r}", hint=f"use one of {', '.join(get_args(Lane))}")


def _deadline_s(value: str, now: dt.datetime) -> float | None:
    """Seconds until a deadline given as a duration or an ISO time; a past one is zero."""
    if not value:
        return None
    seconds = duration_s(value)
    if seconds is not None:
        return seconds
    try:
        moment = dt.datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise MalformedBody(
            f"x-lanewise-deadline is {value!r}",
            hint="use a duration such as 8h or an ISO time with its zone, such as 2026-11-24T06:00:00Z",
        )
    return max(0.0, (moment - now).total_seconds())
