"""Does a scan with memory say what one without says, after many edits of a real package?

    python -m bench.scan_edits FOLDER [--count 40] [--seed 1] [--files 0.15]

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


def _base(lines: list[str], tree: ast.Module, rnd: random.Random) -> None:
    """Another base class: one that is imported, or stands in the file, or none that is known."""
    classes = [each for each in ast.walk(tree) if isinstance(each, ast.ClassDef)]
    chosen = rnd.choice(classes)
    names = [each.name for each in classes if each.lineno < chosen.lineno]
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            names += [each.asname or each.name for each in node.names if each.name[:1].isupper()]
    at = chosen.lineno - 1
    name = rnd.choice([*names, "Exception"])
    lines[at] = re.sub(r"class (\w+)(\(.*\))?:", rf"class \1({name}):", lines[at])


def _parameter(lines: list[str], tree: ast.Module, rnd: random.Random) -> None:
    function = _function(tree, rnd)
    at = function.lineno - 1
    first = f"({function.args.args[0].arg}" if function.args.args else "("
    more = ", extra=None" if first != "(" else "extra=None"
    if rnd.random() < 0.5 and "):" in lines[at]:
        lines[at] = lines[at].replace("):", ", extra=None):" if "()" not in lines[at] else "x=1):")
    else:
        lines[at] = lines[at].replace(first, first + more, 1)


def _result(lines: list[str], tree: ast.Module, rnd: random.Random) -> None:
    """Another annotation of what a function returns."""
    classes = [each.name for each in ast.walk(tree) if isinstance(each, ast.ClassDef)]
    function = _function(tree, rnd)
    at = function.body[0].lineno - 2
    name = rnd.choice([*classes, "int"])
    lines[at] = re.sub(r"\)( ->.*)?:\s*$", f') -> "{name}":\n', lines[at])


def _gone(kind: type | tuple[type, ...]) -> Edit:
    """A function or a class less."""

    def edit(lines: list[str], tree: ast.Module, rnd: random.Random) -> None:
        node = rnd.choice([each for each in ast.walk(tree) if isinstance(each, kind)])
        first = min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1
        lines[first : node.end_lineno] = [f"{_indent(lines[first])}pass\n"]

    return edit


def _imports(tree: ast.Module) -> list[ast.ImportFrom]:
    found = [each for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)]
    return [each for each in found if each.names[0].name != "*" and each.module != "__future__"]


def _import_less(lines: list[str], tree: ast.Module, rnd: random.Random) -> None:
    node = rnd.choice(_imports(tree))
    first = node.lineno - 1
    lines[first : node.end_lineno] = [f"{_indent(lines[first])}pass\n"]


def _import_other(lines: list[str], tree: ast.Module, rnd: random.Random) -> None:
    """What is imported comes from somewhere else, or under another name."""
    node = rnd.choice(_imports(tree))
    first = node.lineno - 1
    name = rnd.choice(node.names)
    where = "." * node.level + (node.module or "")
    said = rnd.choice(
        [
            f"from elsewhere import {name.name}",
            f"from {where} import {name.name} as other_{name.name}",
            f"from {where} import *",
            f"from .{'' if node.level else '.'} import {name.name}",
        ]
    )
    lines[first : node.end_lineno] = [f"{_indent(lines[first])}{said}\n"]


def _decorated(lines: list[str], tree: ast.Module, rnd: random.Random) -> None:
    function = _function(tree, rnd)
    at = function.lineno - 1
    said = rnd.choice(["property", "staticmethod", "app.get('/x')", "contextmanager", "cache"])
    lines.insert(at, f"{_indent(lines[at])}@{said}\n")


def _called(lines: list[str], tree: ast.Module, rnd: random.Random) -> None:
    """A function calls another one of the file, or something that it is given."""
    functions = [each for each in tree.body if isinstance(each, AnyFunction)]
    names = [each.name for each in functions] or ["len"]
    at = _function(tree, rnd).body[0].lineno - 1
    lines.insert(at, f"{_indent(lines[at])}{rnd.choice(names)}(1)\n")


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
    "another base class": _base,
    "a parameter more": _parameter,
    "another annotation of the result": _result,
    "a function less": _gone((ast.FunctionDef, ast.AsyncFunctionDef)),
    "a class less": _gone(ast.ClassDef),
    "an import less": _import_less,
    "imported from elsewhere": _import_other,
    "a decorator more": _decorated,
    "a call more": _called,
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


def _whole_file(tree: Path, file: Path, number: int, rnd: random.Random) -> str:
    """A file comes, goes, is renamed, or cannot be read any more; what was done."""
    name = rnd.choice(["a file less", "a file more", "a file renamed", "a file broken"])
    if name == "a file less":
        file.unlink()
    elif name == "a file more":
        shutil.copy(file, file.with_name(f"more_{number}.py"))
    elif name == "a file broken":
        file.write_text(file.read_text("utf-8", "replace") + "\ndef broken(:\n", "utf-8")
    else:
        # Others may import it by its new name already.
        words = re.findall(
            r"^(?:from|import) \.?([a-z_]+)", file.read_text("utf-8", "replace"), re.M
        )
        file.rename(file.with_name(f"{rnd.choice([*words, f'renamed_{number}'])}.py"))
    return name


def check(root: Path, count: int, seed: int, files: float) -> dict[str, float]:
    """Edit a copy `count` times; prints each. A share of `files` are edits of whole files."""
    rnd = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        tree, cache = Path(folder) / "tree", Path(folder) / "cache"
        shutil.copytree(root, tree)
        scan(tree, cache=cache)
        different = 0
        spent: dict[str, list[float]] = {"warm": [], "cold": []}
        ratios: dict[str, list[float]] = {}
        while len(spent["warm"]) < count:
            file = rnd.choice(sorted(tree.rglob("*.py")))
            if rnd.random() < files:
                name = _whole_file(tree, file, len(spent["warm"]), rnd)
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
            same = vars(warm) | {"read": 0} == vars(cold) | {"read": 0}
            different += not same
            took = spent["cold"][-1] / spent["warm"][-1]
            ratios.setdefault(name, []).append(took)
            told = f"{name}: {file.relative_to(tree)}"
            print(f"{'same' if same else 'DIFFERENT':10} {took:5.1f} x  {told}", flush=True)
    for name, each in sorted(ratios.items()):
        print(f"{name:34} {len(each):4} edits, median {statistics.median(each):5.1f} x")
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
    parser.add_argument("--files", type=float, default=0.15, help="share of whole files")
    options = parser.parse_args()
    figures = check(options.folder, options.count, options.seed, options.files)
    print(json.dumps(figures))
    sys.exit(1 if figures["different"] else 0)


if __name__ == "__main__":
    main()
