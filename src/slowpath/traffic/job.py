"""What the load generator is told, and what it tells: lines of JSON through two pipes.

The job goes through a pipe and not through a file or an argument, since headers may be secrets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from slowpath.traffic.plan import Plan, Target

STOP = "stop"
"""The line that ends the traffic before its time; so does the end of the pipe."""


@dataclass(frozen=True, slots=True)
class Job:
    """Everything the load generator needs.

    Attributes:
        client_csv: path of the log to write.
        rate: requests per second over all users; None lets each user send as soon as it can.
        headers: sent with every request to the app.
        grace_s: how long requests under way may take to finish when the traffic ends.
    """

    base_url: str
    users: int
    warmup_s: float
    duration_s: float
    client_csv: str
    plan: Plan
    headers: Mapping[str, str]
    rate: float | None = None
    grace_s: float = 5.0

    def to_line(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Job:
        content = json.loads(line)
        plan = content.pop("plan")
        targets = tuple(
            Target(**{**target, "urls": tuple(target["urls"])}) for target in plan.pop("targets")
        )
        # What is not driven concerns the report alone.
        plan.pop("not_driven")
        return cls(**content, plan=Plan(**plan, targets=targets))


@dataclass(frozen=True, slots=True)
class Tick:
    """How the traffic goes, about once a second.

    Attributes:
        phase: `warmup` or `drive`.
        elapsed_s: since the phase began.
        requests, failed: since the phase began.
        rps, p95_ms: over the last seconds.
    """

    phase: str
    elapsed_s: float
    users: int
    requests: int
    failed: int
    rps: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Done:
    """The traffic ended in order.

    Attributes:
        start_ns, end_ns: the measured window by `perf_counter_ns`; None if it never began.
        exceptions: messages of what the user's locustfile raised, with their number.
        short_of_cpu: the generator had less CPU than it wanted at some time.
    """

    start_ns: int | None
    end_ns: int | None
    exceptions: tuple[tuple[str, int], ...] = ()
    short_of_cpu: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """The load generator cannot do its job; `message` is a sentence for the user."""

    message: str
    details: str = ""


Event = Tick | Done | Failed

_EVENTS: dict[str, type[Tick] | type[Done] | type[Failed]] = {
    "tick": Tick,
    "done": Done,
    "failed": Failed,
}


def event_to_line(event: Event) -> str:
    [kind] = [kind for kind, type_ in _EVENTS.items() if isinstance(event, type_)]
    return json.dumps({"event": kind, **asdict(event)}) + "\n"


def event_from_line(line: str) -> Event:
    content: dict[str, Any] = json.loads(line)
    kind = content.pop("event")
    if kind == "done":
        content["exceptions"] = tuple((text, count) for text, count in content["exceptions"])
    return _EVENTS[kind](**content)
