"""Does the voice still work, is it as fast as it was, and are the options that matter in effect?"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="smoke",
    cells=[
        {"nfe_steps": 32},
        {},
        {"nfe_steps": 8},
        {"nfe_steps": 4},
        {"nfe_steps": 8, "precision": "bf16"},
        {"nfe_steps": 8, "quantization": "int8-weight-only"},
    ],
    reference={"nfe_steps": 32},
    min_time_s=4.0,
)
