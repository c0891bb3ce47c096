"""Do short sentences get by with fewer steps, and is that better than fewer steps for all?"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="everyday-short",
    axes={"nfe_steps": [16, 12, 8], "nfe_adaptive": ["off", "phones"]},
    reference={"nfe_steps": 16, "nfe_adaptive": "off"},
    repeats=2,
)
