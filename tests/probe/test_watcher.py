"""The watcher: overdue slices are sampled at their very line, and told to compute or to block."""

from __future__ import annotations

import asyncio
import inspect
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slowpath.probe import core, watch
from slowpath.recording import Recording, load
from tests.probe.probed import Run, probed
from tests.probe.served import run_python

SLICE_S = 0.08
CLOSE_NS = 30_000_000


def blocks() -> None:
    time.sleep(SLICE_S)


def computes() -> None:
    until = time.thread_time() + SLICE_S
    while time.thread_time() < until:
        sum(range(1000))


def holds_the_gil() -> None:
    count = 20_000_000
    sum(range(count))
    del count


async def overdue(work: Callable[[], None]) -> None:
    await asyncio.sleep(0)
    work()
    await asyncio.sleep(0)


def recorded(folder: Path, work: Callable[[], None]) -> Recording:
    """Record an overdue slice; again, if others kept this machine from telling its CPU time."""

    async def main() -> None:
        # Bounds are close only when the watcher has just looked at the thread between slices.
        for _ in range(5000):
            await asyncio.sleep(0.001)
            if core.now() - core.local.here.wall_mark < 10_000_000:
                break
        await asyncio.create_task(overdue(work))

    for attempt in range(10):
        with probed(folder / str(attempt)) as run:
            asyncio.run(main())
        slice = longest(run.recording)
        assert 0 <= slice.least <= slice.most <= slice.end - slice.start
        if slice.most - slice.least < CLOSE_NS:
            return run.recording
    raise AssertionError("the CPU time of a slice was never told closely")


def longest(recording: Recording) -> Any:
    [line] = [
        line.id
        for line in recording.lines.values()
        if recording.sites[line.site].function == "overdue"
    ]
    return max(recording.slices_of(line), key=lambda slice: slice.end - slice.start)


def sampled(recording: Recording) -> Counter[tuple[str, int]]:
    """How often each line of this file was seen in the overdue slice."""
    slice = longest(recording)
    samples = recording.samples[recording.samples["slice_start"] == slice.start]
    assert (samples["line"] == slice.line).all()
    found = Counter(recording.sites[site] for site in samples["site"].tolist())
    assert {Path(site.path).name for site in found} <= {"test_watcher.py"}
    return Counter({(site.function, site.line): count for site, count in found.items()})


def line_of(function: Callable[[], None], text: str) -> int:
    lines, first = inspect.getsourcelines(function)
    [found] = [first + i for i, line in enumerate(lines) if text in line]
    return found


def test_a_slice_that_blocks_used_no_cpu_and_is_seen_at_the_blocking_line(tmp_path: Path) -> None:
    recording = recorded(tmp_path, blocks)
    slice = longest(recording)
    wall = slice.end - slice.start
    assert wall >= SLICE_S * 1e9
    assert slice.most < wall / 2
    seen = sampled(recording)
    assert seen.most_common(1)[0][0] == ("blocks", line_of(blocks, "time.sleep"))
    assert seen.total() >= 3


def test_a_slice_that_computes_used_the_cpu_and_is_seen_where_it_does(tmp_path: Path) -> None:
    recording = recorded(tmp_path, computes)
    slice = longest(recording)
    assert slice.least >= SLICE_S * 1e9 / 2
    assert slice.most >= SLICE_S * 1e9
    seen = sampled(recording)
    loop = {("computes", line_of(computes, text)) for text in ("while", "sum(")}
    assert set(seen) <= loop
    assert seen.total() >= 3


def test_a_call_that_holds_the_gil_is_seen_at_its_line_when_it_ends(tmp_path: Path) -> None:
    for attempt in range(10):
        recording = recorded(tmp_path / str(attempt), holds_the_gil)
        assert longest(recording).least > 0
        seen = sampled(recording)
        if seen:  # else the watcher was just writing, and looked again after the slice
            break
    # No thread can run before the call ends, and then the line is still the same.
    assert seen.most_common(1)[0][0] == ("holds_the_gil", line_of(holds_the_gil, "sum("))


