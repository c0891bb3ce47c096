"""What does guidance of the speech tokens buy, and what do its rows in the batch cost?"""

from voxgate import Suite

suite = Suite(
    pipeline="token",
    workload="everyday-short",
    axes={"cfg_weight": [0.0, 0.3, 0.5, 1.0]},
    reference={"cfg_weight": 0.5},
    takes=3,
    repeats=2,
)
