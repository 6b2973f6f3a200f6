"""How fast a tree is scanned, cold and warm, and in how much memory."""

from __future__ import annotations

import ast
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
_SIZES = (1, 0.9, 0.75, 0.5, 0.25)  # of edited files: the largest, one larger than 90 % of all, …
_LOOK_S = 0.1


def speed(root: Path) -> dict[str, float]:
    """Lines a second on a copy of one release: the median of a few rounds each.

    Each scan is done by a process of its own, as users do it; that Python starts is not counted.

    Returns:
        "cold"; "warm", after a function was added to the largest file; "warm_lines", after a
        comment was; "warm_same", when nothing has changed; "warm_median", the median over files of
        five sizes to which a function was added; "warm_file", after a file was added;
        "warm_signature", after a function of the largest file was given another parameter; and
        the number of "lines".
    """
    with tempfile.TemporaryDirectory() as folder:
        copy, cache = Path(folder) / "tree", Path(folder) / "cache"
        shutil.copytree(root, copy)
        files = sorted(copy.rglob("*.py"), key=lambda each: each.stat().st_size)
        edited = files[-1]
        spread = [files[round(share * (len(files) - 1))] for share in _SIZES]

        def timed(before: Callable[[int], object], rounds: int = ROUNDS) -> list[float]:
            spent = []
            for number in range(rounds):
                before(number)
                spent.append(_spent(copy, cache))
            return spent

        def add_function(number: int, file: Path = edited) -> None:
            with file.open("a", encoding="utf-8") as stream:
                stream.write(f"\n\ndef added_{number}():\n    return {number}\n")

        def add_file(number: int) -> None:
            edited.with_name(f"newly_made_{number}.py").write_text(f"NUMBER = {number}\n", "utf-8")

        def add_parameter(number: int) -> None:
            text = edited.read_text("utf-8")
            edited.write_text(_with_parameter(text, f"added_{number}=None"), "utf-8")

        def add_comment(number: int) -> None:
            edited.write_text(f"# {number}\n{edited.read_text('utf-8')}", "utf-8")

        lines = scan(copy).lines
        times = {
            "cold": timed(lambda _: shutil.rmtree(cache, ignore_errors=True)),
            "warm": timed(add_function),
            "warm_lines": timed(add_comment),
            "warm_same": timed(lambda _: None),
            "warm_median": timed(lambda number: add_function(9, spread[number]), len(spread)),
            "warm_file": timed(add_file),
            "warm_signature": timed(add_parameter),
        }
        rates = {name: round(lines / statistics.median(spent)) for name, spent in times.items()}
        return {"lines": lines, **rates}


def _with_parameter(text: str, parameter: str) -> str:
    """The first function that can have it has another parameter behind the others."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        given = node.args
        if not given.args or given.vararg or given.kwonlyargs or given.kwarg:
            continue
        ends = [(each.end_lineno or 0, each.end_col_offset or 0) for each in ast.walk(given)
                if isinstance(each, ast.arg | ast.expr)]  # fmt: skip
        line, column = max(ends)
        lines = text.encode("utf-8").splitlines(keepends=True)
        before, after = lines[line - 1][:column], lines[line - 1][column:]
        lines[line - 1] = before + f", {parameter}".encode() + after
        changed = b"".join(lines).decode("utf-8")
        try:
            ast.parse(changed)
        except SyntaxError:
            continue
        return changed
    raise RuntimeError("no function can have another parameter")


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
        "warm_median": "a function added to files of 5 sizes",
        "warm_file": "a file added",
        "warm_signature": "a parameter added in the largest file",
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
