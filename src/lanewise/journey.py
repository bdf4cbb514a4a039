"""START HERE: every noun of Lanewise as a frozen value, in the order a request meets them.

``bytes -wire-> Request -classify-> Turn, SkillLabel, Features -route-> LaneRuling -select-> Decision
-upstream-> Attempt... -> Outcome -ledger-> CallRecord``

Values only: this module imports nothing of Lanewise and does nothing. A stage receives the value of the stage
before it and returns the next; none of them changes one. Texts of the user live in `Request` alone, which ends
at the selector: no value that the ledger, the telemetry or the log sees has a field for them.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal, TypeAlias

import msgspec

Dialect: TypeAlias = Literal["messages", "chat", "responses", "gemini"]
"""The wire language of a client or a provider: Anthropic Messages, OpenAI Chat, OpenAI Responses, Gemini."""

Operation: TypeAlias = Literal["generate", "count_tokens", "embeddings", "other"]
"""What a call asks for. Only `generate` is routed; the rest goes to the baseline's provider."""

Lane: TypeAlias = Literal["local", "batch", "realtime"]
Tier: TypeAlias = Literal["cheap", "frontier"]
Mode: TypeAlias = Literal["observe", "split", "active"]

TurnKind: TypeAlias = Literal["main", "continuation", "followup", "subagent", "housekeeping"]
Housekeeping: TypeAlias = Literal[
    "probe", "title", "topic", "summary", "compaction", "suggestion", "guard", "commit_message", "memory", "other"
]

SignalCode: TypeAlias = Literal[
    "edit_failed",
    "tests_failed",
    "build_failed",
    "tool_json_invalid",
    "repeated_call",
    "refusal",
    "truncated",
    "re_ask",
    "interrupted",
]
"""What in the traffic says that a task goes badly."""

Skill: TypeAlias = Literal[
    "code_generation",
    "code_explanation",
    "code_review",
    "debugging",
    "refactoring",
    "test_writing",
    "documentation",
    "commit_changelog",
    "code_translation",
    "data_sql",
    "devops_shell",
    "planning",
    "codebase_search",
    "summarization",
    "general_chat",
]


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Base of all journey values: immutable, keyword-only, comparable by content.

    `gc=False`: frozen values cannot form cycles, and a gateway makes a hundred of them per call.
    """


# -- what the client sent ---------------------------------------------------------------------------------


class Message(Value, frozen=True, kw_only=True):
    """One of the first or last messages of a request, reduced to what classification reads."""

    role: str
    text: str = ""
    """The text blocks joined by newlines; long texts keep their head and tail only (see `wire.peek`)."""
    block_kinds: tuple[str, ...] = ()
    """The dialect's own block types in order, e.g. ``("text", "tool_use")``."""
    tool_names: tuple[str, ...] = ()
    """Tools this message calls."""
    tool_errors: int = 0
    """Tool results in this message that are marked as errors."""
    tool_output: str = ""
    """What tools returned in this message; long texts keep their head and tail only. Empty where `text` holds it."""
    call_marks: tuple[int, ...] = ()
    """One number per called tool, equal for calls of the same tool with the same bytes of arguments."""


