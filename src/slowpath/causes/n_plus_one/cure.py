"""A loader option, where the rows' statement is written in the same function."""

from __future__ import annotations

import re

from slowpath.codemod import Change, Refused, Site
from slowpath.codemod.statements import is_query, selecting, whole, with_method

# `scan` names a lazy relationship so.
_RELATION = re.compile(r"^([A-Za-z_]\w*)\.(\w+)$")
_LAZY = "load it with selectinload()"


def cure(site: Site) -> Change:
    """Load the relationship of all rows with one more statement."""
    relation = _RELATION.match(site.culprit)
    if relation is None or _LAZY not in site.message:
        raise Refused(
            "A loop of queries becomes one statement in more ways than one: order, missing rows "
            "and what the loop filters are for a reader to see to."
        )
    spot = site.spot()
    call = selecting(spot, relation[1])
    written = spot.region.code(call.args[0].value).strip()
    loader = spot.name("sqlalchemy.orm.selectinload")
    target = call if is_query(call) else whole(spot, call)
    return spot.change(
        {target: with_method(f"options({loader}({written}.{relation[2]}))")},
        title=f"Load {site.culprit} for all rows at once.",
        look="It is loaded for every row, also where the loop would not have touched it.",
    )
