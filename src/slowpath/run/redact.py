"""Take secrets out of a command line before it is stored or shown."""

from __future__ import annotations

import re
from collections.abc import Sequence

HIDDEN = "***"

_SECRET_NAME = (
    r"(?:[\w.-]*[_.-])?(?:token|secret(?:[-_]?key)?|passw(?:or)?d|passphrase|pwd|api[-_]?key|access[-_]?key"
    r"|private[-_]?key|credential|authorization|auth|dsn)s?"
)
_ASSIGNED = re.compile(rf"(?i)((?:^|[\s&?;,'\"])(?:--?)?{_SECRET_NAME}\s*[=:]\s*)([^\s&;,'\"]+)")
_FOLLOWING = re.compile(rf"(?i)((?:^|\s)--?{_SECRET_NAME}\s+)([^\s-][^\s]*)")
_OPTION = re.compile(rf"(?i)--?{_SECRET_NAME}")
_IN_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s/:@]*):[^\s/@]+@")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_SHAPED = re.compile(
    r"\b(?:sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|xox[a-z]-[A-Za-z0-9-]{10,}"
    r"|AKIA[A-Z0-9]{16}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)"
)


def redact(text: str) -> str:
    """Replace what looks like a password, token or key within a text."""
    text = _IN_URL.sub(rf"\1:{HIDDEN}@", text)
    text = _BEARER.sub(rf"\1 {HIDDEN}", text)
    text = _ASSIGNED.sub(rf"\1{HIDDEN}", text)
    text = _FOLLOWING.sub(rf"\1{HIDDEN}", text)
    return _SHAPED.sub(HIDDEN, text)


def redact_command(command: Sequence[str]) -> list[str]:
    """The same for a command; an option named like a secret hides the argument after it."""
    shown: list[str] = []
    for argument in command:
        if shown and _OPTION.fullmatch(shown[-1]) and not argument.startswith("-"):
            shown.append(HIDDEN)
        else:
            shown.append(redact(argument))
    return shown
