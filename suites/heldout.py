"""
How well is the embedded voice understood on 200 sentences that it never saw, as it takes fewer
steps?
"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="everyday-200",
    axes={"nfe_steps": [32, 16, 8, 4, 2]},
    reference={"nfe_steps": 32},
    repeats=1,
)
