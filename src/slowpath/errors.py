"""The errors a person can do something about."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can put right; shown as a sentence, never as a traceback.

    Args:
        message: one or two sentences: what is wrong and what to do about it.
        details: lines to show beneath, such as the last lines of the app's own log.
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.details = details
