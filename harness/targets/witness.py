"""
Checks of an option that need no knowledge of the engine: of its audio, of its claims, and of the
matrix products that reach torch in this process. They stand beside what a target observes itself,
for engines whose target observes nothing.
"""

import sys
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from voxgate.harness.audio.files import read_audio, same_audio
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Cell, Option, Request
from voxgate.harness.records.run import OptionCheck
from voxgate.harness.targets.protocol import Options, Target

RATE_NAMES = ("sample_rate", "sample_rate_hz", "sampling_rate", "sampling_rate_hz", "samplerate")
"""Options by which an engine tells its sample rate; a claim's prefix is not part of the name."""
PRECISION_NAMES = ("precision", "dtype", "torch_dtype")
SINGLE = ("fp32", "float32", "torch.float32", "single")
HALF = ("float16", "bfloat16")
HEARD = "heard"
Speak = Callable[[Request], np.ndarray]


def check_rates(effective: Mapping[str, Option], rate_hz: int) -> tuple[OptionCheck, ...]:
    """
    Return a broken check for each option or claim that tells another sample rate than the audio
    has: every duration, and so the RTF, would be wrong by their ratio.
    """
    told = {name: value for name, value in effective.items() if _base(name) in RATE_NAMES}
    return tuple(
        OptionCheck(
            option=name,
            requested=value,
            observed=f"{rate_hz} Hz",
            in_effect=False,
            reason="the rate of the audio as it was delivered; one of the two is wrong",
        )
        for name, value in told.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and value != rate_hz
    )


def check_seed(request: Request, seed: Option, speak: Speak) -> OptionCheck | None:
    """
    Check a seed by the audio, as far as the request may carry another one; None for a seed that is
    no number.

    The same audio with another seed proves nothing: the target may read the cell's seed alone. It
    is recorded, and is a notice.
    """
    if not isinstance(seed, int) or isinstance(seed, bool):
        return None

    def heard(number: int) -> np.ndarray:
        return speak(replace(request, options={**request.options, "seed": number}))

    same = same_audio(heard(seed), heard(seed + 1))
    return OptionCheck(
        option="seed",
        requested=seed,
        observed=f"{'the same' if same else 'other'} audio with another seed",
        in_effect=None if same else True,
        reason=HEARD,
    )


def with_precision(
    target: Target, cell: Cell, request: Request, checks: tuple[OptionCheck, ...]
) -> tuple[OptionCheck, ...]:
    """Return the checks with that of the precision, if the target observed nothing of it."""
    options = {**target.effective(), **cell.options, **request.options}
    left = unchecked(options, checks)
    more = check_precision(
        target, {name: value for name, value in options.items() if name in left}, request
    )
    if more is None:
        return checks
    return (*(check for check in checks if check.option != more.option), more)


def check_precision(target: Target, options: Options, request: Request) -> OptionCheck | None:
    """
    Check that nothing is computed in half precision where single precision is in effect by name, as
    under an autocast that is always on; None where that cannot be seen: without torch, or
    elsewhere.
    """
    named = next(((name, options[name]) for name in PRECISION_NAMES if name in options), None)
    unseen = "torch" not in sys.modules or target.elsewhere
    if named is None or str(named[1]).lower() not in SINGLE or unseen:
        return None
    dtypes = _product_dtypes(target, request)
    halved = {name: count for name, count in dtypes.items() if name in HALF}
    if not dtypes:
        return None
    counts = ", ".join(f"{count} in {name}" for name, count in dtypes.items())
    return OptionCheck(
        option=named[0],
        requested=named[1],
        observed=f"of {sum(dtypes.values())} matrix products {counts}",
        in_effect=not halved,
        reason="the dtypes that reach torch's dispatcher, below any autocast",
    )


def changed_audio(request: Request, seed: Option) -> OptionCheck:
    """Return the broken promise of a seed."""
    why = f"the same seed gave different audio for request {request.id}"
    return OptionCheck(
        option="seed", requested=seed, observed="other audio", in_effect=False, reason=why
    )


def is_same(audio: np.ndarray, path: Path) -> bool:
    """Whether a file holds this audio, up to what another order of additions changes."""
    try:
        before, _ = read_audio(path)
    except HarnessError:  # there is nothing to show that it is the same
        return False
    return same_audio(before, audio)


def unchecked(options: Collection[str], checks: Collection[OptionCheck]) -> set[str]:
    """Return the options of which the target observed nothing itself."""
    return set(options) - {check.option for check in checks if check.in_effect is not None}


def _base(name: str) -> str:
    return name.rpartition(".")[2].lower()


def _product_dtypes(target: Target, request: Request) -> Counter[str]:
    """Return the number of matrix products of one synthesis, by dtype."""
    from torch.utils._python_dispatch import TorchDispatchMode

    from voxgate.harness.targets.engine.runtime_probe import PRODUCTS

    dtypes: Counter[str] = Counter()

    class Dtypes(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types here
        """Counts the results of products by dtype; what is compiled runs uncompiled for once."""

        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            """Return False where torch has not imported its compiler, else it would for this."""
            return "torch._dynamo" in sys.modules

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            """Call the operator, and count it."""
            result = func(*args, **(kwargs or {}))
            if func.overloadpacket.__name__ in PRODUCTS:
                first = result[0] if isinstance(result, tuple) else result
                dtypes[str(first.dtype).removeprefix("torch.")] += 1
            return result

    with Dtypes():  # type: ignore[no-untyped-call]
        for _ in target.synthesize(request, lambda stage: nullcontext()):
            pass
    return dtypes