class Request(Value, frozen=True, kw_only=True):
    """A call as the wire understood it. The only value that holds a user's text."""

    dialect: Dialect
    operation: Operation
    method: str
    target: str
    """Path and query exactly as the client sent them."""
    headers: tuple[tuple[str, str], ...]
    """All request headers, names in lower case, in the client's order."""
    body: bytes
    """The bytes to forward: what the client sent, still compressed if it was."""
    plain: bytes
    """The same body readable: decompressed where `body` is not; otherwise the same object."""
    model: str = ""
    """The model the client named; empty where the body names none."""
    model_span: tuple[int, int] | None = None
    """Offsets of the JSON string value of the top-level `model` in `plain`, quotes included."""
    stream: bool = False
    include_usage: bool | None = None
    """Chat only: the value of `stream_options.include_usage`, None where absent."""
    max_tokens: int | None = None
    tool_names: tuple[str, ...] = ()
    system: tuple[str, ...] = ()
    """Heads of the system texts in order (system blocks, `system` and `developer` messages that open the list)."""
    first_user: Message | None = None
    recent: tuple[Message, ...] = ()
    """The last messages, oldest first, at most six; system and developer messages included in place."""
    message_count: int = 0
    output_schema_keys: tuple[str, ...] = ()
    """Property names of a JSON schema that the answer must follow."""
    has_images: bool = False
    session_hint: str = ""
    """The client's own session, thread or conversation id, from header or body; empty where it sends none."""
    agent_id: str = ""
    """Set where the client says that a sub-agent speaks."""
    parent_agent_id: str = ""

    def header(self, name: str) -> str:
        """The first value of header `name` (lower case), or an empty string."""
        for key, value in self.headers:
            if key == name:
                return value
        return ""


class Caller(Value, frozen=True, kw_only=True):
    """Who asks and what they allow, from the key, the headers and the config; no text."""

    key_id: str = ""
    """Name of the Lanewise key; empty on loopback without keys."""
    pin: str = ""
    """`x-lanewise-pin`: this model, no routing."""
    lane: Lane | None = None
    """`x-lanewise-lane`: only this lane."""
    deadline_s: float | None = None
    """Seconds from now until the answer is needed; None where none was given."""
    session: str = ""
    tags: tuple[str, ...] = ()
    has_credential: bool = False
    """The client sent a provider credential of its own."""


# -- what kind of work it is ------------------------------------------------------------------------------


class Turn(Value, frozen=True, kw_only=True):
    """What a call is, from its structure alone."""

    kind: TurnKind
    housekeeping: Housekeeping | None = None
    client: str = "unknown"
    """Client family: claude-code, codex, opencode, qwen-code, gemini-cli, aider, ... or unknown."""
    client_version: str = ""
    reason: str = ""
    """The rule that decided, e.g. ``sentinel:claude-code:title`` or ``last message holds tool results``."""


class SkillLabel(Value, frozen=True, kw_only=True):
    """What the task is about. `abstained` says that the confidence is too low to act on."""

    skill: Skill
    confidence: float
    second: Skill | None = None
    abstained: bool = False
    source: Literal["structure", "student", "inherited", "encoder", "hosted", "default"] = "student"
    """What decided: `default` stands where nothing could be read."""
    asked_pusd: int = 0
    """What asking somebody else for it cost, charged also where the answer was of no use; 0 on inherited labels."""


class Opinion(Value, frozen=True, kw_only=True):
    """What somebody else makes of words that the student is unsure of."""

    source: Literal["encoder", "hosted"]
    label: SkillLabel | None = None
    """None where there is a fault."""
    fault: Literal["", "timeout", "unreached", "refused", "unreadable", "no_skill", "failed"] = ""
    """Why there is no label: no answer in time, no connection or a broken one, a status other than 200, no JSON of
    the agreed shape, no label that names a skill, an error of the encoder's runtime."""
    cost_pusd: int = 0
    """What asking cost."""


class Features(Value, frozen=True, kw_only=True):
    """Numbers about a request, the only thing route and select know of its content."""

    input_tokens: int
    """Estimated prompt tokens."""
    body_bytes: int
    message_count: int
    tools_offered: int
    code_share: float
    """Share of the user's text that looks like code, 0..1."""
    files_named: int
    has_images: bool
    tool_errors: int
    """Failed tool results in the recent messages."""
    complexity: float
    """0..1, see `classify.features.complexity`."""
    complexity_parts: dict[str, float] = {}
    """Each signal's share of the complexity; the values sum to `complexity` before clipping."""
    waiting: bool
    """A user waits for this answer."""
    waiting_reason: str = ""
    marks_cache: bool = False
    """The client marks its prompt for the provider's cache."""
    marks_hour: bool = False
    """It asks for the long time to live."""
    sealed: bool = False
    """The prompt holds thinking or reasoning that only its maker can read."""
    previous_response: bool = False
    """The conversation so far lies at the provider, under the id of an answer."""


