"""The page of two runs: that of the second one, with what differs from the first."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from slowpath.report.compare import Comparison, Side
from slowpath.report.html.data import page_of
from slowpath.report.html.flame import MOST_DEPTH, MOST_NODES, stall_samples
from slowpath.report.html.model import Flat, Page
from slowpath.report.html.names import Place, place_of

#: A function is the same one although its lines have moved.
Frame = tuple[str, str]
PER_REQUESTS = 1000


def compare_page(
    before: Side, after: Side, comparison: Comparison, root: Path | None = None
) -> Page:
    """Put together what the page of a comparison shows."""
    root = (root or Path.cwd()).absolute()
    page = page_of(after.ledger, after.report, stacks=after.stacks, root=root)
    page["name"] = f"{before.name} → {after.name}"
    page["compare"] = {**comparison, "flame": flame_difference(before, after, page["places"], root)}
    return page


def flame_difference(
    before: Side, after: Side, places: list[Place], root: Path
) -> dict[str, Any] | None:
    """Put the stall samples of both runs into one tree, ms per thousand requests of each.

    Args:
        places: frames are added to these.

    Returns:
        As `Flame`, with rows (node, 0, ms after, ms before) in `weights`; None without samples.
    """
    shown: dict[Frame, Place] = {}
    stacks: list[Counter[tuple[Frame, ...]]] = []
    for side in (before, after):
        recording = side.ledger.recording
        known = [place_of(site, root) for site in recording.sites]
        total: Counter[tuple[Frame, ...]] = Counter()
        for sample in stall_samples(recording):
            frames = [known[site] for site in reversed(sample.stack)][:MOST_DEPTH]
            shown.update(((place[0], place[2]), place) for place in frames)
            total[tuple((path, function) for path, _, function, _ in frames)] += sample.ns
        stacks.append(total)
    if not any(stacks):
        return None
    numbers: dict[Frame, int] = {}
    for frame, place in shown.items():
        numbers[frame] = len(places)
        places.append(place)
    scales = [PER_REQUESTS / max(1, len(side.ledger.requests)) / 1e6 for side in (before, after)]
    nodes: dict[tuple[int, Frame], int] = {}
    flat: Flat = []
    weights: Flat = []
    for stack in sorted(stacks[0].keys() | stacks[1].keys()):
        node = -1
        for frame in stack:
            key = (node, frame)
            if key not in nodes:
                if len(nodes) >= MOST_NODES:
                    break
                nodes[key] = len(nodes)
                flat += [node, numbers[frame]]
            node = nodes[key]
        was, now = (total[stack] * scale for total, scale in zip(stacks, scales, strict=True))
        weights += [node, 0, round(now, 3), round(was, 3)]
    return {
        "name": "Stalls, ms per thousand requests",
        "nodes": flat,
        "weights": weights,
        "compared": True,
    }
