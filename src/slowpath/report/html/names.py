"""Numbers for places and texts: the page holds each once, and only those that it shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePath

import slowpath
from slowpath.recording import Site
from slowpath.report.findings import relative
from slowpath.report.words import shorten

#: No statement and no route needs more to be told apart from others.
MOST_CHARACTERS = 2000
_INSTALLED = re.compile(r"^.*/(?:site|dist)-packages/|^.*/lib/python3\.\d+/")

#: Where slowpath is, its probe in it: never the app's own code, wherever it was installed from.
_SLOWPATH = f"{Path(slowpath.__file__).parent}/"

#: Path, line, function, and whether it is installed code rather than the app's own.
Place = tuple[str, int, str, bool]


class Names:
    """Hands out the page's numbers of sites and texts of a recording; 0 means none."""

    def __init__(self, sites: Sequence[Site], texts: Sequence[str], root: Path) -> None:
        self._sites, self._texts, self._root = sites, texts, root
        self._site_numbers: dict[int | Site, int] = {0: 0}
        self._text_numbers = {0: 0}

    def site(self, number: int) -> int:
        """Return the page's number of a site."""
        return self._site_numbers.setdefault(number, len(self._site_numbers))

    def other(self, site: Site) -> int:
        """Return the page's number of a site that is not the recording's."""
        return self._site_numbers.setdefault(site, len(self._site_numbers))

    def text(self, number: int) -> int:
        """Return the page's number of a text."""
        return self._text_numbers.setdefault(number, len(self._text_numbers))

    @property
    def places(self) -> list[Place]:
        """The sites that were numbered, in the order of their numbers."""
        sites = (self._sites[one] if isinstance(one, int) else one for one in self._site_numbers)
        return [place_of(site, self._root) for site in sites]

    @property
    def words(self) -> list[str]:
        """The texts that were numbered, in the order of their numbers."""
        return [shorten(self._texts[number], MOST_CHARACTERS) for number in self._text_numbers]


def place_of(site: Site, root: Path) -> Place:
    """Describe a site; a path beneath `root` becomes relative to it."""
    path, line, function = site
    # A virtual environment often lies beneath the project; compiled code tells no full path.
    installed = (
        bool(_INSTALLED.match(path))
        or not PurePath(path).is_absolute()
        or path.startswith(_SLOWPATH)
    )
    shown = short_path(path) if installed else relative(path, root)
    return shorten(shown, MOST_CHARACTERS), line, shorten(function, MOST_CHARACTERS), installed


def short_path(path: str) -> str:
    """Leave out the way to an installed package.

    >>> short_path("/srv/venv/lib/python3.12/site-packages/anyio/_core/_tasks.py")
    'anyio/_core/_tasks.py'
    """
    return _INSTALLED.sub("", path)
