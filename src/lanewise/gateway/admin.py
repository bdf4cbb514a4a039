"""Everything that is not hot: liveness, metrics, the model list, a status page. HTTP and nothing but HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from lanewise import __version__
from lanewise.config import KeySettings
from lanewise.errors import ClientError, Unauthorized, UnknownPath, WrongMethod
from lanewise.gateway.keys import caller_of
from lanewise.journey import Dialect
from lanewise.router import Router
from lanewise.wire import refusal

CREATED = 0
"""`created` of a listed model: nobody states when a model was made, and both SDKs only need a number."""


class Readiness(Protocol):
    """What the status endpoints ask of the running application."""

    def problems(self) -> list[str]:
        """Why calls cannot be served properly now; empty when all is well."""

    def scrape(self) -> bytes:
        """The text of /metrics."""


def application(router: Router, readiness: Readiness, *, utcnow: Callable[[], Any]) -> Starlette:
    """The Starlette application.

    Args:
        router: For the model list and the state of the providers.
        readiness: The running application.
        utcnow: Injected clock.
    """

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        problems = readiness.problems()
        return JSONResponse({"ready": not problems, "problems": problems}, status_code=503 if problems else 200)

    async def metrics(_: Request) -> Response:
        return Response(readiness.scrape(), media_type="text/plain; version=0.0.4")

    async def hello(_: Request) -> Response:
        return JSONResponse({"service": "lanewise", "version": __version__})

    async def models(request: Request) -> Response:
        _admit(request, router.world.settings.keys, utcnow)
        return JSONResponse(model_list(router.world.catalog.names))

    async def model(request: Request) -> Response:
        _admit(request, router.world.settings.keys, utcnow)
        name = request.path_params["name"]
        if name not in router.world.catalog.names:
            raise UnknownPath(f"there is no model {name!r}", hint="GET /v1/models lists them")
        return JSONResponse(model_object(name))

    async def status(_: Request) -> Response:
        return HTMLResponse(status_page(router, readiness.problems()))

    return Starlette(
        routes=[
            Route("/livez", livez),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/api/hello", hello),
            Route("/v1/models", models),
            Route("/v1/models/{name:path}", model),
            Route("/", status),
        ],
        exception_handlers={HTTPException: _not_served, ClientError: _refused},
    )


def _admit(request: Request, keys: Mapping[str, KeySettings], utcnow: Callable[[], Any]) -> None:
    caller_of(list(request.headers.items()), keys, utcnow())


def _not_served(request: Request, error: Exception) -> Response:
    """Starlette's own 404 and 405 in our shape."""
    assert isinstance(error, HTTPException)
    path = request.url.path
    told: ClientError = UnknownPath(f"there is no endpoint {path}", hint="see docs/reference/http.md")
    if error.status_code == 405:
        told = WrongMethod(f"{path} takes GET, not {request.method}", hint="send the request as GET")
    response = _refused(request, told)
    response.headers.update(error.headers or {})  # `allow`, where the method is wrong
    return response


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ClientError)
    dialect: Dialect | None = "messages" if "anthropic-version" in request.headers else None
    headers = {"www-authenticate": "Bearer"} if isinstance(error, Unauthorized) else None
    body = refusal(dialect, error, "")
    return Response(body, status_code=error.status, media_type="application/json", headers=headers)


def model_object(name: str) -> dict[str, Any]:
    """One model as both vendors' SDKs read it: a JSON object, hence untyped."""
    return {
        "id": name,
        "object": "model",
        "created": CREATED,
        "owned_by": "lanewise",
        "type": "model",
        "display_name": name,
        "created_at": "1970-01-01T00:00:00Z",
    }


def model_list(names: tuple[str, ...]) -> dict[str, Any]:
    """The list, likewise."""
    return {
        "object": "list",
        "data": [model_object(name) for name in names],
        "has_more": False,
        "first_id": names[0] if names else None,
        "last_id": names[-1] if names else None,
    }


def status_page(router: Router, problems: list[str]) -> str:
    """A page for a person who opens the gateway's address in a browser."""
    world = router.world
    states, flights = router.health.states(), router.health.in_flight()
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{provider.lane}</td><td>{', '.join(provider.dialects)}</td>"
        f"<td>{states.get(name, 'closed')}</td><td>{flights.get(name, 0)}</td></tr>"
        for name, provider in world.providers.items()
    )
    state = "".join(f"<li>{escape(problem)}</li>" for problem in problems) or "<li>ready</li>"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Lanewise</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse }} th, td {{ text-align: left; padding: .2rem 1rem .2rem 0 }}
:root {{ color-scheme: light dark }}
</style></head><body>
<h1>Lanewise {__version__}</h1>
<p>Mode <strong>{world.settings.routing.mode}</strong>. <code>lanewise report</code> shows what was spent and saved.</p>
<ul>{state}</ul>
<table><thead><tr><th>provider</th><th>lane</th><th>dialects</th><th>breaker</th><th>in flight</th></tr></thead>
<tbody>{rows}</tbody></table>
</body></html>
"""
