"""
Is the Spanish voice as fast and as well understood as it was, with fewer steps and in each region?
"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="spanish",
    cells=[
        {"nfe_steps": 32},
        {},
        {"nfe_steps": 8},
        {"nfe_steps": 4},
        {"nfe_steps": 8, "region": "rioplatense"},
        {"nfe_steps": 8, "region": "mexico"},
        {"nfe_steps": 8, "region": "colombia"},
    ],
    fixed={"language": "es"},
    reference={"nfe_steps": 32},
)
