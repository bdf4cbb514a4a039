"""Say what a call is from its shape alone: probe, title, compaction, sub-agent, tool loop, approval, or a request.

Reads headers, tools, limits, the last role and the opening words of texts; it never weighs what a text means. The
costly mistake is to take a user's request for housekeeping, so whatever no rule knows is `main`, and rows that
read a user's text apply only to the client they were seen with.

Order of the checks: other operations, then sentinels (they outrank everything below, since a commit-message call
reads like a review), then tool results, then sub-agents, then approvals, then `main`. Tool results stand before
sub-agents because the loop of a sub-agent must ride its pin as any other loop does.
"""

from __future__ import annotations

import functools
import re

from lanewise.classify import harness, sentinels
from lanewise.classify.sentinels import Client, Sentinel, SentinelFile, View
from lanewise.journey import Message, Request, Skill, Turn, Value

_SYSTEM_ROLES = frozenset({"system", "developer"})
ANSWER_ROLES = frozenset({"assistant", "model"})
_TOOL_ROLES = frozenset({"tool", "function"})
_RESULT_KINDS = frozenset(
    {
        "tool_result",
        "mcp_tool_result",
        "functionResponse",
        "function_response",
        "function_call_output",
        "custom_tool_call_output",
        "local_shell_call_output",
        "shell_call_output",
        "apply_patch_call_output",
        "computer_call_output",
        "tool_search_output",
        "mcp_approval_response",
    }
)
_IMAGE_KINDS = frozenset({"image", "image_url", "input_image", "inlineData", "fileData"})

_VERSION = re.compile(r"[/ ]v?(\d[\w.\-+]*)")
IMAGE_MARK = re.compile(r"\[(?:Image|Pasted (?:image|text))\b[^\]\n]*\]", re.IGNORECASE)
_OPENERS = r"(?:(?:ok(?:ay)?|well|so|hmm+|um+|uhh*|and|please|pls|now|then|just|let'?s|also)[\s,.!:…-]+)*"
_APPROVAL = re.compile(
    rf"""(?isx)^\W*{_OPENERS}
    (?:(?P<firm>y|yes|yep|yup|yeah|yea|ya|sure|correct|exactly|agreed?|approved?|lgtm|go\ (?:on|ahead|for\ it)
        |do\ (?:it|so|that|this|both|all)|proceed|continue|carry\ on|keep\ going|same\ (?:for|here|thing|again)
        |(?:sounds|looks|seems)\ (?:good|great|right|fine)|make\ (?:that|the|those)\ (?:change|edit|fix)s?
        |(?:i\ )?(?:ran|installed|tried|did|restarted)\ it|it\ worked|i\ (?:agree|think\ so))
      |ok(?:ay)?|k|kk|right|perfect|great|nice|good|cool|awesome|excellent|fine|thanks?|thank\ you|thx|done|go
      |n|no|nope|nah|stop|wait|cancel|undo|abort|try\ (?:it\ )?again|retry|again|next|both|all\ of\ (?:them|it)
      |neither|none|that\ works?|works|i\ don'?t\ (?:want|need)\ that)
    (?![\w'-])(?P<rest>.*)$"""
)
_APPROVAL_ABROAD = re.compile(
    r"""(?ix)^\W*(?:ja|jawohl|mach(?:\ das)?|weiter|genau|s[ií]|vale|dale|claro|adelante|sigue|contin[uú]a
      |oui|d'accord|vas-y|continue[rz]|sim|isso|pode|segue|да|ага|давай|продолжай|далее|дальше|начинай|хорошо
      |好的?|是的?|对的?|可以|继续|行|嗯|没问题|はい|うん|ええ|お願いします|続けて(?:ください)?|それで|네|예|계속(?:해줘)?
    )(?![\w'-])(?P<rest>.*)$"""
)
"""The commonest in German, Spanish, French, Portuguese, Russian, Chinese, Japanese and Korean."""

_ABROAD_REST_BYTES = 14
"""In bytes, since four Chinese letters say as much as a dozen Latin ones."""

_FIRM_REST_CHARS = 60
_REST_CHARS = 24
"""What may follow: a yes repeats what was offered; after `ok` or a no people soon say what else is wanted or wrong."""
_ASKS_MORE = re.compile(r"(?i)\b(?:what|why|how|where|which|can you|could you|show me|explain)\b")
_ORDERS = re.compile(
    rf"""(?ix)^\W*{_OPENERS}(?:add|create|write|implement|build|update|fix|refactor|rename|move|remove|delete|change|review
    |test|document|run|deploy|commit|translate|convert|find|search|check|investigate|debug|plan|design)\b
    (?!\ (?:it|that|this|those|them|both|all)\b)"""
)
_BY_NUMBER = re.compile(
    rf"""(?ix)^\W*(?:yes[\s,.]+)?{_OPENERS}
    (?:(?:add?ress|do|fix|implement|apply|tackle|start|go\ with|proceed\ (?:to|with)|start\ (?:on|with)|use|take|pick
      |drop|skip)\b[\s:]*)?
    (?:(?:the\ )?(?:top|finding|option|phase|step|point|item|issue|number|observation|no\.?)s?\b[\s:]*){{0,2}}
    (?:both\ for\ )?\#?\d{{1,4}}(?:(?:[\s,&+:#.-]|and)+\d{{1,4}})*[\s.!)]*(?:$|[,;(\n])"""
)
_BY_NUMBER_CHARS = 180
"""Longest text read for a choice by number: the list itself may be long."""


