"""The report of a run: as data (`build`, `save`, `load`), and on a terminal (`terminal.render`).

What a run's report is made with is loaded when it is asked for: a scan reports without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slowpath.report.model import Report
    from slowpath.report.store import load, save
    from slowpath.report.whole import build

__all__ = ["Report", "build", "load", "save"]

_PLACES = {"Report": "model", "build": "whole", "load": "store", "save": "store"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    return found
