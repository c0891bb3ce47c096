"""
Does speaking chunks of a text at the same time beat more threads in each? With --profile cpu:
cpu-gate has one processor.
"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="paragraphs",
    cells=[
        {"workers": 1, "threads": 1},
        {"workers": 1, "threads": 2},
        {"workers": 2, "threads": 2},
    ],
    fixed={"nfe_steps": 4},
    reference={"workers": 1, "threads": 2},
    metrics=["snr", "join_clicks"],
)
