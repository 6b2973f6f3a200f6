"""Real input: applications from PyPI, unchanged, under `slowpath run`.

    python -m bench.real_apps [NAME…] [--users 12] [--duration 15s] [--rounds 5] [--runs FOLDER]

For each application (`bench.real.apps`): its own environment is made under `.cache/real-apps/`, a
first server is filled with data through the app's own API, and then

- `slowpath run` drives a copy of it and reports;
- two more copies run side by side, one with the probe. Their answers to the same requests are
  compared, and they are loaded in turn: a round takes bare, probe, probe, bare, and its ratio of
  throughputs is the price of the probe.

For people it prints Markdown tables, and as its last line one JSON object with the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.overhead import SERVER_CORE, BenchError, pinned, requests_per_second
from bench.real import App, Headers, Place
from bench.real.apps import APPS
from lab.processes import ServiceError, child, free_port, scratch_folder, wait_until
from lab.services import NO_PROXY
from slowpath.errors import UserError
from slowpath.probe.boot import environment
from slowpath.recording import load
from slowpath.traffic.sources import source

CACHE = Path(".cache/real-apps")
SLOWPATH = str(Path(sys.executable).with_name("slowpath"))
START_TIMEOUT_S = 120.0
CONNECTIONS = 8
ASKED = 3

#: What differs between two servers, or two moments, without anything being wrong.
PASSING = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.]*(?:Z|[+-]\d\d:\d\d)?"  # moments
    r"|\b\d{10,13}(?:\.\d+)?\b"  # seconds or ms since 1970
    r"|\b\d+\.\d{2,}(?:e-?\d+)?(?: ?ms)?\b"  # durations
    r"|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
)

#: wrk sends one path after another.
ROUND_ROBIN = """
local paths, turn = {{ {paths} }}, 0
request = function()
  turn = turn % #paths + 1
  return wrk.format("GET", paths[turn])
end
"""


# --- Environments and servers -------------------------------------------------------------------


def installed(app: App) -> Path:
    """Return the app's environment, made anew if its requirements have changed.

    Raises:
        BenchError: pip could not install it.
    """
    venv = CACHE.absolute() / app.name
    wanted = "\n".join(app.requirements)
    stamp = venv / "requirements.txt"
    if stamp.exists() and stamp.read_text() == wanted:
        return venv
    print(f"installing {app.requirements[0]} ...", file=sys.stderr, flush=True)
    shutil.rmtree(venv, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    pip = [str(venv / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *app.requirements], capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"pip install {' '.join(app.requirements)}:\n{done.stderr[-1000:]}")
    stamp.write_text(wanted)
    return venv


def env_of(app: App, place: Place) -> dict[str, str]:
    """Return what the app needs in its environment, on top of the present one."""
    return {**NO_PROXY, "PYTHONUNBUFFERED": "1", **app.env(place)}


@contextmanager
def serving(app: App, place: Place, env: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run one server of an app until the block ends.

    Raises:
        ServiceError: it ended or did not answer.
    """
    with (
        scratch_folder(app.name) as folder,
        child(
            app.name,
            app.command(place),
            folder=folder,
            env={**env_of(app, place), **(env or {})},
            cwd=app.cwd(place),
        ) as server,
    ):

        def ready() -> bool:
            try:
                answer = httpx.get(place.url + app.ready, timeout=10, trust_env=False)
                return answer.status_code < 400
            except httpx.HTTPError:
                return False

        wait_until(ready, server, timeout_s=START_TIMEOUT_S, interval_s=0.2)
        yield


def fill(app: App, place: Place) -> Headers:
    """Put data into the app's home; return the headers for its traffic."""
    place.home.mkdir()
    app.prepare(place.home)
    with (
        serving(app, place),
        httpx.Client(base_url=place.url, timeout=60, trust_env=False) as client,
    ):
        return app.fill(client)


# --- Driving and pricing ------------------------------------------------------------------------


