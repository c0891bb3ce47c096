"""voxgate.engine.acoustic.solver: grids and orders of convergence."""

import math

import pytest
import torch

from voxgate.engine.acoustic.solver import PRUNED_STEPS, integrate, time_grid
from voxgate.engine.config import EPSS_STEPS, Grid, Solver


def test_a_uniform_grid_has_even_steps():
    assert time_grid(4, 0.0) == (0.0, 0.25, 0.5, 0.75, 1.0)


def test_full_sway_is_one_minus_cosine():
    grid = time_grid(8, -1.0)

    assert grid == pytest.approx([1 - math.cos(math.pi * k / 16) for k in range(9)])


@pytest.mark.parametrize("steps", EPSS_STEPS)
def test_a_pruned_grid_keeps_some_of_32_even_steps(steps):
    grid = time_grid(steps, 0.0, Grid.EPSS)

    assert set(PRUNED_STEPS) == set(EPSS_STEPS)
    assert (grid[0], grid[-1], len(grid)) == (0.0, 1.0, steps + 1)
    assert set(grid) <= set(time_grid(32, 0.0)) and list(grid) == sorted(set(grid))
    assert grid[1] <= grid[-1] - grid[-2], "early steps matter most"


@pytest.mark.parametrize(
    ("solver", "order"), [(Solver.EULER, 1), (Solver.MIDPOINT, 2), (Solver.HEUN, 2)]
)
def test_the_error_falls_with_the_solvers_order(solver, order):
    """dx/dt = x from 1 gives e at t = 1; halving the step divides the error by 2 ** order."""

    def error(steps: int) -> float:
        end = integrate(
            lambda x, t: x, torch.ones(1, dtype=torch.float64), time_grid(steps, 0.0), solver
        )
        return abs(float(end) - math.e)

    assert math.log2(error(32) / error(64)) == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize("solver", list(Solver))
def test_the_velocity_is_asked_once_per_order_and_step(solver):
    calls = []

    def velocity(state, t):
        calls.append(t)
        return state

    integrate(velocity, torch.zeros(1), time_grid(6, -1.0), solver)

    assert len(calls) == 6 * solver.order
    assert calls[0] == 0.0


@pytest.mark.parametrize("solver", list(Solver))
def test_a_velocity_may_be_written_over_by_the_next_call(solver):
    """As the output of a compiled model is that replays a CUDA graph: always the same memory."""
    buffer, start = torch.empty(3), torch.tensor([0.1, 0.5, -2.0])

    def velocity(state, t):
        return torch.sin(3.0 * state + t)

    replayed = integrate(
        lambda state, t: buffer.copy_(velocity(state, t)), start, time_grid(5, -1.0), solver
    )

    assert torch.equal(replayed, integrate(velocity, start, time_grid(5, -1.0), solver))
