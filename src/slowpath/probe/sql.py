"""What the database hooks share: SQL as a fingerprint, and who tells of a statement."""

import re
from typing import Any, Dict

from slowpath.probe.core import Line, text

#: Lines inside a call that is told already, by id, and since when (ns): what a driver does
#: beneath it stays silent.
covered: Dict[int, int] = {}


def is_covered(line: Line) -> bool:
    """Tell whether a span further out tells what `line` does now.

    That is so too for a task that was born within such a call, of the driver's making.
    """
    if line.id in covered:
        return True
    since = covered.get(line.parent)
    return since is not None and getattr(line, "born", 0) >= since


#: Statements that are remembered, and the longest of them in characters: at most some 10 MB.
MAX_KNOWN = 1_000
MAX_LENGTH = 10_000
#: Longest fingerprint, in characters.
MAX_FINGERPRINT = 1_900

#: One token that is replaced or kept whole. A literal that does not end runs to the end.
_TOKEN = re.compile(
    r"""
    # What a token may begin with: tells most places at once that none is there.
    (?=[\s"'`$%:?.\d/-]|[a-zA-Z&]{1,2}')
    (?: (?P<space> (?: [^\S ]\s* | [ ]\s+ | \s*--[^\n]* | \s*/\*.*?(?:\*/|\Z) )+ \s* )
    | (?P<quoted> "(?:[^"]|"")*(?:"|\Z) | `[^`]*(?:`|\Z) )
    | \b[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)
    | (?:\b(?:[nNbBxX]|[uU]&))?'(?:[^']|'')*(?:'|\Z)
    | \$(?P<tag>(?:[A-Za-z_]\w*)?)\$ .*? (?:\$(?P=tag)\$|\Z)
    | %\(\w+\)s | %[sbt] | \$\d+ | (?<![:\w]):[A-Za-z_]\w* | \?
    | (?<!\w)(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\w* )
    """,
    re.VERBOSE | re.DOTALL,
)
_NAME = re.compile(r'"[^\W\d][\w. ]{0,62}"|`[^\W\d][\w. ]{0,62}`')
_SIGNED = re.compile(r"([(,=<>+*/] ?)[-+] ?\?")
_CAST = r"(?: ?:: ?[\w ]+?(?:\[\])?)?"
#: A list of values, of which one stands for all.
_LIST = re.compile(rf"\( ?(\?{_CAST})(?: ?, ?\?{_CAST})+ ?\)")
_IN = re.compile(rf"(?i)\b(in) ?{_LIST.pattern}")
_VALUES = re.compile(r"(?i)\b(values) ?(\([^()]*\))(?: ?, ?\([^()]*\))+")

_known: Dict[str, str] = {}
_ids: Dict[str, int] = {}


def fingerprint_id(statement: Any) -> int:
    """Return the text id of a statement's fingerprint."""
    if type(statement) is str:
        found = _ids.get(statement)
        if found is not None:
            return found
    number = text(fingerprint(statement))
    if type(statement) is str and len(statement) <= MAX_LENGTH:
        if len(_ids) >= MAX_KNOWN:
            _ids.clear()
        _ids[statement] = number
    return number


def fingerprint(statement: Any) -> str:
    """Return the shape of a statement: values become `?`, lists of them one, comments go.

    >>> fingerprint("SELECT * FROM t WHERE a = 'x' AND b IN ($1, $2)  -- for Ann")
    'SELECT * FROM t WHERE a = ? AND b IN (?)'
    """
    if type(statement) is str:
        found = _known.get(statement)
        if found is not None:
            return found
    return _add(statement)


def _add(statement: Any) -> str:
    if isinstance(statement, (bytes, bytearray)):
        statement = bytes(statement[:MAX_LENGTH]).decode("utf-8", "replace")
    elif not isinstance(statement, str):
        return type(statement).__name__
    made = _make(statement[:MAX_LENGTH])
    if len(statement) <= MAX_LENGTH:
        if len(_known) >= MAX_KNOWN:
            _known.clear()
        _known[str(statement)] = made
    return made


def _make(statement: str) -> str:
    text = _TOKEN.sub(_replacement, statement).strip(" ;")
    text = _SIGNED.sub(r"\1?", text) if "-" in text or "+" in text else text
    text = _VALUES.sub(r"\1 \2", _IN.sub(r"\1 (\2)", text))
    return text[:MAX_FINGERPRINT]


def _replacement(match: "re.Match[str]") -> str:
    if match["space"]:
        return " "
    name = match["quoted"]
    # Where a dialect takes such quotes for a string's, only what looks like a name is kept.
    return name if name and _NAME.fullmatch(name) else "?"
