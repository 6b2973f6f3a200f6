"""`time.sleep` on a line is a span that holds the thread."""

import sys
import time

import pytest

from slowpath.probe.hooks.sleep import SleepHook
from tests.probe.recorder import recording


def test_sleep_is_told_with_what_was_asked():
    with recording(SleepHook()) as seen, seen.line():
        time.sleep(0.002)
        line = sys._getframe().f_lineno - 1
    [span] = seen.spans("sleep")
    assert span.site[:2] == (__file__, line)
    assert span.a == 2_000_000
    assert span.end - span.start >= 2_000_000
    assert not span.is_async


def test_letting_other_threads_run_is_no_sleep():
    with recording(SleepHook()) as seen, seen.line():
        for _ in range(5):
            time.sleep(0)
    assert all(span.end - span.start >= 20_000 for span in seen.spans("sleep"))


@pytest.mark.parametrize("wrong", [(), (-1,), ("1",), (float("inf"),), (float("nan"),), (1, 2)])
def test_wrong_arguments_are_refused_as_ever(wrong):
    with pytest.raises(Exception) as plain:
        time.sleep(*wrong)
    with recording(SleepHook()) as seen, seen.line():
        with pytest.raises(plain.type) as caught:
            time.sleep(*wrong)
        assert str(caught.value) == str(plain.value)


def test_name_and_documentation_stay():
    original = time.sleep
    with recording(SleepHook()):
        assert time.sleep.__name__ == "sleep"
        assert time.sleep.__doc__ == original.__doc__
    assert time.sleep is original


def test_a_broken_hook_never_reaches_the_app():
    with recording(SleepHook(), broken=True) as seen, seen.line():
        time.sleep(0.001)
        assert time.sleep(0.001) is None