def diagnose(
    app: App, place: Place, headers: Headers, options: argparse.Namespace
) -> dict[str, Any]:
    """Drive the app by `slowpath run`; return its report.

    Raises:
        BenchError: there is none.
    """
    command = [SLOWPATH, "run", "--format", "json", "--name", app.name]
    command += ["--users", str(options.users), "--duration", options.duration]
    command += ["--port", str(place.port), "--start-timeout", f"{START_TIMEOUT_S:g}s"]
    command += ["--runs", str(options.runs.absolute()), "--traffic", app.traffic]
    for name, value in headers.items():
        command += ["--header", f"{name}: {value}"]
    done = subprocess.run(
        [*command, "--", *app.command(place)],
        env={**os.environ, **env_of(app, place)},
        cwd=app.cwd(place),
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode not in (0, 1):
        raise BenchError(f"slowpath run ended with exit code {done.returncode}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def paths_of(app: App, place: Place, headers: Headers) -> list[str]:
    """Return the paths to compare by: those that answer 200."""
    with httpx.Client(base_url=place.url, headers=headers, timeout=60, trust_env=False) as client:
        if app.paths is not None:
            known = app.paths(client)
        else:
            traffic = source(app.traffic)
            assert traffic is not None
            targets = traffic.plan(place.url, headers).targets
            known = [target.urls[0] for target in targets if target.method == "GET"]
        return [path for path in known if client.get(path).status_code == 200]


def differing(bare: Place, watched: Place, paths: Sequence[str], headers: Headers) -> list[str]:
    """Return the paths that the two servers answer differently, moments and new ids aside.

    Some answers vary by themselves (a count that was given a time limit): it is enough that both
    servers once gave the same.
    """

    def told(client: httpx.Client, place: Place, path: str) -> tuple[int, tuple[str, ...], str]:
        answer = client.get(place.url + path)
        text = answer.text.replace(str(place.home), "HOME").replace(str(place.port), "PORT")
        names = sorted(set(answer.headers) - {"content-length"})
        return answer.status_code, tuple(names), PASSING.sub("…", text)

    with httpx.Client(headers=headers, timeout=60, trust_env=False) as client:
        return [
            path
            for path in paths
            if {told(client, bare, path) for _ in range(ASKED)}.isdisjoint(
                told(client, watched, path) for _ in range(ASKED)
            )
        ]


def ratios(
    bare: Place, watched: Place, paths: Sequence[str], headers: Headers, rounds: int, folder: Path
) -> tuple[list[float], float]:
    """Return a ratio of throughputs for each round, and the median throughput of the bare app."""
    script = folder / "paths.lua"
    script.write_text(ROUND_ROBIN.format(paths=", ".join(json.dumps(path) for path in paths)))
    more = ["-s", str(script), "--timeout", "30s"]
    for name, value in headers.items():
        more += ["-H", f"{name}: {value}"]

    def rate(place: Place, seconds: float = 3) -> float:
        return requests_per_second(place.url, seconds, CONNECTIONS, more)

    for place in (bare, watched):
        rate(place, 2)  # caches, connections and lazy imports
    found, levels = [], []
    for _ in range(rounds):
        a, b, c, d = (rate(place) for place in (bare, watched, watched, bare))
        found.append((b + c) / (a + d))
        levels.append((a + d) / 2)
    return found, statistics.median(levels)


def price(
    app: App, places: Sequence[Place], headers: Headers, rounds: int, folder: Path
) -> dict[str, Any]:
    """Compare a bare server with one that carries the probe: answers, and throughput."""
    bare, watched = places
    record = folder / "recording"
    record.mkdir()
    everywhere = os.sched_getaffinity(0)
    try:
        pinned(SERVER_CORE)
        same = {"PYTHONHASHSEED": "0"}  # sets have one order in both
        with serving(app, bare, same), serving(app, watched, {**environment(record), **same}):
            os.sched_setaffinity(0, everywhere)
            paths = paths_of(app, bare, headers)
            unlike = differing(bare, watched, paths, headers)
            found, level = ratios(bare, watched, paths, headers, rounds, folder)
    finally:
        os.sched_setaffinity(0, everywhere)
    recording = load(record)
    low, middle, high = statistics.quantiles(found, n=4) if rounds > 1 else found * 3
    return {
        "paths": len(paths),
        "differing": unlike,
        "bare_rps": round(level, 1),
        "ratio": round(middle, 3),
        "quartiles": [round(low, 3), round(high, 3)],
        "recorded": len(recording.requests),
        "dropped": sum(process.meta.get("dropped", 0) for process in recording.processes),
    }


# --- Telling ------------------------------------------------------------------------------------


def shown(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tables of a report as Markdown."""
    load = report["load"]
    yield (
        f"{load['requests']} requests, {load['rps']:.0f} a second, p95 {load['p95_ms']:.0f} ms, "
        f"{load['errors']:.1%} errors; probe's own cost "
        f"{report['probe']['overhead_ms_per_request'] or 0:.2f} ms a request"
    )
    yield ""
    yield "| endpoint | count | p95 ms | explained | where the time goes, ms |"
    yield "| --- | --- | --- | --- | --- |"
    for one in report["endpoints"]:
        parts = sorted(one["segments"].items(), key=lambda part: -part[1])[:3]
        yield (
            f"| {one['method']} {one['route']} | {one['count']} | {one['p95_ms']:.0f} "
            f"| {one['explained']:.1%} | {', '.join(f'{k} {v:.1f}' for k, v in parts)} |"
        )
    yield ""
    for one in report["findings"]:
        path = one["path"].rpartition("site-packages/")[2]
        share = "–" if one["share_of_p95"] is None else f"{one['share_of_p95']:.0%}"
        yield f"{one['number']}. `{one['cause']}` {path}:{one['line']} {one['function']}: {share}"
        yield f"   {one['message']}"
    hooks = [f"{name} {state}" for name, state in report["probe"]["hooks"].items() if state != "on"]
    yield "Hooks: " + ("; ".join(hooks) if hooks else "all on")


def measured(app: App, options: argparse.Namespace) -> dict[str, Any]:
    """Do everything with one app; return its figures."""
    venv = installed(app)
    with tempfile.TemporaryDirectory(prefix="slowpath-real-") as scratch:
        folder = Path(scratch)
        origin = Place(venv, folder / "origin", free_port())
        headers = fill(app, origin)
        places = []
        for name in ("driven", "bare", "watched"):
            shutil.copytree(origin.home, folder / name)
            places.append(Place(venv, folder / name, free_port()))
        report = diagnose(app, places[0], headers, options)
        print(f"\n## {app.name}: {app.requirements[0]}\n")
        print("\n".join(shown(report)), flush=True)
        figures: dict[str, Any] = {
            "load": {key: report["load"][key] for key in ("requests", "rps", "p95_ms", "errors")},
            "explained": {
                f"{one['method']} {one['route']}": one["explained"] for one in report["endpoints"]
            },
            "findings": [
                {key: one[key] for key in ("cause", "function", "line", "share_of_p95")}
                for one in report["findings"]
            ],
        }
        if options.rounds:
            figures["price"] = cost = price(app, places[1:], headers, options.rounds, folder)
            print(
                f"\nPrice: {cost['ratio']:.3f} of the bare throughput "
                f"({cost['quartiles'][0]:.3f} .. {cost['quartiles'][1]:.3f}), "
                f"{cost['bare_rps']} requests/s bare, over {cost['paths']} paths; "
                f"answers differ on {', '.join(cost['differing']) or 'none'}; "
                f"{cost['recorded']:,} requests recorded, {cost['dropped']} records dropped",
                flush=True,
            )
        return figures


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.real_apps")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(APPS))
    parser.add_argument("--users", type=int, default=12)
    parser.add_argument("--duration", default="15s", help="of the diagnosed run")
    parser.add_argument("--rounds", type=int, default=5, help="of the price; 0: leave it out")
    parser.add_argument("--runs", type=Path, default=CACHE / "runs", help="where runs are kept")
    options = parser.parse_args(argv)
    if unknown := sorted(set(options.names) - set(APPS)):
        parser.error(f"no such app: {', '.join(unknown)}; known are {', '.join(APPS)}")
    if options.rounds and shutil.which("wrk") is None:
        print("bench-real-apps needs wrk (on Debian: apt-get install wrk)", file=sys.stderr)
        return 2
    figures = {}
    try:
        for name in options.names or APPS:
            figures[name] = measured(APPS[name], options)
    except (ServiceError, BenchError, UserError) as exc:
        print(exc, file=sys.stderr)
        return 2
    print(json.dumps({"apps": figures}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
