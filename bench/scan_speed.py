"""How fast a tree is scanned, cold and warm, and in how much memory."""

from __future__ import annotations

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
_LOOK_S = 0.1


def speed(root: Path) -> dict[str, float]:
    """Lines a second on a copy of one release: the median of a few rounds each.

    Each scan is done by a process of its own, as users do it; that Python starts is not counted.

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
                spent.append(_spent(copy, cache))
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


def _spent(tree: Path, cache: Path) -> float:
    """Seconds that a scan takes."""
    code = "import sys; from bench.scan_speed import scan_timed; scan_timed(*sys.argv[1:])"
    told = subprocess.run(
        [sys.executable, "-c", code, str(tree), str(cache)],
        cwd=Path(__file__).parent.parent,
        check=True,
        capture_output=True,
        text=True,
    )
    return float(told.stdout)


def scan_timed(tree: str, cache: str) -> None:
    """Scan, and print how many seconds it took."""
    start = time.perf_counter()
    scan(Path(tree), cache=Path(cache))
    print(time.perf_counter() - start)


def memory(root: Path) -> dict[str, float]:
    """Most memory (MB) that the scan of a tree of at least `LARGE` lines holds, cold and warm.

    The tree is the release as often as it takes, each copy a package of its own. Linux alone
    tells how much of it processes share; elsewhere the figures are 0.
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
    """Most memory (MB) that a scan's processes held together, pages they share counted once."""
    code = "import sys; from bench.scan_speed import scan_alone; scan_alone(*sys.argv[1:])"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tree), str(cache)], cwd=Path(__file__).parent.parent
    ) as process:
        most = 0
        while process.poll() is None:
            most = max(most, sum(map(_proportional_kb, _family(process.pid))))
            time.sleep(_LOOK_S)
    if process.returncode:
        raise RuntimeError("the scan failed")
    return most // 1024


def _family(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    except OSError:
        return [pid]
    return [pid, *(each for child in text.split() for each in _family(int(child)))]


def _proportional_kb(pid: int) -> int:
    """What a process holds: of shared pages its part."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    except OSError:
        return 0  # it has ended
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)


def scan_alone(tree: str, cache: str) -> None:
    """A scan, for a process of its own."""
    scan(Path(tree), cache=Path(cache))


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
