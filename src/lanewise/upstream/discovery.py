"""Zero config: providers from the keys in the environment, and from model servers that answer on loopback.

Anthropic, OpenAI and Gemini are always there, since a client may bring its own credential; OpenRouter and
DeepSeek only with a key. Used when the config names no provider at all. A name that nobody configured goes to the
first provider of its dialect, so those with a key come first, but none before Anthropic: Claude Code's own
credential must not find its calls at somebody else's.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from lanewise.config import ModelSettings, ProviderSettings, Settings
from lanewise.journey import Dialect, Value

PROBE_TIMEOUT_S = 0.4
"""A server on loopback answers its model list in milliseconds; one that does not is not waited for."""


class Hosted(Value, frozen=True, kw_only=True):
    """A vendor's public API."""

    base_url: str
    dialects: tuple[Dialect, ...]
    key_env: str
    url_env: str
    keyless: bool
    """Offered without a key of ours: its clients bring their own."""


HOSTED = {
    "anthropic": Hosted(
        base_url="https://api.anthropic.com",
        dialects=("messages",),
        key_env="ANTHROPIC_API_KEY",
        url_env="ANTHROPIC_BASE_URL",
        keyless=True,
    ),
    "openai": Hosted(
        base_url="https://api.openai.com",
        dialects=("responses", "chat"),
        key_env="OPENAI_API_KEY",
        url_env="OPENAI_BASE_URL",
        keyless=True,
    ),
    "gemini": Hosted(
        base_url="https://generativelanguage.googleapis.com",
        dialects=("gemini",),
        key_env="GEMINI_API_KEY",
        url_env="GOOGLE_GEMINI_BASE_URL",
        keyless=True,
    ),
    "openrouter": Hosted(
        base_url="https://openrouter.ai/api",
        dialects=("chat", "messages", "responses"),
        key_env="OPENROUTER_API_KEY",
        url_env="OPENROUTER_BASE_URL",
        keyless=False,
    ),
    "deepseek": Hosted(
        base_url="https://api.deepseek.com",
        dialects=("chat",),
        key_env="DEEPSEEK_API_KEY",
        url_env="DEEPSEEK_BASE_URL",
        keyless=False,
    ),
}


class Local(Value, frozen=True, kw_only=True):
    """A model server's usual place."""

    port: int
    dialects: tuple[Dialect, ...]
    metrics: Literal["none", "vllm", "sglang", "llamacpp", "ollama"]


LOCAL = {
    "ollama": Local(port=11434, dialects=("chat",), metrics="ollama"),
    "vllm": Local(port=8000, dialects=("chat", "messages", "responses"), metrics="vllm"),
    "llamacpp": Local(port=8080, dialects=("chat", "messages"), metrics="llamacpp"),
    "lmstudio": Local(port=1234, dialects=("chat", "messages", "responses"), metrics="none"),
    "sglang": Local(port=30000, dialects=("chat", "messages"), metrics="sglang"),
}
"""Default ports, and the dialects their current releases speak natively (WIRE.md sections 6 and 8)."""


def found_providers(settings: Settings, env: Mapping[str, str], *, look: bool) -> Settings:
    """`settings` with the providers of the environment and, if `look`, of this machine with their models."""
    hosted = dict(_hosted(settings, env))
    ranked = sorted(hosted, key=lambda name: (name != "anthropic", not hosted[name].api_key_env))
    providers = {name: hosted[name] for name in ranked}
    models = dict(settings.models)
    if look:
        own_port = settings.server.port
        for name, served in _answering(own_port).items():
            row = LOCAL[name]
            providers[name] = ProviderSettings(
                base_url=f"http://127.0.0.1:{row.port}", dialects=row.dialects, lane="local", metrics=row.metrics
            )
            for model in served:
                models.setdefault(model, ModelSettings(provider=name, tier="cheap"))
    return msgspec.structs.replace(settings, providers=providers, models=models)


def _hosted(settings: Settings, env: Mapping[str, str]) -> Iterator[tuple[str, ProviderSettings]]:
    for name, row in HOSTED.items():
        key = env.get(row.key_env, "")
        if not (key or row.keyless):
            continue
        base_url = env.get(row.url_env, "") or row.base_url
        if not base_url.startswith(("http://", "https://")) or is_ourselves(
            base_url, settings.server.host, settings.server.port
        ):
            base_url = row.base_url  # an agent's setting in our own environment would make us call ourselves
        yield name, ProviderSettings(base_url=base_url, dialects=row.dialects, api_key_env=row.key_env if key else "")


def is_ourselves(base_url: str, host: str, port: int) -> bool:
    """Whether `base_url` is the gateway that listens on `host` and `port`: it would call itself without end."""
    parts = urlsplit(base_url)
    return parts.port == port and parts.hostname in {"127.0.0.1", "localhost", "::1", host}


def _answering(own_port: int) -> dict[str, list[str]]:
    """Servers that answer, each with the models it lists."""
    places = {name: row.port for name, row in LOCAL.items() if row.port != own_port}
    with ThreadPoolExecutor(max_workers=len(places)) as pool:
        lists = dict(zip(places, pool.map(_listed, places.values()), strict=True))
    return {name: models for name, models in lists.items() if models is not None}


def _listed(port: int) -> list[str] | None:
    """Model ids at `GET /v1/models`; None where nothing that speaks it answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", "/v1/models")
        response = connection.getresponse()
        listed = json.loads(response.read(1 << 20))["data"] if response.status == 200 else None
        return None if listed is None else [str(row["id"]) for row in listed]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
