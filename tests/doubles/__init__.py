"""Stand-ins for what is not ours: a scripted provider and a proxy that listens in, both on real sockets.

``with ScriptedUpstream(agents_job) as upstream: ...`` is the whole of it for most tests.
"""

from doubles.recorded import Recorded, RequestParser
from doubles.script import (
    GREETING,
    MODELS,
    agents_job,
    answer_reply,
    dialect_of,
    error_reply,
    failing,
    faulty,
    giving_up,
    json_reply,
    replies,
    says,
)
from doubles.tee import Tee
from doubles.upstream import Fault, Reply, Script, ScriptedUpstream

__all__ = [
    "GREETING",
    "MODELS",
    "Fault",
    "Recorded",
    "Reply",
    "RequestParser",
    "Script",
    "ScriptedUpstream",
    "Tee",
    "agents_job",
    "answer_reply",
    "dialect_of",
    "error_reply",
    "failing",
    "faulty",
    "giving_up",
    "json_reply",
    "replies",
    "says",
]
