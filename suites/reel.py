"""
Is half a minute of two speakers made within 8 s, and do workers, batches and similar lengths help?
With --profile cpu: cpu-gate has one processor.
"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="reel",
    cells=[
        {"batch": 1, "workers": 1},
        {"batch": 4, "workers": 1},
        {"batch": 4, "workers": 1, "batch_by": "order"},
        {"batch": 0, "workers": 1},
        {"batch": 1, "workers": 2},
        {"batch": 4, "workers": 2},
    ],
    fixed={"nfe_steps": 4},
    reference={"batch": 1, "workers": 1},
    metrics=[
        "snr",
        "wer",
        "caption_drift",
        "caption_drift_worst",
        "speaker_confusion",
        "speaker_drift",
        "join_level_jump",
        "join_clicks",
    ],
    budget_s=8.0,
    repeats=1,
    iterations=2,
)
