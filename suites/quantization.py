"""Do int8 weights make the voice smaller or faster, and what do they cost it?"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="everyday-short",
    axes={
        "quantization": ["none", "int8-dynamic", "int8-weight-only"],
        "precision": ["fp32", "bf16"],
    },
    fixed={"nfe_steps": 8},
    reference={"quantization": "none", "precision": "fp32"},
    repeats=2,
)
