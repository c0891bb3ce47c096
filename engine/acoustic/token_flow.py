"""From the states of speech tokens to the mel, by the DiT's flow: several chunks in one pass."""

from collections.abc import Callable, Sequence

from torch import Tensor

from voxgate.engine.acoustic.batched import pad, stacked_cfg
from voxgate.engine.acoustic.dit import DiT
from voxgate.engine.acoustic.guidance import guide_states
from voxgate.engine.acoustic.solver import integrate, time_grid
from voxgate.engine.config import TokenConfig


def token_mels(
    dit: DiT,
    forward: Callable[..., Tensor],
    states: Sequence[Tensor],
    noises: Sequence[Tensor],
    config: TokenConfig,
) -> list[Tensor]:
    """
    Integrate the flow from noise to the normalised mel of each chunk, (1, F, bands) fp32.

    Args:
        dit: the model, which embeds what guidance goes away from.
        forward: the DiT, or what passes made of it.
        states: of each chunk, (1, F, text_width), from `TokenStates`.
        noises: of each chunk, (1, F, bands) fp32.
        config: has the solver, its grid, and the strength of guidance.
    """
    velocity = stacked_cfg(
        [guide_states(dit, forward, each, config.cfg_strength) for each in states], forward
    )
    times = time_grid(config.nfe_steps, config.sway, config.grid)
    whole = integrate(velocity, pad(noises).to(states[0].device), times, config.solver)
    return [whole[row : row + 1, : each.shape[1]] for row, each in enumerate(states)]
