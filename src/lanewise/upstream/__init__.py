"""Getting an answer from a provider and passing it on: deadlines, tries, failover, breakers, keep-alives."""

from lanewise.upstream.attempt import Dispatcher, Reached, Trail
from lanewise.upstream.health import Health
from lanewise.upstream.hosted import Hosted
from lanewise.upstream.providers import Provider, can_authorise, credential_of, providers
from lanewise.upstream.relay import Relay, Sink
from lanewise.upstream.transport import HttpTransport, Transport

__all__ = [
    "Dispatcher",
    "Health",
    "Hosted",
    "HttpTransport",
    "Provider",
    "Reached",
    "Relay",
    "Sink",
    "Trail",
    "Transport",
    "can_authorise",
    "credential_of",
    "providers",
]
