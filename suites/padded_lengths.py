"""What do padded lengths cost, and what do few shapes buy, eager and compiled?"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="everyday-short",
    axes={"pad_frames": [0, 32, 128], "compile": ["off", "default"]},
    fixed={"nfe_steps": 8},
    reference={"pad_frames": 0, "compile": "off"},
    repeats=2,
)
