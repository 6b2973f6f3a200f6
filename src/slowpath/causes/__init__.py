"""The catalogue of causes: found in folders and entry points, never listed.

`builtin` walks this package; another package adds its own causes with an entry point in the
group `slowpath.causes` that returns them.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from slowpath.causes.base import Cause, Finding, Safety, detect

if TYPE_CHECKING:
    from slowpath.ledger import Ledger

__all__ = ["Cause", "Finding", "Safety", "builtin", "catalogue", "diagnose"]


def builtin() -> list[Cause]:
    """Return the causes of slowpath's own folders; modules beside these are what they share."""
    found = []
    for info in iter_modules(__path__):
        if not info.ispkg:
            continue
        module = import_module(f"{__name__}.{info.name}")
        cause = getattr(module, "CAUSE", None)
        if isinstance(cause, Cause):
            found.append(cause)
    return found


@cache
def catalogue() -> dict[str, Cause]:
    """Return every installed cause by its slug.

    Raises:
        ValueError: two causes have one slug.
    """
    found: dict[str, Cause] = {}
    own = {point.value: point for point in entry_points(group="slowpath.causes")}
    makers = [point.load() for point in own.values()] or [builtin]
    for make in makers:
        for cause in make():
            if found.setdefault(cause.slug, cause) is not cause:
                raise ValueError(f"two causes are called {cause.slug}")
    return found


def diagnose(ledger: Ledger) -> list[Finding]:
    """Return the findings of every cause in a ledger, settled, the most charged first."""
    # A scan needs nothing of what this loads.
    from slowpath.causes.claims import settle

    found = [finding for cause in catalogue().values() for finding in detect(cause, ledger)]
    return sorted(settle(ledger, found), key=_charged, reverse=True)


def _charged(finding: Finding) -> tuple[float, int]:
    blame = finding.blame
    return (blame.share_of_p95, blame.total_ns) if blame is not None else (0.0, 0)
