"""Call a path by its route template, so that `/users/7` and `/users/8` are one endpoint."""

from __future__ import annotations

import re
from collections.abc import Iterable

PARAMETER = re.compile(r"\{([^{}]+)\}")


def path_of(url: str) -> str:
    """The path of a URL or of a path with a query; never the query or the fragment."""
    without_host = re.sub(r"^[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*", "", url)
    return re.split(r"[?#]", without_host, maxsplit=1)[0] or "/"


class RouteNames:
    """Finds the template of a path; a path that fits none is its own name.

    Args:
        templates: such as `/users/{user_id}` and `/files/{path:path}`.
    """

    def __init__(self, templates: Iterable[str]) -> None:
        # The more fixed text, the more specific: /users/me comes before /users/{user_id}.
        by_fixed_text = sorted(
            set(templates), key=lambda template: (-len(PARAMETER.sub("", template)), template)
        )
        self._patterns = [(template, _pattern(template)) for template in by_fixed_text]

    def name(self, url: str) -> str:
        """The template of a URL's path, or the path."""
        path = path_of(url)
        for template, pattern in self._patterns:
            if pattern.fullmatch(path):
                return template
        return path


def _pattern(template: str) -> re.Pattern[str]:
    parts = PARAMETER.split(template)
    fixed, parameters = parts[::2], parts[1::2]
    pattern = re.escape(fixed[0])
    for parameter, text in zip(parameters, fixed[1:], strict=True):
        pattern += ".+" if parameter.endswith(":path") else "[^/]+"
        pattern += re.escape(text)
    return re.compile(pattern)