class Sighting(Value, frozen=True, kw_only=True):
    """A turn with what was seen on the way to it, so that no later stage reads the same text twice."""

    turn: Turn
    spoken: str = ""
    """What the user wrote in the message that decided, harness text removed; at most 600 characters."""
    subagent: bool = False
    """The call belongs to a sub-agent, whatever its turn."""
    headless: bool = False
    """The client says that no person sits in front of it."""
    skill: Skill | None = None
    """Set where a sentinel names the skill."""


REMEMBERED_TEXTS = 512
"""System texts whose matches are kept: a few per client and version, 600 characters each."""


class Structure:
    """The sentinels of one data file, ready to be asked. Immutable after construction and safe to share."""

    def __init__(self, data: SentinelFile) -> None:
        self.version = data.version
        self._clients = tuple(client for client in data.clients if client.name != "any")
        self._rows = {client.name: _narrowed(client.turns) for client in data.clients}
        self._system_rows = tuple(
            (client.name, row) for client in self._clients for row in client.turns if row.where == "system"
        )
        signs = [sign for client in data.clients for sign in (*client.signs, *client.headless, *client.turns)]
        self._system_signs = tuple(sign for sign in signs if sign.where == "system")
        self._system_row_ids = frozenset(
            id(row) for client in data.clients for row in client.turns if row.where == "system"
        )
        # Most messages begin like none of a client's rows: one look at all beginnings spares a look at each row.
        self._said = {
            client.name: (
                tuple(row.opening for row in client.turns if row.where == "last_user" and row.opening),
                frozenset(row.exact for row in client.turns if row.where == "last_user" and row.exact),
            )
            for client in self._clients
        }
        # An agent sends the same system texts at every step, and they are the longest that rows look at.
        self._matching = functools.lru_cache(maxsize=REMEMBERED_TEXTS)(self._signs_that_hold)

    @classmethod
    def load(cls) -> Structure:
        """The structure of the data file that ships with the package."""
        return cls(sentinels.load())

    def turn_of(self, request: Request) -> Turn:
        """What `request` is. Never raises; a client nobody knows gets `main` for whatever is no tool result."""
        return self.look(request).turn

    def look(self, request: Request) -> Sighting:
        """As `turn_of`, with what later stages need of the texts."""
        last, last_spoken = _last_spoken(request)
        results = last is not None and not last_spoken and holds_results(last)
        first = harness.spoken(request.first_user.text) if request.first_user else ""
        view = sentinels.view_of(request, first_user=first, last_user=last_spoken, matching=self._matching)
        client = self._client_of(view)
        name, version = (client.name, _version_of(view, client)) if client else ("unknown", "")
        headless = client is not None and any(sentinels.holds(sign, view) for sign in client.headless)
        if request.operation != "generate":
            return Sighting(turn=_aside(request, name, version), headless=headless)
        source, row = self._sentinel(view, client)
        by_agent = bool(request.agent_id) or (row is not None and row.kind == "subagent")
        turn = _turn(request, row, source=source, last=last, spoken=last_spoken, results=results, agent=by_agent)
        return Sighting(
            turn=Turn(
                kind=turn.kind,
                housekeeping=turn.housekeeping,
                client=name,
                client_version=version,
                reason=turn.reason,
            ),
            spoken=last_spoken,
            subagent=by_agent,
            headless=headless,
            skill=row.skill if row else None,
        )

    def _signs_that_hold(self, text: str) -> frozenset[int]:
        return frozenset(id(sign) for sign in self._system_signs if sentinels.text_holds(sign, text))

    def _client_of(self, view: View) -> Client | None:
        for client in self._clients:
            for sign in client.signs:
                if sentinels.holds(sign, view):
                    return client
        return None

    def _sentinel(self, view: View, client: Client | None) -> tuple[str, Sentinel | None]:
        """The first row that fits with the section it stands in: own client, then system rows of all, then any."""
        if client:
            openings, exacts = self._said[client.name]
            said = view.last_user
            opens = bool(said) and (said.startswith(openings) or said in exacts)
            for row in self._rows_for(client.name, view):
                if row.where == "last_user" and not opens and (row.opening or row.exact):
                    continue
                if sentinels.fits(row, view):
                    return client.name, row
        if not view.system_holds.isdisjoint(self._system_row_ids):
            for name, row in self._system_rows:
                if sentinels.fits(row, view):
                    return name, row
        for row in self._rows_for("any", view):
            if sentinels.fits(row, view):
                return "any", row
        return "", None

    def _rows_for(self, section: str, view: View) -> tuple[Sentinel, ...]:
        """The rows of a section that can fit: most are for calls without tools, or look at a system text."""
        by_system = not view.system_holds.isdisjoint(self._system_row_ids)
        return self._rows[section][bool(view.request.tool_names), by_system]


