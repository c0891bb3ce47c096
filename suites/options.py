"""
What does each option buy, what does it cost, and which is the fastest cell? The table of the
README.
"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="everyday-short",
    cells=[
        {"nfe_steps": 32},
        {"nfe_steps": 16},
        {"nfe_steps": 8},
        {"nfe_steps": 4},
        {"nfe_steps": 2},
        {"nfe_steps": 32, "precision": "bf16"},
        {"nfe_steps": 8, "precision": "bf16"},
        {"nfe_steps": 4, "precision": "bf16"},
        {"nfe_steps": 8, "quantization": "int8-dynamic"},
        {"nfe_steps": 8, "quantization": "int8-weight-only"},
        {"nfe_steps": 8, "compile": "default"},
        {"nfe_steps": 8, "compile": "max-autotune"},
        {"nfe_steps": 8, "precision": "bf16", "compile": "default", "compile_vocoder": "default"},
        {"nfe_steps": 4, "precision": "bf16", "compile": "default", "compile_vocoder": "default"},
    ],
    reference={"nfe_steps": 32},
)
