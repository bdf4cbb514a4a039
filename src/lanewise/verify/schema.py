"""Hold a JSON value against the part of JSON Schema that tools and structured outputs use.

Known: type, properties, required, additionalProperties = false, items, enum, const, anyOf, oneOf, allOf, local $ref.
Every other keyword is ignored, so a value may pass here and fail at the full standard, never the other way round.
Gemini's spelling of types (``OBJECT``) is understood.
"""

from __future__ import annotations

import json
from typing import Any, Final

DEPTH: Final = 40
STEPS: Final = 20_000
"""Values looked at; a hostile value or schema ends the look, and what was not looked at passes."""

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "number": (int, float),
    "integer": (int,),
}


def parsed(text: str) -> tuple[bool, Any]:
    """Whether `text` is JSON, and the value (any)."""
    try:
        return True, json.loads(text)
    except (ValueError, RecursionError):
        return False, None


def fault(value: Any, schema: dict[str, Any]) -> str:
    """Code of the first thing about `value` (any JSON) that `schema` forbids; empty where it finds none."""
    return _Look(schema).fault(value, schema, 0)


class _Look:
    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._steps = 0

    def fault(self, value: Any, schema: Any, depth: int) -> str:
        self._steps += 1
        if not isinstance(schema, dict) or depth > DEPTH or self._steps > STEPS:
            return ""
        if isinstance(schema.get("$ref"), str):
            return self.fault(value, self._referred(schema["$ref"]), depth + 1)
        if not _is_of(value, schema.get("type")) and not (value is None and schema.get("nullable") is True):
            return "wrong_type"
        if isinstance(schema.get("enum"), list) and value not in schema["enum"]:
            return "not_in_enum"
        if "const" in schema and value != schema["const"]:
            return "not_in_enum"
        return self._combined(value, schema, depth) or self._inside(value, schema, depth)

    def _combined(self, value: Any, schema: dict[str, Any], depth: int) -> str:
        for key in ("anyOf", "oneOf"):
            options = schema.get(key)
            if isinstance(options, list) and options:
                faults = [self.fault(value, option, depth + 1) for option in options]
                if all(faults):
                    return faults[0]
        if isinstance(schema.get("allOf"), list):
            return next(filter(None, (self.fault(value, each, depth + 1) for each in schema["allOf"])), "")
        return ""

    def _inside(self, value: Any, schema: dict[str, Any], depth: int) -> str:
        if isinstance(value, list):
            items = schema.get("items")
            return next(filter(None, (self.fault(each, items, depth + 1) for each in value)), "")
        if not isinstance(value, dict):
            return ""
        required = schema.get("required")
        if isinstance(required, list) and any(isinstance(key, str) and key not in value for key in required):
            return "missing_key"
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            return ""
        if schema.get("additionalProperties") is False and any(key not in properties for key in value):
            return "unknown_key"
        inner = ((each, properties[key]) for key, each in value.items() if key in properties)
        return next(filter(None, (self.fault(each, kind, depth + 1) for each, kind in inner)), "")

    def _referred(self, reference: str) -> Any:
        found: Any = self._root
        if not reference.startswith("#"):
            return {}
        for name in reference[1:].split("/")[1:]:
            found = found.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        return found or {}


def _is_of(value: Any, kind: Any) -> bool:
    """Whether `value` is of the schema's `type`; an unknown type allows everything."""
    if isinstance(kind, list):
        return any(_is_of(value, each) for each in kind)
    wanted = _TYPES.get(kind.lower()) if isinstance(kind, str) else None
    if wanted is None:
        return True
    if isinstance(value, bool):
        return bool in wanted
    if isinstance(value, float) and wanted == (int,):
        return value.is_integer()
    return isinstance(value, wanted)
