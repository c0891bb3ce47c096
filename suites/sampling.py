"""How are speech tokens best drawn: how surely is the text said, and how often does it run away?"""

from voxgate import Suite

suite = Suite(
    pipeline="token",
    workload="everyday-short",
    cells=[
        {},
        {"temperature": 0.0},
        {"temperature": 0.8},
        {"temperature": 1.0, "top_p": 1.0},
        {"top_p": 1.0, "min_p": 0.05},
        {"repetition_penalty": 1.2},
        {"early_stop": False, "max_tokens": 200},
    ],
    reference={},
    takes=3,
    repeats=2,
)
