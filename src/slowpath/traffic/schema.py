"""A plausible value for a parameter that only its JSON schema describes."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]
Resolve = Callable[[Schema], Schema]

_BY_FORMAT = {
    "date": "2024-01-01",
    "date-time": "2024-01-01T00:00:00Z",
    "time": "00:00:00",
    "duration": "P1D",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "hostname": "example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
}


def stated(schema: Schema, resolve: Resolve) -> list[Any]:
    """The values that the schema itself offers: examples, default, const, enum."""
    schema = resolve(schema)
    offered: list[Any] = []
    examples = schema.get("examples", [])
    if isinstance(examples, Mapping):
        examples = [one.get("value") for one in examples.values() if isinstance(one, Mapping)]
    if isinstance(examples, list):
        offered += examples
    offered += [schema[key] for key in ("example", "default", "const") if key in schema]
    offered += schema.get("enum", [])
    for part in _alternatives(schema):
        offered += stated(part, resolve)
    seen: list[Any] = []
    for value in offered:
        if value is not None and value not in seen:
            seen.append(value)
    return seen


def guess(schema: Schema, resolve: Resolve) -> Any:
    """A value that the schema allows, or None if none is found."""
    schema = resolve(schema)
    if offered := stated(schema, resolve):
        return offered[0]
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), None)
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    if kind == "boolean":
        return False
    if kind == "string":
        return _text(schema)
    if kind == "array":
        item = guess(schema.get("items", {"type": "string"}), resolve)
        return None if item is None else [item] * max(1, int(schema.get("minItems", 1)))
    for part in _alternatives(schema):
        if (value := guess(part, resolve)) is not None:
            return value
    # No type at all allows anything.
    return "1" if not schema.keys() - {"title", "description"} else None


def fits(value: Any, schema: Schema, resolve: Resolve) -> bool:
    """Whether a value found elsewhere can stand for the parameter, as far as types tell."""
    schema = resolve(schema)
    if parts := _alternatives(schema):
        return any(fits(value, part, resolve) for part in parts)
    if "enum" in schema:
        return value in schema["enum"]
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "integer" in kinds or "number" in kinds:
        return bool(re.fullmatch(r"-?\d+", str(value)))
    if schema.get("format") == "uuid":
        try:
            uuid.UUID(str(value))
        except ValueError:
            return False
    return True


def _alternatives(schema: Schema) -> list[Schema]:
    return [
        part
        for key in ("anyOf", "oneOf", "allOf")
        for part in schema.get(key, ())
        if part.get("type") != "null"
    ]


def _number(schema: Schema, whole: bool) -> float | int | None:
    step = schema.get("multipleOf", 1)
    low = schema.get("minimum", -math.inf)
    if isinstance(exclusive := schema.get("exclusiveMinimum"), (int, float)):
        low = max(low, exclusive + (step if whole else 1e-3))
    high = schema.get("maximum", math.inf)
    if isinstance(exclusive := schema.get("exclusiveMaximum"), (int, float)):
        high = min(high, exclusive - (step if whole else 1e-3))
    value = min(max(step, low), high)
    if whole:
        value = math.ceil(value / step) * step
    if not low <= value <= high:
        return None
    return int(value) if whole else value


def _text(schema: Schema) -> str | None:
    value = _BY_FORMAT.get(schema.get("format", ""), "a")
    value = value.ljust(int(schema.get("minLength", 0)), "a")
    if len(value) > schema.get("maxLength", math.inf):
        return None
    pattern = schema.get("pattern")
    if pattern is None:
        return value
    # Short patterns are met by one of these or not at all; ids come from lists anyway.
    for candidate in (value, "1", "A", "a1", "aaaa", "AAAA", "0000", "en", "USD", "asc"):
        try:
            if re.search(pattern, candidate):
                return candidate
        except re.error:
            break
    return None
