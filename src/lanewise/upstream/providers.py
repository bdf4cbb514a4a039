"""Providers as data rows: where they are, which dialects they speak, and whose credential may go to them.

The rule of credentials: a provider with a key of its own gets that key and nothing of the client's. One without
gets the client's credential only if it is the provider that the client itself addressed, and never if the
credential's prefix shows that it belongs to somebody else. A local engine gets none. Knows no sockets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from lanewise.config import ProviderSettings, Settings
from lanewise.errors import NoCredential
from lanewise.journey import Dialect, Lane, Value

VENDORS = {
    "api.anthropic.com": "anthropic",
    "api.openai.com": "openai",
    "openrouter.ai": "openrouter",
    "api.deepseek.com": "deepseek",
    "generativelanguage.googleapis.com": "gemini",
}
"""Host -> vendor, for prices and for the owners of credentials."""

CREDENTIAL_OWNERS = {"sk-ant-": "anthropic", "sk-or-": "openrouter", "sk-proj-": "openai", "AIza": "gemini"}
"""Prefix of a key -> the vendor that issued it (public formats, checked 2026-11)."""

CREDENTIAL_HEADERS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key"})
ACCOUNT_HEADERS = frozenset({"cookie", "chatgpt-account-id", "openai-organization", "openai-project"})
"""They name the client's account and go where its credential goes."""

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
    }
)
"""RFC 9110 section 7.6.1: meant for this connection alone."""

_REPLACED = HOP_BY_HOP | {"host", "content-length", "accept-encoding"}


class Provider(Value, frozen=True, kw_only=True):
    """One endpoint that answers calls."""

    name: str
    base_url: str
    dialects: tuple[Dialect, ...]
    lane: Lane
    vendor: str = ""
    """Issuer of its models and keys; empty for a private endpoint."""
    api_key_env: str = ""
    slots: int | None = None
    metrics: str = "none"
    ask_stream_usage: bool = False
    first_byte_s: float
    idle_s: float

    def url(self, target: str) -> str:
        """Address of `target`; a base that already ends in the target's version prefix is not doubled."""
        base = self.base_url.rstrip("/")
        for prefix in ("/v1beta", "/v1"):
            if base.endswith(prefix) and target.startswith(prefix + "/"):
                return base + target[len(prefix) :]
        return base + target


def providers(settings: Settings) -> dict[str, Provider]:
    """The rows of the config with their deadlines filled in, in config order."""
    return {name: _provider(name, row, settings) for name, row in settings.providers.items()}


def _provider(name: str, row: ProviderSettings, settings: Settings) -> Provider:
    host = urlsplit(row.base_url).hostname or ""
    vendor = VENDORS.get(host) or (name if name in VENDORS.values() else "")
    return Provider(
        name=name,
        base_url=row.base_url,
        dialects=row.dialects,
        lane=row.lane,
        vendor=vendor,
        api_key_env=row.api_key_env,
        slots=row.slots,
        metrics=row.metrics,
        ask_stream_usage=row.ask_stream_usage,
        first_byte_s=row.first_byte_s or settings.upstream.first_byte_s,
        idle_s=row.idle_s or settings.upstream.idle_s,
    )


def credential_of(headers: Sequence[tuple[str, str]], target: str = "") -> str:
    """The secret a client sent, without its scheme; empty where it sent none. Gemini's may stand in the query."""
    for name, value in headers:
        if name in CREDENTIAL_HEADERS and value:
            return value.partition(" ")[2] if value[:7].lower() == "bearer " else value
    if target.startswith("/v1beta/"):
        pairs = (part.partition("=") for part in target.partition("?")[2].split("&"))
        return next((value for name, _, value in pairs if name == "key"), "")
    return ""


def can_authorise(provider: Provider, env: Mapping[str, str], credential: str, *, addressed: bool) -> bool:
    """Whether a request to `provider` would carry a credential it accepts (or needs none).

    Args:
        provider: Who would be asked.
        env: The process environment.
        credential: What the client sent, see `credential_of`.
        addressed: The client itself addressed this provider by the model it named.
    """
    if provider.api_key_env and env.get(provider.api_key_env):
        return True
    if provider.lane == "local" and not provider.api_key_env:
        return True
    return addressed and _may_pass(provider, credential)


def _may_pass(provider: Provider, credential: str) -> bool:
    owner = next((owner for prefix, owner in CREDENTIAL_OWNERS.items() if credential.startswith(prefix)), "")
    return bool(credential) and (not owner or not provider.vendor or owner == provider.vendor)


def upstream_headers(
    client: Sequence[tuple[str, str]],
    provider: Provider,
    dialect: Dialect,
    env: Mapping[str, str],
    *,
    credential: str,
    addressed: bool,
    rewritten: bool,
) -> list[tuple[str, str]]:
    """The headers to send: all of the client's but hop-by-hop ones, ours, and credentials of somebody else.

    Answers are asked for without compression (`accept-encoding: identity`): usage is read off them as they pass.

    Raises:
        NoCredential: No credential may go to the provider, and it needs one.
    """
    if not can_authorise(provider, env, credential, addressed=addressed):
        raise NoCredential(
            f"no credential for provider {provider.name!r}",
            hint=f"set {provider.api_key_env}" if provider.api_key_env else "send one, or set api_key_env in its row",
        )
    own_key = env.get(provider.api_key_env, "") if provider.api_key_env else ""
    dropped = _REPLACED | ({"content-encoding"} if rewritten else set())
    if not _takes_clients(provider, env):
        dropped |= CREDENTIAL_HEADERS | ACCOUNT_HEADERS
    headers = [(name, value) for name, value in client if name not in dropped and not name.startswith("x-lanewise-")]
    headers.append(("accept-encoding", "identity"))
    headers.extend(_key_headers(provider, dialect, own_key))
    return headers


def upstream_target(target: str, provider: Provider, env: Mapping[str, str]) -> str:
    """Path and query to send: a client's `key=` goes only where its credential headers would go."""
    path, mark, query = target.partition("?")
    if _takes_clients(provider, env) or not path.startswith("/v1beta/") or "key=" not in query:
        return target
    kept = [part for part in query.split("&") if not part.startswith("key=")]
    return path + mark + "&".join(kept) if kept else path


def _takes_clients(provider: Provider, env: Mapping[str, str]) -> bool:
    """The client's own credential is what `provider` is sent, if anything."""
    return provider.lane != "local" and not (provider.api_key_env and env.get(provider.api_key_env))


def _key_headers(provider: Provider, dialect: Dialect, key: str) -> Iterator[tuple[str, str]]:
    """The key where the dialect's servers look for it; private Messages servers differ, so they get both forms."""
    if not key:
        return
    if dialect == "gemini":
        yield "x-goog-api-key", key
        return
    if dialect == "messages":
        yield "x-api-key", key
    if dialect != "messages" or provider.vendor != "anthropic":
        yield "authorization", f"Bearer {key}"


def downstream_headers(upstream: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The provider's headers for the client: all but hop-by-hop ones; the length is set by whoever sends the body."""
    return [(name, value) for name, value in upstream if name not in HOP_BY_HOP and name != "content-length"]
