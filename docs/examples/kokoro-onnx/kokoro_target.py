"""How voxgate calls kokoro-onnx: in its own environment, where voxgate is not installed."""

import asyncio
import contextlib
from pathlib import Path

import numpy as np

from voxgate import HarnessError, OptionCheck, Target

WEIGHTS = {"model": "kokoro-v1.0.onnx", "voices": "voices-v1.0.bin"}
DEFAULTS = {**WEIGHTS, "speaker": "af_sarah", "speed": 1.0, "lang": "en-us", "threads": 1}


class KokoroTarget(Target):
    """One model. Audio comes in batches of up to 510 phonemes."""

    sample_rate_hz = 24_000
    imports = ("kokoro_onnx",)

    @classmethod
    def check_options(cls, pipeline, options):
        """Refuse an unknown option before anything is measured."""
        unknown = sorted(set(options) - {*DEFAULTS, "device"})
        if unknown:
            raise HarnessError(f"kokoro has no option {unknown[0]}; known: {', '.join(DEFAULTS)}")
        if options.get("device", "cpu") != "cpu":
            raise HarnessError("this target is for the CPU; add a provider for another device")

    def load(self, cell, defaults):
        """Load the model into a session with the profile's threads; kokoro-onnx takes all."""
        import kokoro_onnx
        import onnxruntime

        self.options = {**DEFAULTS, **defaults, **cell.options}
        for name in WEIGHTS:
            if not Path(self.options[name]).is_file():
                raise HarnessError(
                    f"{name}={self.options[name]!r} is no file; see the releases of kokoro-onnx"
                )
        limits = onnxruntime.SessionOptions()
        limits.intra_op_num_threads = int(self.options["threads"])
        self.session = onnxruntime.InferenceSession(self.options["model"], sess_options=limits)
        self.kokoro = kokoro_onnx.Kokoro.from_session(self.session, self.options["voices"])
        self.watch, self.received = contextlib.nullcontext, []
        run, phonemize = self.session.run, self.kokoro.tokenizer.phonemize

        def timed_run(names, inputs, *more):
            self.received = [inputs]
            with self.watch("model"):
                return run(names, inputs, *more)

        def timed_phonemize(*arguments, **named):
            with self.watch("phonemes"):
                return phonemize(*arguments, **named)

        self.session.run, self.kokoro.tokenizer.phonemize = timed_run, timed_phonemize

    def effective(self):
        """Return every option as resolved."""
        return self.options

    def synthesize(self, request, watch):
        """Yield each batch when it is ready."""
        self.watch = watch
        voice = request.options.get("speaker", self.options["speaker"])
        named = {"speed": self.options["speed"], "lang": self.options["lang"]}
        stream = self.kokoro.create_stream(request.text, voice, **named)
        loop = asyncio.new_event_loop()
        with contextlib.closing(loop), contextlib.suppress(StopAsyncIteration):
            while True:
                audio, self.sample_rate_hz = loop.run_until_complete(stream.__anext__())
                yield np.asarray(audio, dtype=np.float32)

    def observe(self, request):
        """Listen whether the speed is in effect; look at the voice that the model is given."""
        self.watch = contextlib.nullcontext
        voice = request.options.get("speaker", self.options["speaker"])
        asked, lang = self.options["speed"], self.options["lang"]
        other = 1.0 if asked != 1.0 else 1.5

        def length(speed):
            return len(self.kokoro.create(request.text, voice, speed, lang, trim=False)[0])

        ratio = length(other) / length(asked)
        share = np.log(ratio) / np.log(asked / other)
        style = np.ravel(self.received[0]["style"])
        rows = np.asarray(self.kokoro.voices[voice]).reshape(-1, style.size)
        given = any(np.array_equal(row.astype(style.dtype), style) for row in rows)
        return (
            OptionCheck(
                option="speed",
                requested=asked,
                observed=f"{ratio:.2f} times as fast as at {other}",
                in_effect=bool(0.6 < share < 1.4),
                reason="duration of the audio",
            ),
            OptionCheck(
                option="speaker",
                requested=voice,
                observed=voice if given else "the style of another voice",
                in_effect=given,
                reason="the model's input `style`",
            ),
        )
