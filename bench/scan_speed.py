"""How fast a tree is scanned, cold and warm, and in how much memory."""

from __future__ import annotations

import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from slowpath.scan import scan

LARGE = 500_000  # lines of the tree that memory is stated for
ROUNDS = 3


def speed(root: Path) -> dict[str, float]:
    """Lines a second on a copy of one release: the median of a few rounds each.

    Returns:
        "cold"; "warm", after a function was added to the largest file; "warm_lines", after a
        comment was; "warm_same", when nothing has changed; and the number of "lines".
    """
    with tempfile.TemporaryDirectory() as folder:
        copy, cache = Path(folder) / "tree", Path(folder) / "cache"
        shutil.copytree(root, copy)
        edited = max(copy.rglob("*.py"), key=lambda each: each.stat().st_size)

        def timed(before: Callable[[int], object]) -> list[float]:
            spent = []
            for number in range(ROUNDS):
                before(number)
                start = time.perf_counter()
                scan(copy, cache=cache)
                spent.append(time.perf_counter() - start)
            return spent

        def add_function(number: int) -> None:
            with edited.open("a", encoding="utf-8") as stream:
                stream.write(f"\n\ndef added_{number}():\n    return {number}\n")

        def add_comment(number: int) -> None:
            edited.write_text(f"# {number}\n{edited.read_text('utf-8')}", "utf-8")

        lines = scan(copy).lines
        times = {
            "cold": timed(lambda _: shutil.rmtree(cache, ignore_errors=True)),
            "warm": timed(add_function),
            "warm_lines": timed(add_comment),
            "warm_same": timed(lambda _: None),
        }
        rates = {name: round(lines / statistics.median(spent)) for name, spent in times.items()}
        return {"lines": lines, **rates}


def memory(root: Path) -> dict[str, float]:
    """Most memory (MB) that the scan of a tree of at least `LARGE` lines holds, cold and warm.

    The tree is the release as often as it takes, each copy a package of its own.
    """
    with tempfile.TemporaryDirectory() as folder:
        tree, cache = Path(folder) / "tree", Path(folder) / "cache"
        lines = copies = 0
        while lines < LARGE:
            shutil.copytree(root, tree / f"copy_{copies}")
            copies += 1
            lines = copies * sum(
                each.read_bytes().count(b"\n") for each in (tree / "copy_0").rglob("*.py")
            )
        cold, warm = (_peak(tree, cache) for _ in range(2))
    return {"lines": lines, "cold_mb": cold, "warm_mb": warm}


def _peak(tree: Path, cache: Path) -> int:
    """Peak memory (MB) of a scan in a process of its own, its largest worker included."""
    code = "import sys; from bench.scan_speed import scan_and_tell; scan_and_tell(*sys.argv[1:])"
    result = subprocess.run(
        [sys.executable, "-c", code, str(tree), str(cache)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    return int(json.loads(result.stdout))


def scan_and_tell(tree: str, cache: str) -> None:
    """Scan, and print what `_peak` asks for."""
    scan(Path(tree), cache=Path(cache))
    used = sum(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(used // (1024 if sys.platform == "linux" else 1024 * 1024))


def report(root: Path) -> dict[str, float]:
    """Print a table for people; the figures are returned."""
    rates = speed(root)
    print(f"\nspeed on {root.name}, {rates['lines']:,} lines")
    said = {
        "cold": "nothing read before",
        "warm": "a function added to the largest file",
        "warm_lines": "a comment added to it",
        "warm_same": "nothing changed",
    }
    for name, what in said.items():
        times = rates[name] / rates["cold"]
        print(f"  {what:38}{rates[name]:>11,} lines/s {times:>6.1f} x")
    return rates


def report_memory(root: Path) -> dict[str, float]:
    """Print the memory that a large tree takes; the figures are returned."""
    used = memory(root)
    cold, warm = used["cold_mb"], used["warm_mb"]
    print(f"memory at {used['lines']:,} lines: {cold:,} MB cold, {warm:,} MB warm")
    return used
