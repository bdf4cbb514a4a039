"""The front door: HTTP and nothing but HTTP."""

from lanewise.gateway.admin import application
from lanewise.gateway.asgi import Gateway
from lanewise.gateway.handle import Handler
from lanewise.gateway.listen import bound_socket, is_loopback, server

__all__ = ["Gateway", "Handler", "application", "bound_socket", "is_loopback", "server"]
