"""The example of a cause's page as a diff."""

from __future__ import annotations

import pytest

from slowpath.causes import catalogue
from slowpath.report.html.examples import example_of

PAGE = """\
# Title

## Example

```python
def far():
    return 1


def call(a):
    wait(a)  # culprit: some-cause
    return a
```

## Use instead

```python
def call(a):
    async_wait(a)
    return a
```

```sql
SELECT 1
```

## When it is wrong

```python
def call(a):
    wait(a)
    return a
```
"""


def test_what_goes_and_what_comes():
    assert example_of(PAGE)["lines"][-3:] == [
        ("-", "    wait(a)"),
        ("+", "    async_wait(a)"),
        (" ", "    return a"),
    ]


def test_of_several_the_two_that_are_most_alike():
    other = "```python\ndef call(a):\n    wait(a, 5)\n    return a\n```\n\n## Use instead"
    lines = example_of(PAGE.replace("## Use instead", other))["lines"]
    assert ("-", "    wait(a, 5)") in lines
    assert not any("far" in line for _, line in lines)


def test_empty_lines_alone_are_nothing_in_common():
    page = "## Example\n\n```python\na\n\nb\n```\n\n## Use instead\n\n```python\nc\n\nd\n```\n"
    assert "".join(sign for sign, _ in example_of(page)["lines"]) == "---+++"


def test_a_page_without_a_pair_has_none():
    assert example_of("") is None
    assert example_of(PAGE.replace("## Use instead", "## Else")) is None


@pytest.mark.parametrize("slug", sorted(catalogue()))
def test_every_cause_has_one_that_changes_something(slug):
    example = example_of(catalogue()[slug].page)
    assert example is not None
    signs = {sign for sign, _ in example["lines"]}
    assert "+" in signs
    assert not any("# culprit" in line for _, line in example["lines"])
