"""
What does each step of post-processing cost, and what does it do to the voice's quality?
"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="everyday-short",
    cells=[
        {},
        {"denoise": "light"},
        {"deess": "on"},
        {"silence_removal": "fixed"},
        {"silence_removal": "adaptive"},
        {"crossfade_ms": 120.0},
        {"denoise": "light", "deess": "on", "silence_removal": "fixed"},
    ],
    reference={},
)
