"""
How few solver steps keep the voice as it is, which solver uses them best, and what does each step
cost?
"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="everyday-short",
    axes={"solver": ["euler", "midpoint", "heun"], "nfe_steps": [32, 24, 20, 16, 12, 8, 6, 4, 2]},
    reference={"solver": "euler", "nfe_steps": 32},
    without=[
        {
            "solver": solver,
            "nfe_steps": steps,
            "because": "costs more forward passes than the reference",
        }
        for solver in ("midpoint", "heun")
        for steps in (32, 24, 20)
    ],
    repeats=2,
)
