"""How a bug of ours is told where the answer comes first: loudly, and without a word of anybody's prompt."""

from __future__ import annotations

import logging
import traceback

log = logging.getLogger("lanewise")


def tell(what: str, error: Exception) -> None:
    """Log a bug of ours. The message of a stranger's exception may quote the prompt; its type and place do not.

    Args:
        what: A constant of ours with one ``%s``, for the exception's type.
        error: The bug.
    """
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error(f"{what}\n%s", type(error).__name__, where)  # noqa: G004 - `what` is a constant of ours
