"""How voxgate calls the engine. Importing this file imports no engine."""

import contextlib

import numpy as np

from voxgate import HarnessError, OptionCheck, Target

DEFAULTS = {"harmonics": 8, "device": "cpu", "threads": 1}


class HumTarget(Target):
    """The engine in a worker process; `Target` documents what else a target can do."""

    sample_rate_hz = 16_000

    @classmethod
    def check_options(cls, pipeline, options):
        """Reject unknown options before anything is measured."""
        unknown = sorted(set(options) - set(DEFAULTS))
        if unknown:
            known = ", ".join(DEFAULTS)
            raise HarnessError(f"hum has no option {', '.join(unknown)}; known are {known}")

    def load(self, cell, defaults):
        """Import the engine and make it ready. The time that this takes is measured too."""
        from hum import Hum

        self.options = {**DEFAULTS, **defaults, **cell.options}
        self.engine = Hum(int(self.options["harmonics"]))

    def effective(self):
        """Return every option as the engine resolved it: a changed default then shows."""
        return {**self.options, "harmonics": self.engine.harmonics}

    def synthesize(self, request, watch):
        """Yield float32 mono audio, chunk by chunk. `watch` times a stage; read no clock here."""
        with watch("synthesis"):
            audio = self.engine.speak(request.text)
        yield audio

    def observe(self, request):
        """Check what the engine really did. Where it broke a promise, the cell is FAILED."""
        audio = np.concatenate(list(self.synthesize(request, _unwatched)))
        observed = _count_harmonics(audio, self.sample_rate_hz)
        requested = self.options["harmonics"]
        return (
            OptionCheck(
                option="harmonics",
                requested=requested,
                observed=str(observed),
                in_effect=observed == requested,
                reason="peaks of the spectrum",
            ),
        )


def _count_harmonics(audio, rate_hz):
    """Count the multiples of 120 Hz that stand above 1 % of the spectrum's peak."""
    spectrum = np.abs(np.fft.rfft(audio))
    hz = np.fft.rfftfreq(len(audio), 1 / rate_hz)
    levels = [spectrum[np.abs(hz - 120 * k).argmin()] for k in range(1, 50)]
    return int(sum(level > 0.01 * spectrum.max() for level in levels))


def _unwatched(stage):
    """Return a context that times nothing."""
    return contextlib.nullcontext()
