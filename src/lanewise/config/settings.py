"""Every setting with its default, its unit and its range: the one table behind config files, docs and JSON Schema.

Knows nothing of files or the environment (see `load`). A setting that is not here does not exist.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from lanewise.config.durations import PATTERN
from lanewise.journey import Dialect, Lane, Mode, Skill, Tier

Seconds = Annotated[float, Meta(gt=0)]
PositiveInt = Annotated[int, Meta(ge=1)]
Lanes = Annotated[tuple[Lane, ...], Meta(min_length=1)]
Region = Annotated[str, Meta(pattern="^[a-z0-9-]*$")]
Regions = tuple[Annotated[str, Meta(pattern="^[a-z0-9-]+$")], ...]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all config sections: unknown keys are mistakes."""


class ServerSettings(Section, frozen=True, kw_only=True):
    """Where the gateway listens and where its state lives."""

    host: Annotated[str, Meta(description="Address to listen on; anything but loopback needs [keys.*].")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="TCP port; 0 lets the system choose one.")] = 4311
    data: Annotated[str, Meta(description="Folder of the ledger and of updated prices.")] = "~/.local/share/lanewise"
    database_url: Annotated[
        str, Meta(description="SQLAlchemy URL of the ledger; empty means SQLite in the data folder.")
    ] = ""
    max_body_mb: Annotated[
        int, Meta(ge=1, le=1024, description="Largest request body in MiB, as sent and once decompressed.")
    ] = 64
    body_timeout_s: Annotated[float, Meta(gt=0, description="Longest pause while a client sends head or body.")] = 30.0
    drain_s: Annotated[float, Meta(ge=0, description="On SIGTERM, how long open streams may finish.")] = 60.0
    log: Annotated[
        Literal["text", "json", "off"], Meta(description="One line per call on stderr; never prompt text.")
    ] = "text"


class RoutingSettings(Section, frozen=True, kw_only=True):
    """How far Lanewise may go, and what it is measured against."""

    mode: Annotated[
        Mode, Meta(description="observe changes no answer, split routes a share of sessions, active routes.")
    ] = "observe"
    baseline: Annotated[
        str, Meta(description="Model to stand for `auto` and to price savings against where no model is named.")
    ] = ""
    split: Annotated[float, Meta(ge=0, le=1, description="Share of sessions routed in mode split.")] = 0.10
    max_loss: Annotated[
        float, Meta(ge=0, le=1, description="Largest tolerated drop of the success rate, as a share.")
    ] = 0.03
    verify: Annotated[
        bool,
        Meta(
            description="Look at whole answers of cheap models before the client gets them, and ask the frontier where "
            "they are cut off, refuse, do not parse, or call tools wrongly."
        ),
    ] = True
    explore: Annotated[
        float,
        Meta(
            ge=0,
            le=0.5,
            description="Share of tasks that another candidate serves that is not inferior either, so that beliefs "
            "about it stay fresh; 0 for none.",
        ),
    ] = 0.02
    max_slowdown: Annotated[
        float,
        Meta(
            ge=1,
            description="Where somebody waits: longest expected time of an answer, as a multiple of the baseline's.",
        ),
    ] = 3.0
    max_switch_overhead: Annotated[
        float,
        Meta(ge=0, le=1, description="Cache-rebuilding cost of chosen switches as a share of the never-switch bill."),
    ] = 0.05
    regions: Annotated[
        Regions,
        Meta(
            description="Only providers of these regions; one that states none is refused. Engines of the local lane "
            "that state none are in the region `local`. Empty demands nothing."
        ),
    ] = ()


