"""Double-entry book-keeping over a recording: who did what, who waited on whom."""

from slowpath.ledger.build import build
from slowpath.ledger.model import (
    ACTIVITIES,
    ACTIVITY_NAMES,
    CHARGE,
    Blame,
    Endpoint,
    Ledger,
    Mode,
)

__all__ = ["ACTIVITIES", "ACTIVITY_NAMES", "CHARGE", "Blame", "Endpoint", "Ledger", "Mode", "build"]
