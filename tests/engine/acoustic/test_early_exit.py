"""
Early exit, guidance in an interval, adaptive steps: the calls that they save, and unchanged results
without them.
"""

import numpy as np
import pytest
import torch

from voxgate.engine.acoustic.guidance import CFGVelocity
from voxgate.engine.acoustic.solver import (
    FULL_PHONES,
    EarlyExitVelocity,
    integrate,
    steps_for,
    time_grid,
)
from voxgate.engine.config import Adaptive, Solver

TEXT = "Hello there, how are you today?"


class Field:
    """A velocity that changes with time by a known share, and counts its calls."""

    def __init__(self, growth):
        self.growth, self.times = growth, []

    def __call__(self, state, t):
        self.times.append(t)
        return torch.full_like(state, 1.0 + self.growth * t)


def _calls(pipeline, text=TEXT):
    """
    Synthesise, and return the batch and time of every call of the acoustic model, and the audio.
    """
    seen, inner = [], pipeline.acoustic
    pipeline.acoustic = lambda *args: (
        seen.append((args[0].shape[0], float(args[3][0]))),
        inner(*args),
    )[1]
    try:
        return seen, pipeline.synthesize(text)
    finally:
        pipeline.acoustic = inner


@pytest.mark.parametrize("solver", list(Solver))
def test_a_velocity_that_never_changes_is_asked_for_twice_and_nothing_is_lost(solver):
    field = Field(0.0)
    start = torch.zeros(1, 3, 2)

    left = integrate(EarlyExitVelocity(field, 1e-6), start, time_grid(9, -1.0), solver)

    assert len(field.times) == 2
    torch.testing.assert_close(left, integrate(Field(0.0), start, time_grid(9, -1.0), solver))


def test_a_velocity_that_changes_by_more_is_asked_for_to_the_end():
    field, start = Field(10.0), torch.zeros(1, 3, 2)

    left = integrate(EarlyExitVelocity(field, 0.05), start, time_grid(8, 0.0), Solver.EULER)

    assert len(field.times) == 8
    assert torch.equal(left, integrate(Field(10.0), start, time_grid(8, 0.0), Solver.EULER))


def test_the_rest_of_the_way_is_one_step_at_the_last_velocity():
    """
    1 + t on eight even steps is to change by 7/8, 6/9, 5/10 ... on the rest of the way: below 0.6
    first at t = 3/8.
    """
    field = Field(1.0)

    left = integrate(
        EarlyExitVelocity(field, 0.6), torch.zeros(1, 1, 1), time_grid(8, 0.0), Solver.EULER
    )

    assert field.times == [0.0, 0.125, 0.25, 0.375]
    assert float(left) == pytest.approx(0.125 * (1.0 + 1.125 + 1.25) + 0.625 * 1.375)


def test_the_velocity_may_be_overwritten_by_the_next_call():
    """A CUDA graph gives the same buffer every time."""
    buffer = torch.zeros(1, 1, 1)
    exiting = EarlyExitVelocity(lambda state, t: buffer.fill_(1.0 + t), 0.6)

    exiting(buffer, 0.0), exiting(buffer, 0.5)
    buffer.fill_(9.0)

    assert float(exiting(buffer, 1.0)) == 1.5


@pytest.mark.parametrize("solver", list(Solver))
def test_the_noise_is_left_as_it_is(solver):
    noise = torch.ones(1, 3, 2)

    end = integrate(Field(1.0), noise, time_grid(3, 0.0), solver)

    assert torch.equal(noise, torch.ones(1, 3, 2)) and not torch.equal(end, noise)


@pytest.mark.parametrize(
    ("phones", "steps"),
    [
        (1, 8),
        (FULL_PHONES // 2, 8),
        (FULL_PHONES * 3 // 4, 12),
        (FULL_PHONES, 16),
        (10 * FULL_PHONES, 16),
    ],
)
def test_short_chunks_get_fewer_steps_and_never_below_half(phones, steps):
    assert steps_for(16, Adaptive.PHONES, phones) == steps
    assert steps_for(16, Adaptive.OFF, phones) == 16
    assert steps_for(1, Adaptive.PHONES, phones) == 1


def _guided(**interval):
    def forward(noisy, prompt_mel, text, t):
        return text * torch.ones_like(noisy)

    cond_and_uncond = torch.tensor([[[3.0]], [[1.0]]])
    return CFGVelocity(
        forward=forward,
        text=cond_and_uncond,
        prompt_mel=torch.zeros(2, 1, 1),
        strength=2.0,
        **interval,
    )


def test_guidance_works_between_its_times_both_included_and_the_conditional_row_alone_elsewhere():
    velocity = _guided(cfg_start=0.25, cfg_stop=0.5)

    given = [float(velocity(torch.zeros(1, 1, 1), t)) for t in (0.0, 0.25, 0.4, 0.5, 0.75)]

    assert given == [3.0, 7.0, 7.0, 7.0, 3.0]


def test_guidance_works_everywhere_unless_an_interval_is_given():
    velocity = _guided()

    assert [float(velocity(torch.zeros(1, 1, 1), t)) for t in (0.0, 1.0)] == [7.0, 7.0]


def test_outside_the_interval_the_model_runs_half_the_batch(make_pipeline):
    calls, _ = _calls(make_pipeline(nfe_steps=8, sway=0.0, cfg_from=0.2, cfg_until=0.7))

    assert [batch for batch, _ in calls] == [2 if 0.2 <= t <= 0.7 else 1 for _, t in calls]
    assert {batch for batch, _ in calls} == {1, 2}


def test_an_interval_of_all_times_changes_nothing(make_pipeline):
    plain = make_pipeline().synthesize(TEXT)

    assert np.array_equal(make_pipeline(cfg_from=0.0, cfg_until=1.0).synthesize(TEXT), plain)
    assert not np.array_equal(make_pipeline(cfg_until=0.5).synthesize(TEXT), plain)


def test_early_exit_leaves_calls_out_and_says_nearly_the_same(make_pipeline):
    full, plain = _calls(make_pipeline(nfe_steps=32))
    early, hurried = _calls(make_pipeline(nfe_steps=32, early_exit=1.0))

    assert len(full) == 32 and len(early) < 32
    assert plain.shape == hurried.shape and not np.array_equal(plain, hurried)


def test_a_short_text_gets_fewer_steps(make_pipeline):
    long = "Twenty-three thousand visitors strolled through the splendid exhibition yesterday."
    counts = [
        len(_calls(make_pipeline(nfe_steps=16, nfe_adaptive="phones"), text)[0])
        for text in ("Hello.", long)
    ]

    assert counts == [8, 16]
