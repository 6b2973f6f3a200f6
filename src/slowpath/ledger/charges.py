"""Charges made of acts, and the root view of them."""

from __future__ import annotations

import numpy as np

from slowpath.ledger.holders import Blame
from slowpath.ledger.model import CHARGE
from slowpath.ledger.rows import Ints, Rows, groups

_OWN, _CULPRIT = ("activity", "mode", "site", "resource"), "culprit_"


def charges_of(acts: Rows, request: Ints) -> Rows:
    """Return charges of acts to themselves."""
    rows = np.zeros(len(acts), CHARGE)
    rows["request"] = rows["culprit_request"] = request
    rows["start"], rows["end"] = acts["start"], acts["end"]
    for name in _OWN:
        rows[name] = rows[_CULPRIT + name] = acts[name]
    return rows


def root_of(direct: Rows, awaits: Ints, blame: Blame, names: Rows, parts: int) -> Rows:
    """Charge waits for scarce things to their holders.

    Args:
        direct: charges; `awaits`: number of the scarce thing that each waits for; 0 for none.
        names: what the keys of deeds stand for.
        parts: most culprits of one wait.
    """
    length = (direct["end"] - direct["start"]).astype(np.int64)
    found = []
    for number, waits in groups(awaits):
        if number:
            wait, key, request, ns = blame.shares(
                number, direct["start"][waits], direct["end"][waits], parts
            )
            found.append((waits[wait], key, request, ns))
    nothing = (np.zeros(0, np.int64),) * 4
    row, key, request, ns = (
        np.concatenate(part) for part in zip(*(found or [nothing]), strict=True)
    )
    # What nobody held, and all that waits for nothing scarce, stays with the request itself.
    rest = length - np.bincount(row, ns, len(direct)).astype(np.int64)
    own = np.flatnonzero(rest > 0)
    owner = np.concatenate((row, own))
    order = np.argsort(owner, kind="stable")
    ns = np.concatenate((ns, rest[own]))[order]
    owner = owner[order]
    result = direct[owner]
    charged = np.flatnonzero(order < len(row))
    for name in _OWN:
        result[_CULPRIT + name][charged] = names[name][key[order[charged]]]
    result["culprit_request"][charged] = request[order[charged]]
    # Parts of one charge stand one after the other.
    before = np.cumsum(ns) - ns
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    offset = before - np.repeat(before[first], np.diff(first, append=len(owner)))
    result["start"] = direct["start"][owner] + offset
    result["end"] = result["start"] + ns
    return np.asarray(result)


def merged(rows: Rows, answered: Ints) -> Rows:
    """Merge neighbours that say the same, but for the moment of the answer.

    Args:
        answered: when each request had its answer, ns; shape (requests,).
    """
    if len(rows) < 2:
        return rows
    again = np.flatnonzero(rows["culprit_site"][1:] == rows["culprit_site"][:-1]) + 1
    for name in CHARGE.names or ():
        before = rows["end" if name == "start" else name][again - 1]
        if name != "end":
            again = again[rows[name][again] == before]
    again = again[rows["start"][again] != answered[rows["request"][again]]]
    kept = np.ones(len(rows), np.bool_)
    kept[again] = False
    first = np.flatnonzero(kept)
    result = rows[first]
    result["end"] = rows["end"][np.append(first[1:], len(rows)) - 1]
    return result
