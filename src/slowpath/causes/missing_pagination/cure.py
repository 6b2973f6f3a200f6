"""A limit on the statement."""

from __future__ import annotations

import libcst as cst

from slowpath.codemod import Change, Refused, Site
from slowpath.codemod.statements import is_query, selecting, whole, with_method

MOST = 100


def cure(site: Site) -> Change:
    """Fetch a bounded number of rows."""
    spot = site.spot()
    fetch = spot.call(site.culprit_name, site.end_line)
    call = selecting(spot)
    target: cst.BaseExpression = whole(spot, call)
    if is_query(call):
        # Behind all filters, which a query refuses once it has a limit.
        if target is not fetch or not isinstance(fetch.func, cst.Attribute):
            raise Refused("The query is not fetched where it is written.")
        target = fetch.func.value
    return spot.change(
        {target: with_method(f"limit({MOST})")},
        title=f"Fetch at most {MOST} rows.",
        look=f"Callers that read everything get the first {MOST}: give them a way to ask for more.",
    )
