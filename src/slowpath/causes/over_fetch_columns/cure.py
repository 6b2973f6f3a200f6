"""Only the columns that the loop uses."""

from __future__ import annotations

import re

from slowpath.codemod import Change, Refused, Site
from slowpath.codemod.statements import is_query, selecting, whole, with_method

_CHOSEN = ("load_only", "defer(", "with_only_columns", "undefer")
_USED = re.compile(r"the loop uses ([\w ]+)$")


def cure(site: Site) -> Change:
    """Load the entities with these columns alone."""
    used = _USED.search(site.message)
    if used is None:
        raise Refused("Which columns are used is not known.")
    spot = site.spot()
    if any(name in spot.function_text() for name in _CHOSEN):
        raise Refused(f"{site.function} chooses its columns already.")
    model = site.culprit
    call = selecting(spot, model)
    written = spot.region.code(call.args[0].value).strip()
    names = [f"{written}.{name}" for name in used[1].split(" and ")]
    loader = spot.name("sqlalchemy.orm.load_only")
    # A query has its options before it is fetched; a statement takes them anywhere.
    target = call if is_query(call) else whole(spot, call)
    return spot.change(
        {target: with_method(f"options({loader}({', '.join(names)}))")},
        title=f"Load only {' and '.join(names)}.",
        look="Any other column is fetched when it is read, which an async session refuses.",
    )
