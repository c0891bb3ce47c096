"""
What does a recording to be like cost, by its length, and how much more like it does the voice
become?
"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="one-voice",
    axes={
        "reference": [
            "",
            *(f"harness/workloads/voices/slt-{seconds}s.flac" for seconds in (1, 2, 4, 8)),
        ]
    },
    fixed={"nfe_steps": 8},
    reference={"reference": ""},
    metrics=["wer", "voice_similarity", "reference_spill", "clicks", "duration", "pitch_median"],
    repeats=2,
)
