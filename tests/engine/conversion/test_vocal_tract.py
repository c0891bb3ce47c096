"""The warp of a source's spectrum is found by the encoder's certainty."""

import pytest
import torch

from voxgate.engine.conversion.features import WARPS, best_warp, warp


def spectrum(peak: float) -> torch.Tensor:
    """Return a mel (40, 64) with one formant."""
    bands = torch.arange(64.0)
    return torch.exp(-((bands - peak) ** 2) / 8.0).expand(40, 64)


def knows_a_peak_at_30(mel: torch.Tensor) -> torch.Tensor:
    """Return content that is the bands themselves."""
    return mel


def certain_of_30(content: torch.Tensor) -> torch.Tensor:
    """Return logits of two phones: sure of the first where the peak is at band 30."""
    at_30 = content[..., 30]
    return torch.stack((8.0 * at_30, torch.zeros_like(at_30)), dim=-1)


@pytest.mark.parametrize("factor", WARPS)
def test_the_warp_that_was_made_is_undone(factor: float) -> None:
    found = best_warp(spectrum(30.0 * factor), knows_a_peak_at_30, certain_of_30)
    assert found == factor


def test_no_warp_is_the_same_mel() -> None:
    mel = spectrum(20.0)
    assert warp(mel, 1.0) is mel


def test_a_warp_moves_the_peak() -> None:
    assert warp(spectrum(30.0), 1.2)[0].argmax() == 25
