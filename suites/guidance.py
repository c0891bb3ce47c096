"""Where along the flow is guidance worth its second half of the batch?"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="everyday-short",
    cells=[
        {},
        {"cfg_until": 0.5},
        {"cfg_until": 0.2},
        {"cfg_from": 0.1},
        {"cfg_from": 0.2, "cfg_until": 0.7},
        {"cfg_strength": 0.0},
    ],
    reference={},
    repeats=2,
)