def test_bounds_of_cpu_hold_for_every_measured_slice(tmp_path: Path) -> None:
    async def mixed() -> None:
        for work in (0.002, 0.0, 0.004, 0.0, 0.001):
            time.sleep(work)  # noqa: ASYNC251
            until = time.thread_time() + work
            while time.thread_time() < until:
                pass
            await asyncio.sleep(0.001)

    with probed(tmp_path) as run:
        asyncio.run(mixed())
    measured = run.recording.slices[run.recording.slices["most"] >= 0]
    assert len(measured) >= 1
    wall = measured["end"] - measured["start"]
    assert (measured["least"] >= 0).all()
    assert (measured["least"] <= measured["most"]).all()
    assert (measured["most"] <= wall).all()


# Threads that come and go


def test_loops_in_threads_that_end_leave_nothing_behind(tmp_path: Path) -> None:
    """The clock of an ended thread must be no error, nor its identity mistaken when used anew."""

    async def short() -> int:
        await asyncio.sleep(0)
        return threading.get_ident()

    with probed(tmp_path) as run:
        idents = []
        for _ in range(30):
            thread = threading.Thread(target=lambda: idents.append(asyncio.run(short())))
            thread.start()
            thread.join()
            run.probe.watcher.look(jobs=True, sparse=True)
        asyncio.run(asyncio.sleep(0.05))
        for _ in range(3):
            run.probe.watcher.look(jobs=True, sparse=True)
        alive = {thread.ident for thread in threading.enumerate()}
        assert set(core.watched) <= alive
    assert len(idents) == 30
    assert run.recording.processes[0].meta["trouble"] == ""


def test_a_slice_in_a_thread_that_has_the_identity_of_an_ended_one_is_sampled(
    tmp_path: Path,
) -> None:
    seen: list[int] = []
    with probed(tmp_path) as run:
        for work in (lambda: None, blocks):
            thread = threading.Thread(target=lambda work=work: asyncio.run(overdue(work)))
            thread.start()
            seen.append(thread.ident or 0)
            thread.join()
    lines = [run.recording.sites[site].function for site in run.recording.samples["site"].tolist()]
    assert "blocks" in lines


# Its beginning and its end


def watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "slowpath"]


def test_its_thread_lives_from_the_first_task_to_the_end(tmp_path: Path) -> None:
    with probed(tmp_path) as run:
        assert watchers() == []
        assert not list(tmp_path.iterdir())
        asyncio.run(asyncio.sleep(0))
        [thread] = watchers()
        assert thread.daemon
        asyncio.run(asyncio.sleep(0))
        assert watchers() == [thread]
    assert not thread.is_alive()
    assert watchers() == []
    assert len(list(tmp_path.iterdir())) == 1
    assert run.probe.watcher._thread is thread


def test_an_interpreter_ends_in_the_middle_of_a_stall(tmp_path: Path) -> None:
    source = """
        import asyncio, threading, time
        import slowpath.probe

        async def main():
            print([thread.name for thread in threading.enumerate()])
            for _ in range(2000):
                time.sleep(0.005)
                if slowpath.probe.installed().watcher._samples:
                    raise SystemExit(0)

        asyncio.run(main())
    """
    (tmp_path / "program.py").write_text(textwrap.dedent(source))
    assert run_python(tmp_path, str(tmp_path / "program.py")) == "['MainThread', 'slowpath']\n"
    recording = load(tmp_path / "run")
    assert recording.troubles == []
    [process] = recording.processes
    assert process.meta["trouble"] == ""
    assert len(recording.samples) > 0


def test_it_writes_while_the_app_runs(tmp_path: Path) -> None:
    async def main(run: Run) -> None:
        file = tmp_path / f"probe-{run.probe.describe()['pid']}.bin"
        for _ in range(500):
            await asyncio.sleep(0.01)
            if file.exists() and file.stat().st_size > 1000:
                return
        raise AssertionError("nothing was written")

    with probed(tmp_path) as run:
        asyncio.run(main(run))


def test_levels_of_the_process_are_recorded(tmp_path: Path) -> None:
    with probed(tmp_path) as run:
        watch.gauges()
    names = {run.recording.texts[name] for name in run.recording.gauges["name"].tolist()}
    assert {"process.memory.rss", "process.cpu.ns", "process.threads"} <= names
    assert (run.recording.gauges["value"] > 0).any()


def test_many_stalls_do_not_grow_the_memory_of_samples(tmp_path: Path) -> None:
    with probed(tmp_path) as run:
        asyncio.run(overdue(blocks))
        assert len(run.probe.watcher._samples) <= len(core.watched) + 1
