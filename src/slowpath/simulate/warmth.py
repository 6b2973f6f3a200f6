"""Code that has not run for a while runs cold.

Caches of the processor forget what the core did not do lately, be it that it waited or that it
did something else. So the same slice of the same endpoint takes longer the longer ago it last
ran: on an idle or a blocked loop easily three times as long as on one that is busy with its like.
A cure that changes how often something runs changes that, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: How long ago the code ran is told in classes, each from its bound on.
AGES_NS = (0, 30_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000)
#: A longer stretch of work goes over data of its own, and is as slow at any time.
SUFFERS_NS = 1_000_000
#: What the loop does by itself between two slices; slices have greater numbers.
TURN = 1


@dataclass(frozen=True)
class Warmth:
    """By how much code runs slower, by how long ago it last ran: one factor for each age."""

    factors: tuple[float, ...] = (1.0,) * len(AGES_NS)

    def of(self, ages: Ints) -> Floats:
        """Return the factors for ages, ns."""
        table = np.array(self.factors)
        found: Floats = table[np.searchsorted(AGES_NS, np.maximum(ages, 0), "right") - 1]
        return found

    @property
    def matters(self) -> bool:
        """Whether it makes a difference."""
        return self.factors[-1] > 1.0


#: About the fourth root of the age, from a fifth of a millisecond to what everything has forgotten
#: after: the middle of what `python -m bench.cooling` shows for little and for much code, on a loop
#: that was idle in between (five times as slow from 4 ms on) or busy with something else (twice).
#: A recording does not show it as clearly: the ages that it has lie close together, and what is
#: never hot in it cannot tell how fast it is. To tell idle from busy time predicted no better.
TYPICAL = Warmth((1.0, 1.05, 1.29, 1.71, 2.29, 3.4, 4.0))
