"""The findings: the line, the proof, what it costs whom, and what to do."""

from __future__ import annotations

import re

from slowpath.report.fixes import WORDS, command
from slowpath.report.kinds import kind_of
from slowpath.report.model import Charged, FindingReport, Place, Report
from slowpath.report.terminal.evidence import phrase
from slowpath.report.terminal.paper import Paper, Piece, ink
from slowpath.report.terminal.prices import predicted
from slowpath.report.words import counted, listed, ms, percent

MOST = 10
MOST_ENDPOINTS = 3
MOST_EVIDENCE = 8
MOST_CHAIN = 6
MOST_VALUE = 200
INDENT = 4
CHARGED_FIRST = "by what they are charged of the slowest requests' time"


def findings(report: Report, paper: Paper) -> None:
    """Write the findings in their order, or that there is none."""
    every = report["findings"]
    if not every:
        _none(report, paper)
        return
    ranked = report["simulation"].get("trusted") and any(f["predicted"] for f in every)
    paper.heading("Findings", "by what their cure would gain" if ranked else CHARGED_FIRST)
    for finding in paper.some(every, MOST):
        paper.blank()
        _finding(finding, report, paper)
    if len(every) > MOST and not paper.full:
        paper.blank()
        paper.line((f"{counted(len(every) - MOST, 'more finding')} with less time.", "dim"))


def in_code(report: Report, paper: Paper) -> None:
    """Write what only the code shows, a line or two each."""
    every = report.get("in_code", [])
    if not every:
        return
    paper.heading("Also in the code", "seen by the scan; this run did not show what it costs")
    for each in paper.some(every, MOST):
        paper.flow(
            (each["cause"], "yellow"),
            "  ",
            (f"{each['path']}:{each['line']}", "bold"),
            f"  {each['function']}",
            indent=2,
            first=ink("- "),
        )
        paper.flow(_sentence(each["message"] or each["title"]), indent=INDENT)
        if fix := command(each):
            paper.flow((fix, "bold"), f"  {WORDS[each['cure']]}", indent=INDENT)
    if len(every) > MOST and not paper.full:
        paper.line((f"  {counted(len(every) - MOST, 'more place')}: `slowpath scan`.", "dim"))


def _none(report: Report, paper: Paper) -> None:
    if not report["looked_for"] or not report["endpoints"]:
        return
    measured = sum(endpoint["count"] for endpoint in report["endpoints"])
    paper.heading("Findings")
    paper.flow(
        f"None. {counted(measured, 'request')} to {counted(len(report['endpoints']), 'endpoint')}: "
        f"looked for {', '.join(report['looked_for'])}. "
        f"Most of the time goes to {listed(_largest(report), 3)}."
    )


def _largest(report: Report) -> list[str]:
    """Name what most of the time of all requests goes to, with the shares."""
    sums: dict[str, float] = {}
    for endpoint in report["endpoints"]:
        for activity, mean in endpoint["segments"].items():
            name = kind_of(activity).name
            sums[name] = sums.get(name, 0.0) + mean * endpoint["count"]
    total = sum(sums.values()) or 1.0
    largest = sorted(sums.items(), key=lambda item: -item[1])
    return [f"{name} ({percent(time / total)})" for name, time in largest]


def _finding(finding: FindingReport, report: Report, paper: Paper) -> None:
    paper.flow(
        (finding["cause"], "bold red"),
        "  ",
        (_where(finding), "bold"),
        f"  {finding['function']}",
        indent=INDENT,
        first=ink((f"{finding['number']:>2}  ", "bold")),
    )
    paper.flow(_sentence(finding["message"] or finding["title"]), indent=INDENT)
    _source(finding, paper)
    paper.item("charged", *_charged(finding))
    if cured := predicted(finding, report):
        paper.item("cured", *cured)
    if finding["endpoints"]:
        hurt = [_endpoint(endpoint, paper) for endpoint in finding["endpoints"]]
        shown = paper.some(hurt, MOST_ENDPOINTS)
        paper.item("hurts", listed(hurt, len(shown)))
    _evidence(finding, paper)
    _chain(finding, paper)
    if finding["advice"]:
        paper.item("do", (_sentence(finding["advice"]), "green"))
    if fix := command(finding):
        paper.item("fix", (fix, "bold"), f"  {WORDS[finding['cure']]}")