def _narrowed(rows: tuple[Sentinel, ...]) -> dict[tuple[bool, bool], tuple[Sentinel, ...]]:
    """The rows that can fit a call, by whether it offers tools and whether any row holds for its system texts."""
    return {
        (tools, by_system): tuple(
            row for row in rows if not (tools and row.no_tools) and (by_system or row.where != "system")
        )
        for tools in (False, True)
        for by_system in (False, True)
    }


def is_followup(text: str) -> bool:
    """Whether `text`, said in the middle of a conversation, only approves, steers or shows a picture."""
    text = IMAGE_MARK.sub("", text).strip()
    if not text:
        return True
    if len(text) <= _BY_NUMBER_CHARS and _BY_NUMBER.match(text):
        return True
    approval = _APPROVAL.match(text[:_BY_NUMBER_CHARS])
    if approval is None:
        abroad = _APPROVAL_ABROAD.match(text)
        return abroad is not None and len(abroad["rest"].strip().encode("utf-8", "replace")) <= _ABROAD_REST_BYTES
    rest = approval["rest"].strip()
    if len(rest) > (_FIRM_REST_CHARS if approval["firm"] else _REST_CHARS):
        return False
    return not _ASKS_MORE.search(rest) and not _ORDERS.match(rest)


def _turn(
    request: Request,
    row: Sentinel | None,
    *,
    source: str,
    last: Message | None,
    spoken: str,
    results: bool,
    agent: bool,
) -> Turn:
    if row is not None and row.kind != "subagent":
        return Turn(kind=row.kind, housekeeping=row.housekeeping, reason=f"sentinel:{source}:{row.name}")
    if results:
        return Turn(kind="continuation", reason="last message holds tool results")
    if agent:
        named = f"sentinel:{source}:{row.name}" if row else "client names a sub-agent"
        return Turn(kind="subagent", reason=named)
    if last is None:
        return Turn(kind="main", reason="no user message in sight")
    if has_history(request) and is_followup(spoken):
        return Turn(kind="followup", reason="short approval or steering")
    return Turn(kind="main", reason="user asks")


def _aside(request: Request, client: str, version: str) -> Turn:
    """The turn of a call that generates nothing."""
    probing = request.operation == "count_tokens" or request.method == "HEAD"
    return Turn(
        kind="housekeeping",
        housekeeping="probe" if probing else "other",
        client=client,
        client_version=version,
        reason=f"operation:{request.operation}",
    )


def _last_spoken(request: Request) -> tuple[Message | None, str]:
    """The last message that is neither system text, nor an answer, nor harness text alone, and the user's words.

    A prefilled answer at the end is skipped, so are reminders that a harness sends behind a tool result. Words are
    empty where the message only brings tool results or pictures.
    """
    for message in reversed(request.recent):
        if message.role in _SYSTEM_ROLES or message.role in ANSWER_ROLES:
            continue
        kinds = frozenset(message.block_kinds)
        if message.role in _TOOL_ROLES or (kinds and kinds <= _RESULT_KINDS):
            return message, ""
        if not kinds and not message.text and message.role != "user":
            # An item of the Responses dialect that is no message: reasoning, a call, a reference.
            continue
        words = harness.spoken(message.text)
        if words or kinds & _RESULT_KINDS or kinds & _IMAGE_KINDS:
            return message, words
    return None, ""


def holds_results(message: Message) -> bool:
    """Whether `message` brings tool results."""
    return message.role in _TOOL_ROLES or not _RESULT_KINDS.isdisjoint(message.block_kinds)


def has_history(request: Request) -> bool:
    """Whether the model has answered in this conversation before; agents that open with a scripted exchange say yes."""
    return any(message.role in ANSWER_ROLES for message in request.recent)


def _version_of(view: View, client: Client) -> str:
    """The version in the user agent, where that is the client's own and not the one of the SDK below it."""
    if not any(sign.header == "user-agent" and sentinels.holds(sign, view) for sign in client.signs):
        return ""
    found = _VERSION.search(view.headers["user-agent"][:120])
    return found[1] if found else ""
