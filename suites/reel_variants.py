"""
What do half precision, compilation and batches buy for a reel of two speakers, and which of them
keep its budget of 8 s?
"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="reel",
    cells=[
        {},
        {"precision": "bf16"},
        {"compile": "default", "compile_vocoder": "default"},
        {"batch": 0},
        {"batch": 0, "precision": "bf16"},
    ],
    fixed={"nfe_steps": 4},
    reference={},
    metrics=["snr", "wer", "caption_drift", "speaker_confusion", "join_clicks"],
    budget_s=8.0,
    iterations=3,
)