def _where(place: Place | FindingReport) -> str:
    """Write path and line; the way to an installed package is left out."""
    path = re.sub(r"^.*/(?:site|dist)-packages/", "", place["path"])
    return f"{path}:{place['line']}"


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


def _source(finding: FindingReport, paper: Paper) -> None:
    source = finding["source"]
    if source is None:
        return
    paper.blank()
    last = source["first_line"] + len(source["lines"]) - 1
    digits = len(str(last))
    margin = min((_margin(line) for line in source["lines"] if line.strip()), default=0)
    for number, line in enumerate(source["lines"], source["first_line"]):
        guilty = finding["line"] <= number <= finding["end_line"]
        style = "bold" if guilty else "dim"
        lead = ink((f"    {'>' if guilty else ' '} ", "red"), (f"{number:>{digits}} | ", "dim"))
        if paper.full:
            paper.flow((line[margin:], style), indent=len(lead), first=lead)
        else:
            paper.line(lead.plain, (line[margin:], style))
    if source["changed"]:
        paper.flow(
            ("The file was changed after the run; the line may have moved.", "yellow"),
            indent=INDENT,
        )
    paper.blank()


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _charged(finding: FindingReport) -> list[Piece]:
    share, mean = finding["share_of_p95"], finding["charged_ms_per_request"]
    if share is None or mean is None:
        return ["nothing by this run; it was seen in the code"]
    if not finding["requests"]:
        return ["nothing by this run, but it limits what the app can bear"]
    return [
        (percent(share), "bold"),
        f" of the slowest requests' time; {ms(mean)} ms a request over the whole run, "
        f"borne by {counted(finding['requests'], 'request')}",
    ]


def _endpoint(endpoint: Charged, paper: Paper) -> str:
    name = paper.text(f"{endpoint['method']} {endpoint['route']}", 60)
    cost = f"{ms(endpoint['charged_ms_per_request'])} ms ({percent(endpoint['share'])})"
    return f"{name} {cost}"


def _evidence(finding: FindingReport, paper: Paper) -> None:
    label = "evidence"
    told = [(key, value) for key, value in finding["evidence"].items() if value not in ("", [], {})]
    for key, value in paper.some(told, MOST_EVIDENCE):
        words, lines = phrase(key, value, paper.full)
        paper.cut |= (words, lines) != phrase(key, value, full=True)
        if len(lines) == 1:
            paper.item(label, f"{words}: {paper.text(lines[0], MOST_VALUE)}")
        else:
            paper.item(label, f"{words}:")
            for line in lines:
                paper.item("", paper.text(line, MOST_VALUE), indent=INDENT + 2)
        label = ""


def _chain(finding: FindingReport, paper: Paper) -> None:
    """Write how the line is reached."""
    hops = finding["chain"]
    if not paper.full:
        # What leads there through the framework is the same for every request.
        own = next((i for i, hop in enumerate(hops) if not _installed(hop["path"])), 0)
        paper.cut |= own > 0
        hops = hops[own:]
    steps = [f"{_where(hop)} {hop['function']}" for hop in hops]
    if entry := finding["entry"]:
        if not hops or (hops[0]["path"], hops[0]["line"]) != (entry["path"], entry["line"]):
            steps.insert(0, f"{entry['path']}:{entry['line']} {entry['function']}")
        steps[0] = f"{entry['kind']} {steps[0]}"
    if not steps:
        return
    if finding["culprit"]:
        steps.append(finding["culprit"])
    if len(steps) > MOST_CHAIN and not paper.full:
        paper.cut = True
        steps = [*steps[: MOST_CHAIN // 2], "…", *steps[-(MOST_CHAIN // 2) :]]
    paper.item("reached", " → ".join(steps))


def _installed(path: str) -> bool:
    return bool(re.search(r"/(?:site|dist)-packages/|/lib/python3", path))
