"""The error tree. Each leaf differs in what its catcher does, not in where it was raised.

LanewiseError
├── ClientError                 the caller can mend it; shown in the caller's dialect, never retried
│   ├── MalformedBody 400       not JSON, not an object, wrong type of a field that routing needs
│   ├── DuplicateKey 400        a routing key (`model`, `stream`) stands twice: two readers would disagree
│   ├── UnsupportedEncoding 415 a content-encoding that nobody here can decode
│   ├── BodyTooLarge 413        larger than `server.max_body_mb`, before or after decompression
│   ├── BodyTimeout 408         the client stopped sending
│   ├── UnknownPath 404         no such endpoint
│   ├── WrongMethod 405         the endpoint exists, the method does not
│   ├── UpgradeRequired 426     WebSocket on `/v1/responses`; clients fall back to HTTP at once
│   ├── Unauthorized 401        keys are configured and the caller sent none of them
│   ├── NoCredential 401        neither we nor the caller have a credential for the provider
│   ├── NoCandidate 404         no provider speaks the dialect, or an alias resolves to nothing
│   ├── NotAllowed 403          region or key of the configuration leave nobody who could serve the call
│   └── BudgetSpent 429         the key's budget for today is spent, and nothing free can serve the call
├── UpstreamError               the provider's fault; retried and failed over before the first byte
│   ├── ConnectFailed 502
│   ├── FirstByteTimeout 504
│   ├── IdleTimeout 504         it stopped sending in the middle
│   ├── StreamCut 502           it ended before the dialect's terminal event
│   └── UpstreamStatus …        it answered with an error status; relayed as it came
├── InputError                  exit 1; a file that a command was given cannot be used
├── ConfigError                 exit 1; holds every problem of the file at once
├── StoreError                  exit 1; the ledger's database cannot be used
└── StartError                  exit 1; port taken, address not ours, public address without keys

`code` is stable and documented (docs/reference/errors.md); a test compares the two.
"""

from __future__ import annotations

from typing import ClassVar


class LanewiseError(Exception):
    """Base of all errors of Lanewise: a message that says what happened to what, and a hint what to do."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    """Another try at the same endpoint may succeed and costs nothing twice."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n\nhint: {self.hint}" if self.hint else self.message

    @property
    def sentence(self) -> str:
        """Message and hint on one line, for JSON error bodies."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ClientError(LanewiseError):
    """The caller can mend it."""

    status = 400


class MalformedBody(ClientError):
    """The body is not what the endpoint reads."""

    code = "malformed_body"


class DuplicateKey(ClientError):
    """A key that decides routing stands twice in the body."""

    code = "duplicate_key"


class UnsupportedEncoding(ClientError):
    """The body's content-encoding cannot be decoded."""

    code = "unsupported_encoding"
    status = 415


class BodyTooLarge(ClientError):
    """The body exceeds the limit, as sent or once decompressed."""

    code = "body_too_large"
    status = 413


class BodyTimeout(ClientError):
    """The client stopped sending its body."""

    code = "body_timeout"
    status = 408


class UnknownPath(ClientError):
    """No endpoint has this path."""

    code = "unknown_path"
    status = 404


class WrongMethod(ClientError):
    """The endpoint does not take this method."""

    code = "wrong_method"
    status = 405


class UpgradeRequired(ClientError):
    """WebSocket is not served here; the same endpoint takes POST."""

    code = "upgrade_required"
    status = 426


class Unauthorized(ClientError):
    """Keys are configured and the caller presented none of them."""

    code = "unauthorized"
    status = 401


class NoCredential(ClientError):
    """No credential may be sent to the provider that would answer."""

    code = "no_credential"
    status = 401


class NoCandidate(ClientError):
    """Nothing can serve the call."""

    code = "no_candidate"
    status = 404


class NotAllowed(ClientError):
    """Region or key of the configuration leave nobody who could serve the call."""

    code = "not_allowed"
    status = 403


class BudgetSpent(ClientError):
    """The key's budget for today is spent, and nothing that costs nothing can serve the call."""

    code = "budget_spent"
    status = 429


class UpstreamError(LanewiseError):
    """A provider failed before or while it answered."""

    status = 502
    retryable = True


class ConnectFailed(UpstreamError):
    """No connection to the provider."""

    code = "connect_failed"


class FirstByteTimeout(UpstreamError):
    """The provider accepted the request and sent nothing in time."""

    code = "first_byte_timeout"
    status = 504
    retryable = False  # it may be at work on the call still: a second one there would be billed beside it


class IdleTimeout(UpstreamError):
    """The provider stopped sending in the middle of its answer."""

    code = "idle_timeout"
    status = 504


class StreamCut(UpstreamError):
    """The provider's answer ended before its terminal event or its announced length."""

    code = "stream_cut"


class UpstreamStatus(UpstreamError):
    """The provider answered with an error status; its body is relayed unchanged."""

    code = "upstream_status"


class InputError(LanewiseError):
    """A file that a command was given cannot be used."""

    code = "input_error"


class ConfigError(LanewiseError):
    """The configuration cannot be used; `problems` holds one ``file:line: what`` line each."""

    code = "config_error"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class StoreError(LanewiseError):
    """The database of the ledger cannot be used."""

    code = "store_error"


class StartError(LanewiseError):
    """The gateway cannot start listening."""

    code = "start_error"
