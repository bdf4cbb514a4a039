"""What "passed on untouched" means: which requests are compared, and which headers."""

from __future__ import annotations

from collections.abc import Mapping

from doubles import Recorded, ScriptedUpstream, Tee

# Between two neighbours on the way, or written anew by whoever sends the request on.
_HOP_BY_HOP = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding"),
    *("upgrade", "host", "content-length", "accept-encoding"),
}


def end_to_end(request: Recorded) -> Mapping[str, str]:
    """The headers that are meant for the provider, by lower-case name."""
    return {name.lower(): request.header(name) for name, _ in request.headers if name.lower() not in _HOP_BY_HOP}


def calls(requests: list[Recorded]) -> list[Recorded]:
    """The POSTs to the API in an order that does not depend on which of two parallel ones was faster."""
    posts = (r for r in requests if r.method == "POST" and r.path.startswith("/v1/"))
    return sorted(posts, key=lambda r: (r.target, r.plain))


def assert_untouched(tee: Tee, upstream: ScriptedUpstream) -> list[Recorded]:
    """Every call that left the client arrived once, as it was."""
    sent, arrived = calls(tee.requests), calls(upstream.requests)
    assert [r.target for r in arrived] == [r.target for r in sent]
    assert [r.plain for r in arrived] == [r.plain for r in sent]
    assert [end_to_end(r) for r in arrived] == [end_to_end(r) for r in sent]
    return arrived
