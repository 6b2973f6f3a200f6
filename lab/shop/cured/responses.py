"""JSON of our own rows, written as it is: the schema documents it, tests hold it to that."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import Response


def to_json(value: Any) -> bytes:
    """Encode dicts, lists and dates, dates in UTC with a Z as Pydantic writes them."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


class Json(Response):
    """A response whose content is encoded by `to_json`, unless it is bytes already."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return content if isinstance(content, bytes) else to_json(content)
