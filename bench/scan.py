"""Real bugs of published packages: found in the release that has them, silent on the repaired one?

    python -m bench.scan [--list BUGS.jsonl] [--only TEXT] [--misses] [--peers/--no-peers]
    python -m bench.scan --speed [--tree FOLDER]

Without a list the known bugs are taken, which the rules have learned from. bench/unseen.jsonl holds
others, found in the histories of projects: the id begins with the round in which they were first
looked at, so that `--only r2-` tells that round alone.

Both releases are fetched from the package index with pip (kept under .cache/releases), scanned,
and compared with what is known of the bug. Beside slowpath, in the same run: ruff's ASYNC rules
with RUF006, and hydroid-cli where it can be installed. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from bench import scan_speed
from slowpath.scan import scan

CACHE = Path(__file__).parent.parent / ".cache"
_BESIDE = CACHE.parent.parent / "shared" / "realbugs-dev.jsonl"
BUGS = Path(os.environ.get("SLOWPATH_REALBUGS", _BESIDE))

# The causes that name a class of bug rightly.
CAUSES = {
    "blocking_call": {"blocking-call", "cpu-on-loop", "blocking-serializer", "sync-logging"},
    "blocking_call_transitive": {
        "blocking-call",
        "cpu-on-loop",
        "blocking-serializer",
        "sync-logging",
    },
    "cpu_on_loop": {"cpu-on-loop", "blocking-call", "blocking-serializer", "false-offload"},
    "n_plus_one": {"n-plus-one"},
    "sequential_awaits": {"sequential-awaits", "n-plus-one"},
    "client_per_request": {"client-per-request", "connection-per-request"},
    "missing_timeout": {"missing-timeout"},
    "over_fetch": {"over-fetch-rows", "over-fetch-columns", "missing-pagination"},
    "connection_leak": {"session-leak", "client-per-request"},
    "long_transaction": {"long-transaction"},
    "forgotten_await": {"forgotten-await"},
    "task_leak": {"lost-task"},
    "unbounded_cache": {"unbounded-cache"},
    "async_lru_cache": {"async-lru-cache"},
    "middleware_overhead": {"middleware-overhead"},
}


@dataclass(frozen=True)
class Hit:
    """What a tool says of one place: its name for the defect, the site and the way there."""

    name: str
    path: str
    line: int
    function: str
    culprit: str
    places: tuple[tuple[str, int, str], ...]


def release(package: str, version: str) -> Path:
    """The unpacked release; fetched once."""
    target = CACHE / "releases" / f"{package}-{version}"
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
             "--ignore-requires-python", "--dest", folder, f"{package}=={version}"],
            check=True,
        )  # fmt: skip
        [archive] = Path(folder).iterdir()
        unpacked = Path(folder) / "unpacked"
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(unpacked)
        else:
            with tarfile.open(archive) as tar:
                tar.extractall(unpacked, filter="data")
            [unpacked] = unpacked.iterdir()
        shutil.move(unpacked, target)
    return target


def slowpath_hits(root: Path) -> list[Hit]:
    """In a process of its own, since what a scan has read of one release no other one needs."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_scanned, root).result()


def _scanned(root: Path) -> list[Hit]:
    return [
        Hit(
            each.cause.slug,
            each.path,
            each.line,
            each.function,
            each.culprit,
            tuple((hop.path, hop.line, hop.function) for hop in each.chain),
        )
        for each in scan(root, cache=CACHE / "scan").findings
        if each.confidence != "possible"
    ]


RUFF = {"RUF006": "lost-task"}


def ruff_hits(root: Path) -> list[Hit]:
    """Ruff's ASYNC rules; all of them speak of blocking calls."""
    result = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "ASYNC,RUF006",
         "--output-format", "json", "--exit-zero", "--quiet", "--no-cache", str(root)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    hits = []
    for each in json.loads(result.stdout or "[]"):
        path = os.path.relpath(each["filename"], root)
        name = RUFF.get(each["code"] or "", "blocking-call")
        hits.append(Hit(name, path, each["location"]["row"], "", "", ()))
    return hits


