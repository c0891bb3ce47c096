"""
Makes the recorded sides of a selftest out of numbers: an engine with process noise, and slower
ones.
"""

from collections.abc import Mapping

import numpy as np

from tests.harness.fake_runs import CELLS, REQUESTS, make_run
from voxgate.harness.records.run import Run
from voxgate.harness.selftest.speed_plan import Cost, Setup

SLUGS = tuple(cell.slug for cell in CELLS)
BASE_S = {"nfe-32": 0.4, "nfe-8": 0.1}


def make_setup(sizes: tuple[float, ...] = (0.05, 0.2), equals: int = 4, **changes: object) -> Setup:
    costs = {
        slug: Cost(
            prepare_s=2.0,
            measure_s=8 * base_s,
            request_s=dict.fromkeys(REQUESTS, base_s),
            unit_s=1e-4,
        )
        for slug, base_s in BASE_S.items()
    }
    asked = {
        "suite": "smoke",
        "profile": "cpu",
        "stage": "vocoder",
        "loaded": False,
        "left_out": {},
    }
    return Setup(**{**asked, "sizes": sizes, "equals": equals, "costs": costs, **changes})


def make_sides(
    setup: Setup,
    rounds: int = 8,
    process_sd: float = 0.0,
    seed: int = 0,
    slow_rounds: range | None = None,
) -> dict[str, Run]:
    """
    `process_sd` is of the log of a process's speed; slower sides are slower in `slow_rounds`, or
    always.
    """
    rng = np.random.default_rng(seed)
    return {
        name: make_run(_walls(size, rounds, process_sd, rng, slow_rounds))
        for name, size in setup.sides.items()
    }


def _walls(
    size: float, rounds: int, process_sd: float, rng: np.random.Generator, slow_rounds: range | None
) -> Mapping[str, list[list[float]]]:
    def process(base_s: float, number: int) -> list[float]:
        slower = size if slow_rounds is None or number in slow_rounds else 0.0
        return [base_s * (1.0 + slower) * float(np.exp(rng.normal(0.0, process_sd)))] * len(
            REQUESTS
        )

    return {
        slug: [process(base_s, number) for number in range(rounds)]
        for slug, base_s in BASE_S.items()
    }
