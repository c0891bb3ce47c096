"""
What does torch.compile buy for the acoustic model and for the vocoder, and what does the first
sentence pay for it?
"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="everyday-short",
    axes={"compile": ["off", "default", "max-autotune"], "compile_vocoder": ["off", "default"]},
    fixed={"nfe_steps": 8},
    reference={"compile": "off", "compile_vocoder": "off"},
    without={"compile": "max-autotune", "compile_vocoder": "default"},
    because="the vocoder's share is too small to tune twice",
    repeats=2,
)