def hydroid_hits(root: Path) -> list[Hit]:
    """hydroid-cli, without the packages' dependencies; empty if it is not installed."""
    tool = CACHE / "hydroid" / "bin" / "hydroid"
    if not tool.exists():
        return []
    result = subprocess.run(
        [tool, "--format", "json", "--cpu", "--no-cache", str(root)],
        capture_output=True, text=True, check=False, timeout=1800,
    )  # fmt: skip
    try:
        diagnostics = json.loads(result.stdout)["diagnostics"]
    except (ValueError, KeyError):
        return []
    hits = []
    for each in diagnostics:
        hops = [each["location"], *(step["location"] for step in each["chain"])]
        places = tuple((hop["path"], int(hop["line"]), "") for hop in hops)
        hits.append(Hit("blocking-call", *places[0], each["sink"]["qualname"], places))
    return hits


def hydroid_setup() -> bool:
    folder = CACHE / "hydroid"
    if not folder.is_dir():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(folder / "bin/pip"), "install", "--quiet", "hydroid-cli"], check=False)
    return (folder / "bin" / "hydroid").exists()


def found(bug: dict[str, Any], hits: Iterable[Hit]) -> list[Hit]:
    """The hits with a right cause on the guilty line, in its function, or with it on the way."""
    names = CAUSES.get(bug["class"], set())
    lines = range(bug["line"], bug["end_line"] + 1)
    kept = []
    for hit in hits:
        if hit.name not in names:
            continue
        at = [(hit.path, hit.line, hit.function), *hit.places]
        if any(
            path == bug["path"] and (line in lines or function == bug["symbol"])
            for path, line, function in at
        ):
            kept.append(hit)
    return kept


def silent(bug: dict[str, Any], before: list[Hit], after: Iterable[Hit]) -> bool:
    """Whether the repaired release is not accused of the same at the same place."""
    names = CAUSES.get(bug["class"], set())
    lines = range(bug["line"], bug["end_line"] + 1)
    # Other calls of a function may be guilty in both releases: what counts is this one.
    exact = [
        hit
        for hit in before
        if any(
            p == bug["path"] and n in lines for p, n, _ in ((hit.path, hit.line, ""), *hit.places)
        )
    ]
    culprits = {hit.culprit for hit in exact or before}
    others = Counter(hit.culprit for hit in before if exact and hit not in exact)
    paths = {bug["path"], bug["fixed_path"]}
    for hit in after:
        if hit.name not in names or (culprits and hit.culprit not in culprits):
            continue
        at = [(hit.path, hit.line, hit.function), *hit.places]
        if any(path in paths and function == bug["symbol"] for path, _, function in at):
            if not others[hit.culprit]:
                return False
            others[hit.culprit] -= 1
    return True


def silent_by_line(bug: dict[str, Any], after: Iterable[Hit]) -> bool:
    """The same for a tool that names no function: no hit within a few lines of the repair."""
    digits = "".join(c if c.isdigit() else " " for c in bug.get("fixed_line_note", "")).split()
    line = int(digits[-1]) if digits else bug["line"]
    names = CAUSES.get(bug["class"], set())
    return not any(
        hit.name in names and hit.path == bug["fixed_path"] and abs(hit.line - line) <= 3
        for hit in after
    )


Tool = Callable[[Path], list[Hit]]


def judge(tool: Tool, bugs: list[dict[str, Any]], named: bool) -> dict[str, tuple[bool, bool]]:
    """(found, silent) for each bug."""
    verdicts = {}
    known: dict[Path, list[Hit]] = {}
    for bug in bugs:
        roots = [release(bug["package"], bug[key]) for key in ("buggy_version", "fixed_version")]
        for root in roots:
            if root not in known:
                known[root] = tool(root)
        before = found(bug, known[roots[0]])
        quiet = (
            silent(bug, before, known[roots[1]]) if named else silent_by_line(bug, known[roots[1]])
        )
        verdicts[bug["id"]] = (bool(before), quiet)
        print(".", end="", flush=True, file=sys.stderr)
    return verdicts


def share(values: Iterable[bool]) -> float:
    values = list(values)
    return round(sum(values) / len(values), 3) if values else 0.0


