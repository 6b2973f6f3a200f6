"""What a run could not see, and what may be wrong when it saw nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from slowpath.recording import Process, Recording
from slowpath.report.figures import measured_calls
from slowpath.report.model import Blind, EndpointReport
from slowpath.report.words import counted, listed, percent

#: More than this unattributed on an endpoint is a defect of the probe.
UNATTRIBUTED = 0.02
#: With fewer requests than this, p95 is hardly more than the slowest one.
FEW = 20
LISTED = 4


def hook_states(processes: Sequence[Process]) -> dict[str, str]:
    """Return the state of each hook; of several processes, that of the one where it is off."""
    states: dict[str, str] = {}
    for process in processes:
        for name, state in (process.meta.get("hooks") or {}).items():
            if not is_off(states.get(name, "")):
                states[str(name)] = str(state)
    return dict(sorted(states.items()))


def is_off(state: str) -> bool:
    """Tell whether a hook is off for a reason worth a word."""
    return state.startswith("off")


def blind_of(recording: Recording, endpoints: list[EndpointReport]) -> list[Blind]:
    """List what the run could not see, the gravest first."""
    found = [
        *_lost(recording),
        *_unseen(recording),
        *_hooks(recording),
        *_unattributed(endpoints),
        *_few(endpoints),
    ]
    return [{"kind": kind, "message": message} for kind, message in found]


def _lost(recording: Recording) -> Iterator[tuple[str, str]]:
    for process in recording.processes:
        if dropped := int(process.meta.get("dropped") or 0):
            yield (
                "dropped-records",
                f"Process {process.pid} dropped {counted(dropped, 'record')} because the probe's "
                "buffer was full or could not be written; some requests are told in part.",
            )
        if refused := int(process.meta.get("refused_names") or 0):
            yield (
                "refused-names",
                f"Process {process.pid} has more different names than the probe keeps; "
                f"{counted(refused, 'name')} of sites, routes or statements are missing.",
            )
        if trouble := str(process.meta.get("trouble") or ""):
            yield "probe-trouble", f"The probe in process {process.pid} had trouble: {trouble}."
    for trouble in recording.troubles:
        yield "unreadable", f"{trouble.rstrip('.')}."


def _unseen(recording: Recording) -> Iterator[tuple[str, str]]:
    """Requests that were answered, but by no process that was recorded."""
    if not recording.requests:
        return  # nothing was: the hints say why
    seen = {request.client.span_id for request in recording.requests if request.client}
    answered = [call for call in measured_calls(recording) if call.status]
    unseen = Counter(f"{call.method} {call.name}" for call in answered if call.span_id not in seen)
    if unseen:
        names = [f"{name} ({count:,})" for name, count in unseen.most_common()]
        total = unseen.total()
        yield (
            "unseen-requests",
            f"{total:,} of the client's {counted(len(answered), 'answered request')} "
            f"({percent(total / len(answered))}) reached no recorded process: "
            f"{listed(names, LISTED)}. A worker without the probe, a proxy or a static file "
            "server may have answered, or a worker was killed before it wrote them down.",
        )


def _hooks(recording: Recording) -> Iterator[tuple[str, str]]:
    for name, state in hook_states(recording.processes).items():
        if is_off(state):
            why = state.partition(":")[2].strip() or "no reason given"
            yield (
                "hook-off",
                f"The hook for {name} is off: {why}. What it would have told shows as plain "
                "waiting or as the caller's own work.",
            )


def _unattributed(endpoints: list[EndpointReport]) -> Iterator[tuple[str, str]]:
    for endpoint in endpoints:
        missing = 1 - endpoint["explained"]
        if missing > UNATTRIBUTED:
            yield (
                "unattributed",
                f"{percent(missing)} of the time of {endpoint['method']} {endpoint['route']} "
                "could not be charged to any line.",
            )


def _few(endpoints: list[EndpointReport]) -> Iterator[tuple[str, str]]:
    few = [
        f"{endpoint['method']} {endpoint['route']} ({endpoint['count']})"
        for endpoint in endpoints
        if endpoint["count"] < FEW
    ]
    if few:
        yield (
            "few-requests",
            f"Fewer than {FEW} requests, so that p95 and p99 say little more than the slowest "
            f"one: {listed(few, LISTED)}.",
        )


def hints_of(recording: Recording) -> list[str]:
    """Say what may be wrong with a run that measured no request."""
    return list(_hints(recording))


def _hints(recording: Recording) -> Iterator[str]:
    if recording.requests:
        yield (
            f"All {counted(len(recording.requests), 'recorded request')} began outside the "
            "measured time, such as in the warm-up: try a longer --duration."
        )
        return
    calls = measured_calls(recording)
    answered = sum(call.status > 0 for call in calls)
    if calls and not answered:
        yield "The app answered none of the client's requests: see app.log of this run."
    elif answered:
        yield (
            f"The client got {counted(answered, 'answer')}, so something answered, but not a "
            "process with the probe in it."
        )
    else:
        yield "No request was sent to the app, as far as is known."
    if recording.processes:
        pids = listed([str(process.pid) for process in recording.processes], LISTED)
        yield (
            f"The probe ran (process {pids}), but no ASGI request passed it: WSGI apps, and "
            "servers that are not written in Python, are not seen."
        )
        return
    flags = isolating_flags(recording.run.get("command") or [])
    if flags:
        yield (
            f"The command passes {' and '.join(flags)} to Python, which then ignores PYTHONPATH or "
            "sitecustomize, and with it the probe."
        )
    else:
        yield (
            "The probe comes in by PYTHONPATH: it does not if the command is not Python, runs "
            "python -I or -E, cleans the environment (sudo, env -i) or starts a container."
        )
    yield (
        "Where that must stay so, let the app itself call `slowpath.probe.install()` before it "
        "imports its framework, with SLOWPATH_DIR passed on to it."
    )


def isolating_flags(command: list[str]) -> list[str]:
    """Return the options of a Python command that make it ignore PYTHONPATH or sitecustomize.

    >>> isolating_flags(["python3", "-IB", "-m", "uvicorn", "-E"])
    ['-IB']
    """
    found: list[str] = []
    words = [str(word) for word in command]
    if not words or "python" not in words[0].rpartition("/")[2]:
        return found
    options = iter(words[1:])
    for word in options:
        if not word.startswith("-") or word.startswith(("-m", "-c")) or word == "-":
            break
        if word in ("-W", "-X"):
            next(options, None)
        elif not word.startswith(("--", "-W", "-X")) and set(word) & set("IES"):
            found.append(word)
    return found
