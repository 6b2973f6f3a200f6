"""Edits of how much there is: workers, users, machines."""

from __future__ import annotations

from dataclasses import dataclass, replace

from slowpath.simulate.workload import (
    Workload,
)


@dataclass(frozen=True)
class Workers:
    """Another number of processes."""

    count: int

    def apply(self, workload: Workload) -> Workload:
        return replace(workload, workers=self.count)


@dataclass(frozen=True)
class Users:
    """Another number of users, each thinking as long as before."""

    count: int

    def apply(self, workload: Workload) -> Workload:
        return replace(workload, load=replace(workload.load, users=self.count))


@dataclass(frozen=True)
class Rate:
    """So many requests a second, whether or not earlier ones are answered."""

    per_s: float

    def apply(self, workload: Workload) -> Workload:
        load = replace(workload.load, users=0, think_ns=0.0, rate=self.per_s, paced=False)
        return replace(workload, load=load)


@dataclass(frozen=True)
class Replicas:
    """So many machines like this one behind a balancer; one is simulated with its share.

    What all share (stations with a capacity) has the same share for each, which is right where
    many send independently of each other.
    """

    count: int

    def apply(self, workload: Workload) -> Workload:
        stations = tuple(
            replace(station, capacity=station.capacity / self.count)
            for station in workload.stations
        )
        load = workload.load
        load = replace(load, rate=load.rate / self.count, users=-(-load.users // self.count))
        return replace(workload, stations=stations, load=load)
