"""The lab proves the causes: real parts, real load, the marked line and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.harness import Case, Parts, cases, explain, parts, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shared() -> Iterator[Parts]:
    with parts() as found:
        yield found


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_the_sick_edition_yields_its_causes_and_the_cured_one_is_clean(
    case: Case, shared: Parts
) -> None:
    sick, cured = run(case, "sick", shared), run(case, "cured", shared)
    told = f"\nsick {explain(case, sick)}\ncured {explain(case, cured)}"

    assert not sick.errors, told
    assert not cured.errors, told
    assert sick.found == case.culprits, told
    assert cured.found == [], told
    path = case.gain.get("of")
    if "p95" in case.gain:
        assert sick.p95_ms(path) / cured.p95_ms(path) >= case.gain["p95"], told
    if "rps" in case.gain:
        assert cured.rps(path) / sick.rps(path) >= case.gain["rps"], told


def test_every_run_time_cause_has_a_case() -> None:
    from slowpath.causes import catalogue

    proved = {culprit.cause for case in cases() for culprit in case.culprits}
    detected = {slug for slug, cause in catalogue().items() if cause.part("detect")}
    assert detected <= proved
