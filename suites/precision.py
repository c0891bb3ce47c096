"""Does arithmetic in fewer bits make the voice faster here, and can it be told from fp32?"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="everyday-short",
    axes={"precision": ["fp32", "bf16"], "nfe_steps": [16, 8]},
    reference={"precision": "fp32", "nfe_steps": 16},
)