def _weight(root: Path) -> int:
    """Bytes of Python; a release past twenty million would take the bench too long."""
    size = sum(path.stat().st_size for path in root.rglob("*.py"))
    return size if size < 20_000_000 else 0


def _heaviest(bugs: list[dict[str, Any]]) -> Path:
    return max({release(bug["package"], bug["buggy_version"]) for bug in bugs}, key=_weight)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bugs", nargs="?", type=Path, default=BUGS)
    parser.add_argument("--list", type=Path, help="the same by name")
    parser.add_argument("--only", default="", help="bugs whose id holds this text")
    parser.add_argument("--misses", action="store_true", help="list what was not found")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--speed", action="store_true", help="speed and memory alone")
    parser.add_argument("--tree", type=Path, help="what to measure speed on")
    options = parser.parse_args()
    options.bugs = options.list or options.bugs
    if options.tree is not None and not options.tree.is_dir():
        sys.exit(f"{options.tree} is not a folder.")
    if not options.bugs.is_file():
        sys.exit(f"{options.bugs} is not there; set SLOWPATH_REALBUGS or name a file.")
    with options.bugs.open(encoding="utf-8") as stream:
        bugs = [json.loads(line) for line in stream]
    bugs = [bug for bug in bugs if options.only in bug["id"]]
    if not bugs:
        sys.exit(f"No bug's id holds {options.only!r}.")
    if options.speed:
        root = options.tree or _heaviest(bugs)
        rates, used = scan_speed.report(root), scan_speed.report_memory(root)
        print(json.dumps({"lines_per_s": rates, "memory": used}))
        return
    tools: dict[str, tuple[Tool, bool]] = {"slowpath": (slowpath_hits, True)}
    if options.peers:
        tools["ruff"] = (ruff_hits, False)
        if hydroid_setup():
            tools["hydroid"] = (hydroid_hits, False)
    verdicts = {name: judge(tool, bugs, named) for name, (tool, named) in tools.items()}
    print(file=sys.stderr)
    report(bugs, verdicts, options.misses, options.tree or _heaviest(bugs))


def report(
    bugs: list[dict[str, Any]],
    verdicts: dict[str, dict[str, tuple[bool, bool]]],
    misses: bool,
    tree: Path,
) -> None:
    classes: dict[str, list[str]] = defaultdict(list)
    for bug in bugs:
        classes[bug["class"]].append(bug["id"])
    print(f"{'class':26}{'bugs':>5}  " + "  ".join(f"{name:>20}" for name in verdicts))
    print(f"{'':31}  " + "  ".join(f"{'found silent apart':>20}" for _ in verdicts))
    by_class = {}
    for name, ids in [*sorted(classes.items()), ("all", [bug["id"] for bug in bugs])]:
        cells = []
        for tool, verdict in verdicts.items():
            recall = share(verdict[each][0] for each in ids)
            silence = share(verdict[each][1] for each in ids)
            apart = share(all(verdict[each]) for each in ids)
            cells.append(f"{recall:>7.0%}{silence:>7.0%}{apart:>6.0%}")
            if tool == "slowpath" and name != "all":
                by_class[name] = {
                    "bugs": len(ids), "recall": recall, "silence": silence, "told_apart": apart
                }  # fmt: skip
        print(f"{name:26}{len(ids):>5}  " + "  ".join(cells))
    own = verdicts["slowpath"]
    if misses:
        for bug in bugs:
            hit, quiet = own[bug["id"]]
            if not (hit and quiet):
                print(f"{'not found' if not hit else 'not silent':11} {bug['id']}")
    rates = scan_speed.report(tree)
    print(
        json.dumps(
            {
                "recall": share(each[0] for each in own.values()),
                "silence": share(each[1] for each in own.values()),
                "told_apart": share(all(each) for each in own.values()),
                "by_class": by_class,
                "peers": {
                    name: {
                        "recall": share(each[0] for each in verdict.values()),
                        "silence": share(each[1] for each in verdict.values()),
                        "told_apart": share(all(each) for each in verdict.values()),
                    }
                    for name, verdict in verdicts.items()
                    if name != "slowpath"
                },
                "lines_per_s": rates,
            }
        )
    )


if __name__ == "__main__":
    main()
