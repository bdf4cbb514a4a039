"""Getting an answer from a provider and passing it on: deadlines, tries, failover, breakers, keep-alives."""

from lanewise.upstream.attempt import Dispatcher, Reached, Trail
from lanewise.upstream.health import Health
from lanewise.upstream.hedge import LOST, hedgeable
from lanewise.upstream.hosted import Hosted
from lanewise.upstream.local import Observed, QueueWatch
from lanewise.upstream.providers import Provider, can_authorise, credential_of, providers
from lanewise.upstream.relay import Held, Relay, Sink
from lanewise.upstream.transport import HttpTransport, Transport

__all__ = [
    "LOST",
    "Dispatcher",
    "Health",
    "Held",
    "Hosted",
    "HttpTransport",
    "Observed",
    "Provider",
    "QueueWatch",
    "Reached",
    "Relay",
    "Sink",
    "Trail",
    "Transport",
    "can_authorise",
    "credential_of",
    "hedgeable",
    "providers",
]
