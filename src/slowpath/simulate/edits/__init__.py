"""The vocabulary of edits: how a workload would differ if something were cured.

An edit is a value; applied to a workload it gives another one. Edits compose: `apply` takes them
in order. Causes say which edit stands for their cure; capacity planning uses the same words.
"""

from __future__ import annotations

from slowpath.simulate.edits.amount import Rate, Replicas, Users, Workers
from slowpath.simulate.edits.base import All, Edit, OneOf, apply, choices
from slowpath.simulate.edits.held import ReleasedMeanwhile, Resized
from slowpath.simulate.edits.joined import Batched, Merged, Together
from slowpath.simulate.edits.spent import (
    Cached,
    InBackground,
    Offloaded,
    Overlapped,
    Relieved,
    Scaled,
)

__all__ = [
    "All",
    "Batched",
    "Cached",
    "Edit",
    "InBackground",
    "Merged",
    "Offloaded",
    "OneOf",
    "Overlapped",
    "Rate",
    "ReleasedMeanwhile",
    "Relieved",
    "Replicas",
    "Resized",
    "Scaled",
    "Together",
    "Users",
    "Workers",
    "apply",
    "choices",
]
