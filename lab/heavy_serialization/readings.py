"""What the sensors told, as a query on the service's own database would bring it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Channel(BaseModel):
    name: str
    value: float
    unit: str


class Reading(BaseModel):
    id: int
    sensor: str
    taken_at: str
    channels: list[Channel]


UNITS = {"temperature": "C", "humidity": "%", "pressure": "hPa"}


def latest(limit: int) -> list[dict[str, Any]]:
    """Return the latest readings, newest first."""
    return _ROWS[:limit]


_ROWS: list[dict[str, Any]] = [
    {
        "id": n,
        "sensor": f"sensor-{n % 40}",
        "taken_at": f"2024-03-{n % 28 + 1:02d}T12:00:00",
        "channels": [
            {"name": name, "value": n * 31 % 997 / 10, "unit": unit} for name, unit in UNITS.items()
        ],
    }
    for n in range(2500)
]
