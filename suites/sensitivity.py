"""
Which metric sees which fault? `voxgate selftest --quality` plants faults into the audio of NFE 8;
the rest are settings.
"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="sensitivity",
    cells=[
        {"nfe_steps": 32},
        {"nfe_steps": 8},
        {"nfe_steps": 4},
        {"nfe_steps": 2},
        {"nfe_steps": 32, "precision": "bf16"},
        {"nfe_steps": 32, "quantization": "int8-dynamic"},
        {"nfe_steps": 32, "quantization": "int8-weight-only"},
    ],
    reference={"nfe_steps": 32},
    repeats=1,
)
