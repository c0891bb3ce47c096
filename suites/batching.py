"""
Is a long text spoken sooner when several of its chunks go through the models together, and what
does its first audio pay?
"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="paragraphs",
    axes={"batch": [1, 2, 4]},
    fixed={"nfe_steps": 4},
    reference={"batch": 1},
    metrics=["snr", "join_clicks"],
)
