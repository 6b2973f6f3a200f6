"""The parts of a simulated system, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from slowpath.simulate.warmth import Warmth


class Way(NamedTuple):
    """What a request's way to the server and its answer's way back take, ns."""

    there_ns: int = 0
    back_ns: int = 0


NO_WAY = Way()


@dataclass(frozen=True)
class PoolSpec:
    """A pool of every worker: `size` places; `timeout_ns` of 0 means that waiting never ends.

    Attributes:
        barging: whether a free place goes to whoever asks next, as with `asyncio.Queue`: whoever
            is first in line is woken, but if another comes before it is its turn on the loop,
            it stands in line anew. Else places are handed over in the order of the line.
        favour: how many times as many get before the line as come by in between; less than one
            if some of these find the place kept for whoever was woken.
    """

    name: str
    size: int
    timeout_ns: int = 0
    barging: bool = False
    favour: float = 1.0


@dataclass(frozen=True)
class StationSpec:
    """A remote part; `capacity` bounds how many are served at full speed, 0 for any number.

    With n > capacity there, each goes on at the speed capacity / n.
    """

    name: str
    capacity: float = 0.0


@dataclass(frozen=True)
class BatchSpec:
    """Requests that are worked off together: up to `size`, waiting `window_ns` for each other."""

    name: str
    size: int
    window_ns: int


@dataclass(frozen=True)
class System:
    """The parts that scripts use; scripts name pools, stations and batches by position.

    Attributes:
        workers: processes, each with a loop, pools and a GIL of its own.
        cores: what all workers share; 0 for as many as they want.
        warmth: how much slower a loop does work that it has not done for a while.
    """

    pools: tuple[PoolSpec, ...] = ()
    stations: tuple[StationSpec, ...] = ()
    batches: tuple[BatchSpec, ...] = ()
    workers: int = 1
    cores: int = 0
    warmth: Warmth = Warmth()
