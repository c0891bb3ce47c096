"""The simulations that docs/how-verdicts-are-made.md quotes: what goes wrong without the rules."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu


@pytest.mark.parametrize(("process_spread", "share"), [(0.005, 0.20), (0.01, 0.42), (0.03, 0.77)])
def test_pooled_iterations_of_one_process_a_side_call_the_same_engine_different(
    process_spread: float, share: float
) -> None:
    """
    Fifty iterations with 3 % of noise each; the processes differ by `process_spread`. Mann-Whitney
    at p < 0.05.
    """
    rng = np.random.default_rng(31)
    trials = 600
    levels = rng.normal(0.0, process_spread, (2, trials, 1))
    before, now = np.exp(levels + rng.normal(0.0, 0.03, (2, trials, 50)))
    found = float(np.mean(mannwhitneyu(before, now, axis=1).pvalue < 0.05))
    assert found == pytest.approx(share, abs=0.06)


@pytest.mark.parametrize(("samples", "share"), [(50, 0.17), (100, 0.08), (200, 0.04)])
def test_a_p95_of_few_samples_calls_the_same_engine_five_percent_slower(
    samples: int, share: float
) -> None:
    """Three percent of the requests take a quarter longer, on both sides; 3 % of noise each."""
    rng = np.random.default_rng(32)
    trials = 4000
    slow = rng.random((2, trials, samples)) < 0.03
    times = np.exp(rng.normal(0.0, 0.03, (2, trials, samples))) * np.where(slow, 1.25, 1.0)
    before, now = np.percentile(times, 95, axis=-1)
    assert float(np.mean(now / before > 1.05)) == pytest.approx(share, abs=0.02)
