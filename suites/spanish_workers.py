"""
How much more Spanish do two workers speak than one, on the same processors? With --profile cpu:
cpu-gate has one.
"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="spanish",
    cells=[
        {"workers": 1, "threads": 1},
        {"workers": 1, "threads": 2},
        {"workers": 2, "threads": 2},
    ],
    fixed={"language": "es", "nfe_steps": 8},
    reference={"workers": 1, "threads": 2},
    metrics=["snr", "join_clicks"],
)
