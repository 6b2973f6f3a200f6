"""How fast a tree is scanned, cold and warm, and in how much memory."""

from __future__ import annotations

import ast
import re
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

#: Makes another text of a file's, with a name that is new there; None if that cannot be done.
Change = Callable[[str, str], str | None]


#: What each figure of `speed` is of.
EDITS = {
    "cold": "nothing read before",
    "warm": "a function added to the largest file",
    "warm_lines": "a comment added to it",
    "warm_same": "nothing changed",
    "warm_median": "a function added, files of 5 sizes",
    "warm_file": "a file added",
    "warm_signature": "a parameter added in the largest file",
    "warm_signature_median": "a parameter added, files of 5 sizes",
    "warm_base": "another base class in the largest file",
    "warm_base_median": "another base class, files of 5 sizes",
    "warm_gone_median": "a file removed, of 5 sizes",
}


def speed(root: Path) -> dict[str, float]:
    """Lines a second on a copy of one release: the median of a few rounds each.

    Each scan is done by a process of its own, as users do it; that Python starts is not counted.
    Of files of five sizes each is edited once: the largest that can be edited so, one larger than
    90 % of all, and so on.

    Returns:
        What `EDITS` lists, and the number of "lines".
    """
    with tempfile.TemporaryDirectory() as folder:
        copy, cache = Path(folder) / "tree", Path(folder) / "cache"
        shutil.copytree(root, copy)
        files = sorted(copy.rglob("*.py"), key=lambda each: each.stat().st_size)
        edited = files[-1]

        def timed(before: Callable[[int], object], rounds: int = ROUNDS) -> list[float]:
            spent = []
            for number in range(rounds):
                before(number)
                spent.append(_spent(copy, cache))
            return spent

        def add_file(number: int) -> None:
            edited.with_name(f"newly_made_{number}.py").write_text(f"NUMBER = {number}\n", "utf-8")

        def rewritten(change: Change) -> Callable[[int], None]:
            def rewrite(number: int) -> None:
                text = change(edited.read_text("utf-8"), f"added_{number}")
                assert text is not None
                edited.write_text(text, "utf-8")

            return rewrite

        def one_of_each_size(change: Change) -> list[float]:
            able = [each for each in files if change(each.read_text("utf-8"), "added") is not None]
            spread = [able[round(share * (len(able) - 1))] for share in _SIZES]

            def rewrite(number: int) -> None:
                text = change(spread[number].read_text("utf-8"), "added_to_each")
                spread[number].write_text(text or "", "utf-8")

            return timed(rewrite, len(spread))

        def remove(number: int) -> None:
            files[round(_SIZES[number] * (len(files) - 1))].unlink()

        lines = scan(copy).lines
        times = {
            "cold": timed(lambda _: shutil.rmtree(cache, ignore_errors=True)),
            "warm": timed(rewritten(_with_function)),
            "warm_lines": timed(rewritten(lambda text, name: f"# {name}\n{text}")),
            "warm_same": timed(lambda _: None),
            "warm_median": one_of_each_size(_with_function),
            "warm_file": timed(add_file),
            "warm_signature": timed(rewritten(_with_parameter)),
            "warm_signature_median": one_of_each_size(_with_parameter),
            "warm_base": timed(rewritten(_with_base)),
            "warm_base_median": one_of_each_size(_with_base),
            "warm_gone_median": timed(remove, len(_SIZES)),
        }
        rates = {name: round(lines / statistics.median(spent)) for name, spent in times.items()}
        return {"lines": lines, **rates}


def _with_function(text: str, name: str) -> str:
    return f"{text}\n\ndef {name}():\n    return 1\n"


def _with_base(text: str, name: str) -> str | None:
    """The first class that can have it has another base class, and none of those that it had."""
    lines = text.splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            head = re.sub(r"(class \w+)(\(.*\))?:", rf"\1({name}.Base):", lines[node.lineno - 1])
            if head != lines[node.lineno - 1]:
                return "".join([*lines[: node.lineno - 1], head, *lines[node.lineno :]])
    return None


def _with_parameter(text: str, name: str) -> str | None:
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
        lines[line - 1] = before + f", {name}=None".encode() + after
        changed = b"".join(lines).decode("utf-8")
        try:
            ast.parse(changed)
        except SyntaxError:
            continue
        return changed
    return None


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
    for name, what in EDITS.items():
        times = rates[name] / rates["cold"]
        print(f"  {what:38}{rates[name]:>11,} lines/s {times:>6.1f} x")
    return rates


def report_memory(root: Path) -> dict[str, float]:
    """Print the memory that a large tree takes; the figures are returned."""
    used = memory(root)
    cold, warm = used["cold_mb"], used["warm_mb"]
    print(f"memory at {used['lines']:,} lines: {cold:,} MB cold, {warm:,} MB warm")
    return used
