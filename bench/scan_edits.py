"""Does a scan with memory say what one without says, after many edits of a real package?

    python -m bench.scan_edits FOLDER [--count 40] [--seed 1]

Each round edits one file of a copy, as a person might, scans with memory and without, and compares
findings and order. The last line is one JSON object; the exit code is 1 if any scan differed.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from slowpath.scan import scan

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef
Edit = Callable[[list[str], ast.Module, random.Random], None]


def _function(tree: ast.Module, rnd: random.Random) -> AnyFunction:
    return rnd.choice([each for each in ast.walk(tree) if isinstance(each, AnyFunction)])


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _first(text: str) -> Edit:
    """A line more at the beginning of a function."""

    def edit(lines: list[str], tree: ast.Module, rnd: random.Random) -> None:
        at = _function(tree, rnd).body[0].lineno - 1
        lines.insert(at, f"{_indent(lines[at])}{text}\n")

    return edit


def _head(change: Callable[[str], str]) -> Edit:
    """Another first line of a function."""

    def edit(lines: list[str], tree: ast.Module, rnd: random.Random) -> None:
        at = _function(tree, rnd).lineno - 1
        lines[at] = change(lines[at])

    return edit


def _less(lines: list[str], tree: ast.Module, rnd: random.Random) -> None:
    body = _function(tree, rnd).body
    first, last = body[0].lineno - 1, body[-1].end_lineno or 0
    lines[first:last] = [f"{_indent(lines[first])}pass\n"]


def _no_base(lines: list[str], tree: ast.Module, rnd: random.Random) -> None:
    classes = [each for each in ast.walk(tree) if isinstance(each, ast.ClassDef) and each.bases]
    at = rnd.choice(classes).lineno - 1
    lines[at] = re.sub(r"\(.*\):", "():", lines[at])


def _more(lines: list[str], tree: ast.Module, rnd: random.Random) -> None:
    lines.append(f"\n\nasync def added_{rnd.randrange(1000)}(x):\n    return x\n")


def _other_kind(line: str) -> str:
    if "async def" in line:
        return line.replace("async def", "def", 1)
    return line.replace("def ", "async def ", 1)


EDITS: dict[str, Edit] = {
    "a line more": _first("print(1)"),
    "a call that blocks": _first("import time; time.sleep(1)"),
    "another result": _first("return 1"),
    "an empty body": _less,
    "a function more": _more,
    "another name": _head(lambda line: re.sub(r"def (\w+)", r"def \1_x", line, count=1)),
    "async or no longer": _head(_other_kind),
    "no base class": _no_base,
}


def edited(text: str, rnd: random.Random) -> tuple[str, str] | None:
    """(what was done, the new text); None if it cannot be done here."""
    name = rnd.choice([*EDITS])
    lines = text.splitlines(keepends=True)
    try:
        EDITS[name](lines, ast.parse(text), rnd)
        ast.parse("".join(lines))
    except (IndexError, SyntaxError, ValueError):
        return None
    new = "".join(lines)
    return (name, new) if new != text else None


def check(root: Path, count: int, seed: int) -> dict[str, float]:
    """Edit a copy `count` times, a file more or less now and then among them; prints each."""
    rnd = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        tree, cache = Path(folder) / "tree", Path(folder) / "cache"
        shutil.copytree(root, tree)
        scan(tree, cache=cache)
        different = 0
        spent: dict[str, list[float]] = {"warm": [], "cold": []}
        for number in range(count):
            file = rnd.choice(sorted(tree.rglob("*.py")))
            if rnd.random() < 0.05:
                name = "a file less"
                file.unlink()
            elif rnd.random() < 0.05:
                name = "a file more"
                shutil.copy(file, file.with_name(f"more_{number}.py"))
            else:
                change = edited(file.read_text("utf-8", "replace"), rnd)
                if change is None:
                    continue
                name = change[0]
                file.write_text(change[1], "utf-8")
            start = time.perf_counter()
            warm = scan(tree, cache=cache)
            middle = time.perf_counter()
            cold = scan(tree)
            spent["warm"].append(middle - start)
            spent["cold"].append(time.perf_counter() - middle)
            same = warm.findings == cold.findings
            different += not same
            took = spent["cold"][-1] / spent["warm"][-1]
            print(f"{'same' if same else 'DIFFERENT':10} {took:5.1f} x  {name}: {file.name}")
    return {
        "edits": len(spent["warm"]),
        "different": different,
        "warm_s": round(statistics.median(spent["warm"]), 3),
        "cold_s": round(statistics.median(spent["cold"]), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    figures = check(options.folder, options.count, options.seed)
    print(json.dumps(figures))
    sys.exit(1 if figures["different"] else 0)


if __name__ == "__main__":
    main()
