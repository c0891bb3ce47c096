"""
How well is flite, the embedded voice's teacher, understood on the same 200 sentences? That is the
floor. Needs flite.
"""

from voxgate import Suite

suite = Suite(
    target="flite",
    pipeline="flite",
    workload="everyday-200",
    cells=[{}],
    reference={},
    repeats=1,
)
