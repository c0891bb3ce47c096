"""
How does the engine bear many requests at once, and what do fewer steps buy a server? For
`voxgate load`.
"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="serving",
    cells=[{"nfe_steps": 16}, {"nfe_steps": 8}],
    reference={"nfe_steps": 16},
    repeats=1,
)
