"""How many overtake the line before a pool: as many as the recording shows.

In a pool that does not hand its places over, whoever asks between a place's return and the turn of
whoever was woken for it gets it. The simulation knows the turns of the loop, but not all that
makes newcomers come just then: a caller on the same machine, say, that sends its next request
while the connection of its last one is still being given back; nor all that keeps them from it. So
it is told by a factor how many more, or fewer, get by in the recording than in its replay. What a
cure does to the turns is simulated.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from slowpath.simulate.many import SIMULATION_STEPS, lessened
from slowpath.simulate.replay import engine_of
from slowpath.simulate.scripts import Scripts
from slowpath.simulate.workload import Workload

#: Fewer who come while others wait tell nothing.
ENOUGH = 20
#: The factor is at most so much.
MOST = 4.0


def favoured(workload: Workload) -> Workload:
    """Return a workload whose pools let as many overtake as the recording shows."""
    if not any(pool.overtaking for pool in workload.pools):
        return workload
    steps = sum(len(behaviour.steps) for behaviour in workload.behaviours)
    engine = engine_of(Scripts(lessened(workload, SIMULATION_STEPS / max(1, steps))))
    engine.run()
    pools = []
    for number, pool in enumerate(workload.pools):
        came, overtook = np.sum(
            [
                (worker.pools[number].came, worker.pools[number].overtook)
                for worker in engine.workers
            ],
            axis=0,
        ).tolist()
        if came >= ENOUGH and overtook and pool.overtaking:
            favour = min(pool.overtaking * came / overtook, MOST)
            pool = replace(pool, favour=favour)
        pools.append(pool)
    return replace(workload, pools=tuple(pools))
