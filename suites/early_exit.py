"""How early can the solver stop asking the model, once its velocity settles?"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="everyday-short",
    axes={"early_exit": [0.0, 0.1, 0.2, 0.4, 0.8]},
    fixed={"nfe_steps": 16},
    reference={"early_exit": 0.0},
    repeats=2,
)
