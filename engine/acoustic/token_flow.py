"""From the states of speech tokens to the mel, by the DiT's flow: several chunks in one pass."""

from collections.abc import Callable, Sequence

from torch import Tensor

from voxgate.engine.acoustic.batched import pad, stacked_cfg
from voxgate.engine.acoustic.dit import DiT
from voxgate.engine.acoustic.guidance import guide_states, with_prompt
from voxgate.engine.acoustic.solver import integrate, time_grid
from voxgate.engine.config import TokenConfig


def token_mels(
    dit: DiT,
    forward: Callable[..., Tensor],
    states: Sequence[Tensor],
    noises: Sequence[Tensor],
    prompt_mels: Sequence[Tensor | None],
    config: TokenConfig,
) -> list[Tensor]:
    """
    Integrate the flow from noise to the normalised mel of each chunk, (1, F, bands) fp32, without
    that of its recording.

    Args:
        dit: the model, which embeds what guidance goes away from.
        forward: the DiT, or what passes made of it.
        states: of each chunk, (1, F, text_width), from `TokenStates`.
        noises: of each chunk, (1, F, bands) fp32.
        prompt_mels: of the recording in front of each chunk, (R, bands); None without one.
        config: has the solver, its grid, and the strength of guidance.
    """
    velocity = stacked_cfg(
        [
            with_prompt(guide_states(dit, forward, each, config.cfg_strength), prompt_mel)
            for each, prompt_mel in zip(states, prompt_mels, strict=True)
        ],
        forward,
    )
    times = time_grid(config.nfe_steps, config.sway, config.grid)
    whole = integrate(velocity, pad(noises).to(states[0].device), times, config.solver)
    return [
        whole[row : row + 1, 0 if prompt_mel is None else len(prompt_mel) : each.shape[1]]
        for row, (each, prompt_mel) in enumerate(zip(states, prompt_mels, strict=True))
    ]
