"""
Do questions still rise, and do sentences keep their melody and pace, as the solver takes fewer
steps?
"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="questions",
    axes={"nfe_steps": [32, 16, 8, 4]},
    reference={"nfe_steps": 32},
    metrics=[
        "question_rise",
        "end_level",
        "pitch_range",
        "pitch_median",
        "speech_rate",
        "pause_share",
        "f0_rmse_cents",
    ],
    repeats=1,
)
