"""Source for a newer Python than the one that reads it, spelled so that this one can.

Only what parses under no older version is touched, and only in files that do not parse as they
are. Lines stay where they are, so findings point at the right ones:

* PEP 695 and 696: `type Pair[T] = ...`, `def first[T](...)`, `class Box[T = int]:`
* PEP 701: quotes, backslashes and comments inside the braces of an f-string
* PEP 750: `t"..."`
* PEP 758: `except ValueError, KeyError:`
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""#[^\n]*|(?<![\w])(?P<prefix>[a-zA-Z]{0,2})(?P<quote>\"{3}|'{3}|"|')""", re.ASCII
)
_ALIAS = re.compile(r"^([ \t]*)(type[ \t]+)(?=[^\W\d]\w*[ \t]*[\[=])", re.MULTILINE)
_GENERIC = re.compile(
    r"(?:^|(?<=[ \t;:]))(?:def|class|type)[ \t]+[^\W\d]\w*[ \t]*(?=\[)", re.MULTILINE
)
_EXCEPT = re.compile(
    r"^([ \t]*except\*?[ \t]+)([\w.]+(?:[ \t]*,[ \t]*[\w.]+)+)(?=[ \t]*:)", re.MULTILINE
)


def rewritten(text: str) -> str:
    """The same program for an older Python, line by line; what is not known is left as it is."""
    pieces, masked = [], []
    for part, literal in _parts(text):
        pieces.append(part)
        # Whatever stands in texts and comments must not look like code, nor move anything.
        masked.append(re.sub(r"[^\n]", "_", part) if literal else part)
    return _statements("".join(pieces), "".join(masked))


# -- f-strings -------------------------------------------------------------------------------


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """(piece, whether it is a text or a comment), with old-fashioned f-strings."""
    done = 0
    while match := _TOKEN.search(text, done):
        start = match.start()
        if match["quote"] is None:
            yield text[done:start], False
            yield match[0], True
            done = match.end()
            continue
        prefix = match["prefix"].lower()
        formatted = "f" in prefix or "t" in prefix
        end = _end(text, match.end(), match["quote"], formatted)
        yield text[done:start], False
        body = text[start:end]
        yield (_plain(body, match["prefix"], match["quote"]) if formatted else body), True
        done = end
    yield text[done:], False


def _end(text: str, start: int, quote: str, formatted: bool) -> int:
    """Where the text that begins at `start` ends, behind its closing quote."""
    position = start
    while position < len(text):
        char = text[position]
        if char == "\\":
            position += 2
        elif text.startswith(quote, position):
            return position + len(quote)
        elif char == "\n" and len(quote) == 1:
            return position  # not closed: whatever this is, it is left alone
        elif formatted and char == "{":
            if text.startswith("{{", position):
                position += 2
            else:
                position = _hole(text, position + 1)
        else:
            position += 1
    return len(text)


def _hole(text: str, start: int) -> int:
    """Where a replacement field ends, behind its brace; texts inside may hold anything."""
    depth, position = 1, start
    while position < len(text):
        char = text[position]
        if char in "{[(":
            depth += 1
        elif char in "}])":
            depth -= 1
            if depth == 0:
                return position + 1
        elif char in "\"'":
            quote = char * 3 if text.startswith(char * 3, position) else char
            before = text[max(position - 2, start) : position].lower()
            formatted = before[-1:] in ("f", "t") or before in ("fr", "tr")
            position = _end(text, position + len(quote), quote, formatted)
            continue
        position += 1
    return len(text)


def _plain(body: str, prefix: str, quote: str) -> str:
    """An f-string whose fields hold no backslash, and its own quote only as far as they may."""
    out = []
    position = len(prefix) + len(quote)
    longer = False
    while position < len(body) - len(quote):
        if body.startswith(("{{", "\\"), position):
            out.append(body[position : position + 2])
            position += 2
        elif body[position] == "{":
            end = _hole(body, position + 1)
            out.append(body[position:end].replace("\\", " "))
            longer = longer or "\n" in out[-1] or quote in out[-1]
            position = end
        else:
            out.append(body[position])
            position += 1
    fence = quote[0] * 3 if longer else quote
    head = prefix.replace("t", "f").replace("T", "F")
    return "".join([head, fence, *out, fence, body[position + len(quote) :]])


# -- statements ------------------------------------------------------------------------------


def _statements(text: str, masked: str) -> str:
    chars = list(text)
    for match in _GENERIC.finditer(masked):
        end = _closing(masked, match.end())
        if end:
            # What ran over lines within brackets now does so by continuation.
            for place in range(match.end(), end):
                if chars[place] == "\n":
                    chars[place] = "\\\n"
                elif chars[place] != "\\\n":
                    chars[place] = " "
    for match in _ALIAS.finditer(masked):
        chars[match.start(2) : match.end(2)] = [""] * len(match[2])
    for match in _EXCEPT.finditer(masked):
        chars[match.start(2)] = "(" + chars[match.start(2)]
        chars[match.end(2) - 1] += ")"
    return "".join(chars)


def _closing(masked: str, start: int) -> int:
    """Behind the bracket that closes the one at `start`; 0 if none does."""
    depth = 0
    for place in range(start, len(masked)):
        if masked[place] in "[({":
            depth += 1
        elif masked[place] in "])}":
            depth -= 1
            if depth == 0:
                return place + 1
    return 0