class UpstreamSettings(Section, frozen=True, kw_only=True):
    """Deadlines and retries towards providers; a provider row may set its own."""

    connect_s: Annotated[float, Meta(gt=0, description="Longest wait for a TCP/TLS connection.")] = 10.0
    first_byte_s: Annotated[
        float, Meta(gt=0, description="Longest wait for the response head after the request was sent.")
    ] = 600.0
    idle_s: Annotated[
        float, Meta(gt=0, description="Longest silence in the middle of an answer before it counts as dead.")
    ] = 900.0
    ping_s: Annotated[float, Meta(gt=0, description="Silence after which a streaming client is sent a keep-alive.")] = (
        15.0
    )
    retries: Annotated[
        int, Meta(ge=0, le=10, description="Further tries at the same endpoint, before the first byte only.")
    ] = 2
    backoff_s: Annotated[float, Meta(gt=0, description="First pause between tries; doubles, with jitter.")] = 0.5
    max_retry_after_s: Annotated[
        float, Meta(ge=0, description="Longest `retry-after` that is waited out here instead of by the client.")
    ] = 10.0
    breaker_failures: Annotated[
        int, Meta(ge=1, description="Consecutive failures that open an endpoint's circuit breaker.")
    ] = 5
    breaker_open_s: Annotated[
        float, Meta(gt=0, description="How long an open breaker steers calls away before one probe.")
    ] = 30.0
    hedge_housekeeping: Annotated[
        bool,
        Meta(
            description="Send a short housekeeping call once more, to the next of its plan, where it is slower to "
            "begin than 95 % of its like; at most one in twenty. Both are in the bill."
        ),
    ] = False


class CaptureSettings(Section, frozen=True, kw_only=True):
    """What of a call's text may be stored."""

    level: Annotated[Literal["metadata"], Meta(description="metadata stores labels and numbers, never text.")] = (
        "metadata"
    )


class HostedSettings(Section, frozen=True, kw_only=True):
    """A classification endpoint that is asked for a skill where the student is unsure. It is sent the user's words."""

    shape: Annotated[
        Literal["cohere", "huggingface"],
        Meta(description="cohere: Classify; huggingface: text-classification, or the answer of zero-shot."),
    ]
    url: Annotated[str, Meta(pattern=r"^https?://", description="The whole address that is posted to.")]
    model: Annotated[str, Meta(description="Sent as `model` in the shape cohere; left out where empty.")] = ""
    api_key_env: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$",
            description="Name of the environment variable that holds its key; empty sends none.",
        ),
    ] = ""
    timeout_s: Annotated[float, Meta(gt=0, description="Longest wait; then the student's label stands.")] = 0.5
    price_usd_per_call: Annotated[
        Decimal, Meta(description="Added to the cost of a call whose question it answered with status 200.")
    ] = Decimal(0)


class ClassifySettings(Section, frozen=True, kw_only=True):
    """Who is asked for the skill of a task where the shipped student is unsure; nobody by default."""

    encoder: Annotated[
        str,
        Meta(
            description="Folder of a sentence encoder on this machine, see `lanewise learn encoder`; asked first. "
            "Empty means none."
        ),
    ] = ""
    hosted: Annotated[
        HostedSettings | None,
        Meta(description="An endpoint that is sent at most 600 characters of the user's words."),
    ] = None


class FixedPrice(Section, frozen=True, kw_only=True):
    """A price set by hand, in USD per million tokens; wins over the snapshot."""

    input_usd_per_mtok: Annotated[Decimal, Meta(description="Uncached prompt tokens.")]
    output_usd_per_mtok: Annotated[Decimal, Meta(description="Output tokens, reasoning included.")]
    cache_read_usd_per_mtok: Annotated[
        Decimal | None, Meta(description="Cached prompt tokens; the input price where absent.")
    ] = None
    cache_write_usd_per_mtok: Annotated[
        Decimal | None, Meta(description="Tokens written to the cache; the input price where absent.")
    ] = None


class ProviderSettings(Section, frozen=True, kw_only=True):
    """One endpoint that answers calls."""

    base_url: Annotated[
        str,
        Meta(pattern=r"^https?://", description="Scheme, host and any path before `/v1`."),
    ]
    dialects: Annotated[tuple[Dialect, ...], Meta(min_length=1, description="Wire dialects it speaks, best first.")]
    api_key_env: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$",
            description="Name of the environment variable that holds its key; empty passes the client's.",
        ),
    ] = ""
    lane: Annotated[Lane, Meta(description="Lane its models belong to.")] = "realtime"
    region: Annotated[
        Region,
        Meta(description="Where it computes, in your own words, e.g. `eu`; see `routing.regions`."),
    ] = ""
    slots: Annotated[
        PositiveInt | None, Meta(description="Calls it serves at once (local engines); None is unknown.")
    ] = None
    metrics: Annotated[
        Literal["none", "vllm", "sglang", "llamacpp", "ollama"],
        Meta(description="Whose load signals it offers."),
    ] = "none"
    ask_stream_usage: Annotated[
        bool,
        Meta(
            description="Chat streams without usage: always ask for it upstream and hide the extra chunk. Off: "
            "ask only where the body is changed anyway, else estimate and mark it so."
        ),
    ] = False
    first_byte_s: Annotated[Seconds | None, Meta(description="Overrides [upstream].")] = None
    idle_s: Annotated[Seconds | None, Meta(description="Overrides [upstream].")] = None


