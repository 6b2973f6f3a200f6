"""One pool for the module, where what is made is a pool."""

from __future__ import annotations

import re

from slowpath.codemod import Change, Refused, Site
from slowpath.codemod.shared import made_once

# They connect when they are first used; everything else is one connection, or must be awaited.
_POOLS = re.compile(
    r"(\.|^)(create_engine|create_async_engine|from_url|Redis|StrictRedis|ConnectionPool|"
    r"MongoClient|AsyncIOMotorClient|AsyncMongoClient)$"
)


def cure(site: Site) -> Change:
    """Make the pool where the module is loaded."""
    if not _POOLS.search(site.culprit):
        raise Refused(
            f"{site.culprit} gives one connection; sharing takes a pool, made in the lifespan."
        )
    spot = site.spot()
    call = spot.call(site.culprit_name, site.end_line)
    return made_once(
        spot,
        call,
        what="pool",
        look="Settings of the session and open transactions no longer end with the request.",
        names=("shared_pool", "module_pool"),
    )
