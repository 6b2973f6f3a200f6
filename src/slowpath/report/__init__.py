"""The report of a run: as data (`build`, `save`, `load`), and on a terminal (`terminal.render`)."""

from slowpath.report.build import build
from slowpath.report.model import Report
from slowpath.report.store import load, save

__all__ = ["Report", "build", "load", "save"]
