"""Lines that called an encoder or decoder which then computed on the loop for long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from slowpath.causes.base import Finding, Mask
from slowpath.causes.blocking_serializer import CAUSE
from slowpath.causes.evidence import (
    STALL_NS,
    Int64s,
    called_at,
    doing,
    dotted,
    holds,
    in_mode,
    in_stalls,
    is_habit,
    is_own,
    matters,
    ms,
    own_packages,
    victims,
)
from slowpath.ledger import Ledger, Mode

#: Libraries that do nothing but encode and decode ...
LIBRARIES = frozenset("csv json marshmallow msgpack pickle plistlib simplejson xml yaml".split())
#: ... and what such functions are called in others.
FUNCTIONS = frozenset(
    """
    dumps jsonable_encoder loads model_dump model_dump_json model_validate_json read_csv read_json
    to_csv to_dict to_json to_records to_xml
    """.split()
)
#: As for any computing: short slices are honest work.
MIN_IN_STALLS = 0.5
#: What the framework encodes by itself is not called by a line of the app.
FRAMEWORK = ("validate", "serialize", "render")


def detect(ledger: Ledger) -> Iterator[Finding]:
    """Yield the app's lines whose encoding stalls the loop."""
    # An encoder only computes; where it seems blocked, it had no core.
    computing = in_mode(ledger, Mode.CPU, Mode.BLOCKED) & ~doing(ledger, *FRAMEWORK)
    for caller, sites in _encoding(ledger).items():
        chosen = computing & np.isin(ledger.root["culprit_site"], np.array(sorted(sites)))
        lengths = holds(ledger, chosen)
        stalls = lengths[lengths >= STALL_NS]
        if (
            matters(ledger, chosen)
            and in_stalls(lengths) >= MIN_IN_STALLS
            and is_habit(ledger, chosen, len(stalls))
        ):
            yield _finding(ledger, caller, chosen, stalls)


def _encoding(ledger: Ledger) -> dict[int, set[int]]:
    """Return the app's lines that were seen encoding, with the sites that were sampled for them.

    An encoder may call back into the app (`default=`), which is then the innermost own line; it
    still is the line outside the encoder that encodes. What was not sampled is charged to the
    definition of the same function, and is more of the same.
    """
    recording = ledger.recording
    packages = own_packages(recording)
    callers = {
        number: _caller(ledger, recording.stacks[number], packages)
        for number in np.unique(recording.samples["stack"]).tolist()
    }
    votes: dict[int, Counter[int]] = {}
    for site, stack in recording.samples[["site", "stack"]].tolist():
        votes.setdefault(site, Counter())[callers[stack]] += 1
    found: dict[int, set[int]] = {}
    for site, counts in votes.items():
        caller, count = counts.most_common(1)[0]
        if caller and count * 2 > counts.total():
            found.setdefault(caller, set()).add(site)
    for caller in found:
        function = recording.sites[caller]._replace(line=0)
        found[caller].update(
            number
            for number, site in enumerate(recording.sites)
            if number not in votes and site._replace(line=0) == function
        )
    return found


def _caller(ledger: Ledger, stack: tuple[int, ...], packages: frozenset[str]) -> int:
    """Return the app's own line that called an encoder, innermost first; 0 if there is none."""
    encoder = False
    for number in stack:
        site = ledger.recording.sites[number]
        if not is_own(site.path, packages):
            encoder = encodes(dotted(site))
        elif encoder:
            return number
    return 0


def encodes(name: str) -> bool:
    """Tell whether a function, as `module.function`, encodes or decodes.

    >>> encodes("json.encoder.JSONEncoder.encode"), encodes("re.compile")
    (True, False)
    """
    return name.partition(".")[0] in LIBRARIES or name.rpartition(".")[2] in FUNCTIONS


def _finding(ledger: Ledger, caller: int, chosen: Mask, stalls: Int64s) -> Finding:
    place = ledger.recording.sites[caller]
    called = called_at(ledger, [caller])
    call = called.direct if called is not None else "an encoder"
    typical = float(np.mean(stalls))
    evidence = {
        "cpu_ms_per_call": ms(typical),
        "cpu_ms_longest": ms(int(stalls.max())),
        "calls": len(stalls),
        "call": call,
        "victims_ms_per_request": victims(ledger, chosen),
    }
    size = _response_bytes(ledger, chosen)
    if size:
        evidence |= {"response_bytes": size, "ms_per_mb": round(ms(typical) / (size / 1e6), 1)}
    return Finding(
        cause=CAUSE,
        path=place.path,
        line=place.line,
        function=place.function,
        message=(
            f"{call} holds the event loop for {ms(typical):.0f} ms a call"
            + (f", for a response of {size / 1e6:.1f} MB." if size else ".")
        ),
        blame=ledger.blame(chosen),
        evidence=evidence,
        culprit=call,
        chain=called.chain if called is not None else (),
        claims=chosen,
    )


def _response_bytes(ledger: Ledger, chosen: Mask) -> int:
    """Return the mean size of the responses of the requests that encoded."""
    culprits = np.unique(ledger.root["culprit_request"][chosen])
    sizes = [ledger.requests[i].bytes_out for i in culprits.tolist() if i >= 0]
    return round(float(np.mean(sizes))) if sizes else 0
