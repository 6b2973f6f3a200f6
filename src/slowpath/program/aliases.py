"""Names under which files import each other though they do not begin at the folder scanned.

A repository may keep its packages in `server/` or `backend/`, which are on the path when it runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from slowpath.program.model import Module


def aliases(modules: Iterable[Module]) -> Iterator[tuple[str, Module]]:
    """Shorter names of modules, those that two of them could have left out."""
    modules = list(modules)
    packages = {each.name for each in modules if each.is_package}
    found: dict[str, Module | None] = {}
    for module in modules:
        for name in _shorter(module.name, packages):
            found[name] = None if name in found else module
    yield from ((name, module) for name, module in found.items() if module is not None)


def _shorter(name: str, packages: set[str]) -> Iterator[str]:
    """Names without the folders above the outermost package; without any package all that have
    two parts, for one alone may be that of a library."""
    parts = name.split(".")
    for number in range(len(parts)):
        if ".".join(parts[: number + 1]) in packages:
            if number:
                yield ".".join(parts[number:])
            return
    for number in range(1, len(parts) - 1):
        yield ".".join(parts[number:])
