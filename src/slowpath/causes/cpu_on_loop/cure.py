"""A thread, for code of outside libraries: most of it frees the GIL while it computes."""

from __future__ import annotations

from slowpath.codemod import Change, Refused, Site
from slowpath.codemod.calls import in_thread
from slowpath.codemod.loopbound import require_portable
from slowpath.codemod.plain import plain_route


def cure(site: Site) -> Change:
    """Let the loop go on while the call computes."""
    spot, name, below = site.on_loop()
    if not site.culprit:
        raise Refused(
            f"{site.function} computes in Python itself, which holds the GIL in a thread as well: "
            "it takes a process."
        )
    calls = spot.calls(name, 0 if below else site.end_line)
    if below:
        calls = spot.like(calls)
        require_portable(site.project, below)
    else:
        try:
            return plain_route(site, spot)
        except Refused:
            pass
    what = below[0].function if below else site.culprit
    return spot.change(
        in_thread(spot, calls),
        title=f"Hand {what} to a thread.",
        look="It helps as far as the library frees the GIL; bound how many run at once.",
    )
