"""How voxgate calls the engine. It runs in the engine's environment, without voxgate."""

from voxgate import HarnessError, OptionCheck, Target

DEFAULTS = {"pitch_hz": 220, "device": "cpu", "threads": 1}


class BeepsTarget(Target):
    """The names that are imported from voxgate are there in any environment."""

    sample_rate_hz = 16_000

    @classmethod
    def check_options(cls, pipeline, options):
        """Reject unknown options before anything is measured."""
        unknown = sorted(set(options) - set(DEFAULTS))
        if unknown:
            raise HarnessError(f"beeps has no option {', '.join(unknown)}")

    def load(self, cell, defaults):
        """Import the engine and make it ready."""
        from beeps import Beeps

        self.options = {**DEFAULTS, **defaults, **cell.options}
        self.engine = Beeps(self.options["pitch_hz"])

    def effective(self):
        """Return every option as the engine resolved it."""
        return {**self.options, "pitch_hz": self.engine.pitch_hz}

    def synthesize(self, request, watch):
        """Yield audio as it is ready; its arrival is timed here, beside the engine."""
        yield from self.engine.speak(request.text)

    def observe(self, request):
        """Count the waves of the first word, which lasts a quarter of a second."""
        beep = next(self.engine.speak(request.text))
        waves = sum(a < 0 <= b for a, b in zip(beep, beep[1:]))
        requested = self.options["pitch_hz"]
        return [
            OptionCheck(
                option="pitch_hz",
                requested=requested,
                observed=str(4 * waves),
                in_effect=abs(4 * waves - requested) <= 4,
                reason="waves of the first word",
            )
        ]