class Identity(Value, frozen=True, kw_only=True):
    """Which conversation and which task a call belongs to."""

    session_id: str
    task_id: str
    new_session: bool = False
    new_task: bool = False
    depth: int = 0
    """Calls of this session before this one."""


class Reading(Value, frozen=True, kw_only=True):
    """All that layer 1 says of a request."""

    turn: Turn
    label: SkillLabel
    features: Features
    identity: Identity
    signals: tuple[SignalCode, ...] = ()
    """What this request newly says of how its task goes."""
    failing: float = 0.0
    """Probability that these signals alone give to a task's failing, 0..1."""


# -- which lane, which model ------------------------------------------------------------------------------


class Candidate(Value, frozen=True, kw_only=True):
    """A (lane, model, endpoint) that may serve a task."""

    lane: Lane
    tier: Tier
    model: str
    """The name in our catalog; what reports and responses show."""
    upstream_model: str
    """The name the provider knows it by."""
    provider: str
    """Name of the provider row that is asked."""
    service: Literal["standard", "flex"] = "standard"
    """The provider's queue: `flex` is cheaper and slower, for work that nobody waits for."""


class LaneRuling(Value, frozen=True, kw_only=True):
    """The router's answer: for each lane, allowed or the reason why not."""

    allowed: tuple[Lane, ...]
    refused: tuple[tuple[Lane, str], ...] = ()
    """(lane, reason code) pairs."""
    tiers: tuple[Tier, ...] = ("cheap", "frontier")
    flex: bool = False
    """A provider's slower and cheaper queue may be used."""


class Quote(Value, frozen=True, kw_only=True):
    """What a candidate was expected to bring; None where nothing is known."""

    candidate: Candidate
    total_pusd: int | None
    """Expected cost over the remaining turns of the task, its cache and a switch included."""
    success: float | None
    """Believed share of such tasks that it does, 0..1."""
    success_low: float | None
    """One-sided 95 % lower bound of it."""
    weight: float
    """Tasks behind this belief, public ones included."""
    completion_s: float | None
    """Until the next answer is complete."""


class Rejection(Value, frozen=True, kw_only=True):
    """A candidate that was not chosen, and why."""

    candidate: Candidate
    reason: str
    """A code of `docs/reference/reasons.md`, e.g. ``dialect``, ``context_window``, ``lane:batch:user_waits``."""
    detail: str = ""


class Decision(Value, frozen=True, kw_only=True):
    """The chosen candidate, what would have been chosen, and every rejected one with its reason."""

    mode: Mode
    baseline: Candidate
    chosen: Candidate
    """Who is asked. In `observe` always the baseline."""
    preferred: Candidate
    """Who the policy would ask; equals `chosen` in `active`."""
    plan: tuple[Candidate, ...]
    """`chosen` first, then the failover order; never empty."""
    rejected: tuple[Rejection, ...] = ()
    ruling: LaneRuling
    reason: str
    """Why `preferred` won, a code of `docs/reference/reasons.md`."""
    propensity: float = 1.0
    """Probability with which `chosen` was chosen under the policy in force."""
    switch_point: str = ""
    """Why a change of model was allowed here (``new_session``, ``new_task``...); empty where it was not."""
    switch_pusd: int = 0
    """What moving the conversation to `preferred` costs only because a warm cache is left behind."""
    switch_forced: bool = False
    """Who served it before may not do this task, or failed at it: no promise about switches refuses that."""
    quotes: tuple[Quote, ...] = ()
    """The best candidates and the baseline in numbers, cheapest first; empty where nothing was compared."""
    spilled: tuple[tuple[str, bool], ...] = ()
    """Where somebody waits: each local provider with whether its queue sends such callers past it."""