class ModelSettings(Section, frozen=True, kw_only=True):
    """A model of the catalog: the name callers may use, and who serves it."""

    provider: Annotated[str | tuple[str, ...], Meta(description="Provider row, or several in failover order.")]
    tier: Annotated[Tier, Meta(description="Tier within its lane.")] = "frontier"
    upstream_model: Annotated[str, Meta(description="The provider's name for it; its own name if empty.")] = ""
    context_tokens: Annotated[
        PositiveInt | None, Meta(description="Context window; from the price snapshot where absent.")
    ] = None
    vision: Annotated[bool | None, Meta(description="Takes images; from the price snapshot where absent.")] = None
    tools: Annotated[bool, Meta(description="Can call tools.")] = True
    price: Annotated[FixedPrice | None, Meta(description="Overrides the price snapshot.")] = None


class SkillSettings(Section, frozen=True, kw_only=True):
    """Policy of one skill."""

    mode: Annotated[Mode | None, Meta(description="Overrides routing.mode.")] = None
    lanes: Annotated[Lanes | None, Meta(description="Only these lanes, in order of preference.")] = None
    tier: Annotated[Tier | None, Meta(description="Only this tier.")] = None
    deadline: Annotated[
        str, Meta(pattern=PATTERN, description="Time allowed where the caller gives none, e.g. `8h`.")
    ] = ""


class KeySettings(Section, frozen=True, kw_only=True):
    """A caller's key. Only its hash is stored."""

    hash: Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$", description="`sha256:` and the hex digest of the key.")]
    deadline: Annotated[str, Meta(pattern=PATTERN, description="Default deadline of its calls, e.g. `8h`.")] = ""
    tags: Annotated[tuple[str, ...], Meta(description="Tags written to the ledger.")] = ()
    lanes: Annotated[Lanes | None, Meta(description="Only these lanes; those of the skill must hold too.")] = None
    tier: Annotated[Tier | None, Meta(description="Only this tier; that of the skill must hold too.")] = None
    mode: Annotated[Mode | None, Meta(description="Overrides the modes of skills and routing.mode.")] = None
    models: Annotated[tuple[str, ...], Meta(description="Only these models of the catalog; empty allows all.")] = ()
    budget_usd_per_day: Annotated[
        Decimal | None, Meta(description="Once spent, until midnight UTC only local engines without a price serve it.")
    ] = None
    regions: Annotated[
        Regions, Meta(description="Only providers of these regions; `routing.regions` must hold too.")
    ] = ()


class RuleSettings(Section, frozen=True, kw_only=True):
    """A rule: what happens to calls that meet a condition. The first that matches decides; at least one action."""

    when: Annotated[str, Meta(description="The condition, see the guide to rules.")]
    name: Annotated[
        str,
        Meta(pattern=r"^[A-Za-z0-9_.-]{0,40}$", description="Shown as `rule:NAME`; its number where empty."),
    ] = ""
    model: Annotated[str, Meta(description="Action: this model of the catalog, or an alias.")] = ""
    lanes: Annotated[Lanes | None, Meta(description="Action: only these lanes.")] = None
    tier: Annotated[Tier | None, Meta(description="Action: only this tier.")] = None
    mode: Annotated[Mode | None, Meta(description="Action: overrides every other mode.")] = None
    deadline: Annotated[
        str, Meta(pattern=PATTERN, description="Action: time allowed where the caller gives none, e.g. `8h`.")
    ] = ""


class Settings(Section, frozen=True, kw_only=True):
    """The whole configuration, merged from all sources."""

    server: ServerSettings = ServerSettings()
    routing: RoutingSettings = RoutingSettings()
    upstream: UpstreamSettings = UpstreamSettings()
    capture: CaptureSettings = CaptureSettings()
    classify: ClassifySettings = ClassifySettings()
    providers: dict[str, ProviderSettings] = {}
    models: dict[str, ModelSettings] = {}
    skills: dict[Skill, SkillSettings] = {}
    keys: dict[str, KeySettings] = {}
    rules: tuple[RuleSettings, ...] = ()
    aliases: Annotated[dict[str, str], Meta(description="Names callers may use -> model of the catalog.")] = {}
