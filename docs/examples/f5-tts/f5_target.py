"""How voxgate calls F5-TTS: in its own environment, where voxgate is not installed."""

import contextlib
from pathlib import Path

import numpy as np

from voxgate import HarnessError, OptionCheck, Target

WEIGHTS = {"model": "F5TTS_v1_Base", "weights": "", "vocoder": ""}
"""`weights` and `vocoder` are paths; without them F5-TTS downloads its own."""
SYNTHESIS = {"nfe_step": 32, "cfg_strength": 2.0, "speed": 1.0, "seed": 0}
PROMPT = {"ref_audio": "prompt.wav", "ref_text": "I am the voice that is to be spoken with."}
DEFAULTS = {**WEIGHTS, **SYNTHESIS, **PROMPT, "device": "cpu", "threads": 1}


class F5Target(Target):
    """One model, one prompt. Audio comes whole."""

    sample_rate_hz = 24_000
    imports = ("torch", "f5_tts.api")

    @classmethod
    def check_options(cls, pipeline, options):
        """Refuse an unknown option before anything is measured."""
        unknown = sorted(set(options) - set(DEFAULTS))
        if unknown:
            raise HarnessError(f"f5 has no option {unknown[0]}; known are {', '.join(DEFAULTS)}")

    def load(self, cell, defaults):
        """Load both models."""
        import torch
        from f5_tts.api import F5TTS

        self.options = {**DEFAULTS, **defaults, **cell.options}
        for name in ("weights", "vocoder", "ref_audio"):
            path = self.options[name]
            if path and not Path(path).exists():
                raise HarnessError(f"{name}={path!r} is not there; correct the path")
        torch.set_num_threads(int(self.options["threads"]))
        self.f5 = F5TTS(
            model=self.options["model"],
            ckpt_file=self.options["weights"],
            vocoder_local_path=self.options["vocoder"] or None,
            device=self.options["device"],
        )
        self.watch = contextlib.nullcontext
        stages = ((self.f5.ema_model, "sample", "flow"), (self.f5.vocoder, "decode", "vocoder"))
        for owner, method, stage in stages:
            setattr(owner, method, self._staged(getattr(owner, method), stage))

    def _staged(self, method, stage):
        """Return a method that times itself."""

        def timed(*arguments, **named):
            with self.watch(stage):
                return method(*arguments, **named)

        return timed

    def effective(self):
        """Return every option as resolved."""
        return self.options

    def synthesize(self, request, watch):
        """Yield the audio of a text."""
        self.watch = watch
        yield self._speak(request.text)

    def _speak(self, text, **changes):
        named = {name: self.options[name] for name in SYNTHESIS} | changes
        prompt = (self.options["ref_audio"], self.options["ref_text"])
        audio, rate_hz, _ = self.f5.infer(*prompt, text, show_info=_quiet, progress=None, **named)
        self.sample_rate_hz = rate_hz
        return np.asarray(audio, dtype=np.float32)

    def observe(self, request):
        """Count and read the transformer's calls; listen to the rest. One sentence is enough."""
        self.watch, asked = contextlib.nullcontext, self.options
        text, calls = request.text.partition(". ")[0], []

        def keep(_model, _arguments, named, velocity):
            calls.append((float(named["time"]), named["x"].clone(), velocity.clone()))

        hook = self.f5.ema_model.transformer.register_forward_hook(keep, with_kwargs=True)
        try:
            audio = self._speak(text)
        finally:
            hook.remove()
        strength = _guidance(*calls[:2])
        other = 1.0 if asked["speed"] != 1.0 else 1.5
        ratio = other * len(self._speak(text, speed=other)) / len(audio)
        same = np.array_equal(audio, self._speak(text))
        changed = not np.array_equal(audio, self._speak(text, seed=asked["seed"] + 1))
        found = {
            "nfe_step": (len(calls), len(calls) == asked["nfe_step"], "calls of the transformer"),
            "cfg_strength": (
                round(strength, 3),
                abs(strength - asked["cfg_strength"]) < 0.02,
                "solved from the first step and both halves of the transformer's output",
            ),
            "speed": (
                round(ratio, 2),
                abs(ratio / asked["speed"] - 1.0) < 0.1,
                f"duration of the audio, beside that at {other}",
            ),
            "seed": (
                f"same seed, same audio: {same}; next seed, other audio: {changed}",
                same and changed,
                "spoken three times",
            ),
        }
        return tuple(
            OptionCheck(
                option=option,
                requested=asked[option],
                observed=str(observed),
                in_effect=bool(in_effect),
                reason=reason,
            )
            for option, (observed, in_effect, reason) in found.items()
        )


def _guidance(first, second):
    """Return s of x1 = x0 + dt (v + s (v - u)), where v is conditional and u unconditional."""
    (start, x0, velocity), (end, x1, _) = first, second
    if len(velocity) == len(x0):
        return 0.0
    conditional, unconditional = velocity.chunk(2)
    apart = conditional - unconditional
    return float((((x1 - x0) / (end - start) - conditional) * apart).sum() / (apart * apart).sum())


def _quiet(*_words):
    """Print nothing."""