# -- what came of it --------------------------------------------------------------------------------------


class Usage(Value, frozen=True, kw_only=True):
    """Tokens as billed. The four input buckets are disjoint; providers that nest them are normalised in `wire`."""

    input_tokens: int = 0
    """Prompt tokens at the full price: EXCLUDES cache reads and cache writes."""
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    """INCLUDES reasoning tokens."""
    reasoning_tokens: int = 0
    service_tier: Literal["standard", "batch", "flex", "priority"] = "standard"
    estimated: bool = False
    """The upstream reported none; counted from bytes."""
    reported_cost_pusd: int | None = None
    """What the upstream itself says the call cost, pico-dollars."""

    @property
    def prompt_tokens(self) -> int:
        """All prompt tokens, cached or not: what a context window must hold."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens


class Cost(Value, frozen=True, kw_only=True):
    """Price of one call in pico-dollars (10^-12 USD) with the snapshot it was computed from."""

    total_pusd: int
    input_pusd: int = 0
    cache_read_pusd: int = 0
    cache_write_pusd: int = 0
    output_pusd: int = 0
    classify_pusd: int = 0
    """What was paid for the label; included in the total."""
    discarded_pusd: int = 0
    """What answers cost that the client did not get, rejected by a check or overtaken by a hedge; included in the
    total."""
    snapshot: str = ""


class Attempt(Value, frozen=True, kw_only=True):
    """One try at one endpoint."""

    number: int
    """1 for the first."""
    candidate: Candidate
    started_at: dt.datetime
    status: int | None = None
    """HTTP status, None where no response head came."""
    error: str = ""
    """Error code of `errors`, empty on success."""
    first_byte_us: int | None = None
    """From send to the response head."""
    duration_us: int = 0
    upstream_request_id: str = ""
    hedge: bool = False
    """Sent beside one that was slow to begin; the first to answer won."""
    refused_by: str = ""
    """Name of the check that refused its answer; empty where none did."""
    cost_pusd: int | None = None
    """What it cost although the client got another's answer; None for the one that it got, and where unknown."""


class Outcome(Value, frozen=True, kw_only=True):
    """What came of a call."""

    status: int
    """HTTP status the client saw; 499 where the client left first."""
    error: str = ""
    """Error code, empty on success. ``stream_cut`` and ``idle_timeout`` can stand beside status 200."""
    served: Candidate | None = None
    """Who answered; None where nobody did."""
    usage: Usage | None = None
    """None where the answer carries no usage (errors, lists)."""
    cost: Cost | None = None
    """None = unknown price, never zero."""
    baseline_cost: Cost | None = None
    """The same tokens at the baseline's price, with its cache as warm as it would have been."""
    preferred_cost_pusd: int | None = None
    """What the same tokens would have cost at `Decision.preferred`; None where that one answered or has no price."""
    stop_reason: str = ""
    response_bytes: int = 0
    first_byte_us: int | None = None
    """From the request's last byte to the first body byte the client was sent."""
    duration_us: int = 0
    overhead_us: int = 0
    """Our own share: from the request's last byte to handing it to the transport."""


class CallRecord(Value, frozen=True, kw_only=True):
    """One call as the ledger keeps it: labels, numbers and reasons, no text."""

    call_id: str
    """UUIDv7, sortable by time."""
    started_at: dt.datetime
    dialect: Dialect
    operation: Operation
    stream: bool
    requested_model: str
    caller: Caller
    reading: Reading
    decision: Decision
    attempts: tuple[Attempt, ...]
    outcome: Outcome
    policy_id: str = ""
    """Names the ledger's copy of the configuration that decided; empty where nothing was decided."""
    situation: str = ""
    """JSON of what `decide` saw beside it, labels and numbers only: with both `explain` decides again."""
