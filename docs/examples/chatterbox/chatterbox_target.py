"""How voxgate calls Chatterbox: in its own environment, where voxgate is not installed."""

import contextlib
from pathlib import Path

import numpy as np

from voxgate import HarnessError, OptionCheck, Target

SYNTHESIS = {"cfg_weight": 0.5, "temperature": 0.8, "exaggeration": 0.5}
DEFAULTS = {
    "weights": "weights",
    "prompt": "",
    **SYNTHESIS,
    "seed": 0,
    "device": "cpu",
    "threads": 1,
}
STAGES = {"t3": ("inference", "tokens"), "s3gen": ("inference", "decoder")}
"""Model -> the method that is called, and the stage."""


class ChatterboxTarget(Target):
    """One set of weights. Audio comes whole."""

    sample_rate_hz = 24_000
    imports = ("torch", "chatterbox.tts")

    @classmethod
    def check_options(cls, pipeline, options):
        """Refuse an unknown option before anything is measured."""
        unknown = sorted(set(options) - set(DEFAULTS))
        if unknown:
            raise HarnessError(f"no option {unknown[0]}; known are {', '.join(DEFAULTS)}")

    def load(self, cell, defaults):
        """Load the models of a folder, and the voice of a recording if one is named."""
        import torch
        from chatterbox.models.t3 import t3
        from chatterbox.tts import ChatterboxTTS

        self.options = {**DEFAULTS, **defaults, **cell.options}
        folder = self.options["weights"]
        if not (Path(folder) / "t3_cfg.safetensors").is_file():
            raise HarnessError(f"weights={folder!r} is no folder with t3_cfg.safetensors")
        torch.set_num_threads(int(self.options["threads"]))
        self.model = ChatterboxTTS.from_local(self.options["weights"], self.options["device"])
        if self.options["prompt"]:
            self.model.prepare_conditionals(self.options["prompt"], self.options["exaggeration"])
        self.torch, self.sampler, self.sample_rate_hz = torch, t3, self.model.sr
        self.watch = contextlib.nullcontext
        for name, (method, stage) in STAGES.items():
            owner = getattr(self.model, name)
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
        """Yield the audio of a text. Chatterbox has no seed of its own; torch's is set."""
        self.watch = watch
        yield self._speak(request.text, self.options["seed"])

    def _speak(self, text, seed):
        self.torch.manual_seed(int(seed))
        named = {name: self.options[name] for name in SYNTHESIS}
        return np.ravel(self.model.generate(text, **named).numpy()).astype(np.float32)

    def observe(self, request):
        """Read the logits before and after guidance and temperature; listen to the seed."""
        self.watch, asked = contextlib.nullcontext, self.options
        heads, warped, emotions, whole = [], [], [], self.sampler.MinPLogitsWarper

        def warper(*arguments, **named):
            inner = whole(*arguments, **named)
            return lambda ids, logits: (warped.append(logits.clone()), inner(ids, logits))[1]

        t3 = self.model.t3
        hooks = [
            t3.speech_head.register_forward_hook(lambda *call: heads.append(call[2].clone())),
            t3.cond_enc.register_forward_pre_hook(lambda *call: emotions.append(call[1][0])),
        ]
        self.sampler.MinPLogitsWarper = warper
        try:
            audio = self._speak(request.text, asked["seed"])
        finally:
            self.sampler.MinPLogitsWarper = whole
            for hook in hooks:
                hook.remove()
        guidance, temperature = _solve(heads[0][:, -1], warped[0][0])
        same = np.array_equal(audio, self._speak(request.text, asked["seed"]))
        changed = not np.array_equal(audio, self._speak(request.text, asked["seed"] + 1))
        observed = {
            "cfg_weight": (guidance, "solved from the logits of the first token"),
            "temperature": (temperature, "solved from the logits of the first token"),
            "exaggeration": (float(emotions[0].emotion_adv.ravel()[0]), "input of the model"),
        }
        seed = f"same seed, same audio: {same}; next seed, other audio: {changed}"
        return (
            *(
                _check(name, asked[name], round(value, 3), abs(value - asked[name]) < 0.01, reason)
                for name, (value, reason) in observed.items()
            ),
            _check("seed", asked["seed"], seed, same and changed, "spoken three times"),
        )


def _solve(heads, warped):
    """Return g and t of warped = (c + g (c - u)) / t, by least squares over the vocabulary."""
    conditional, unconditional = heads[0], heads[-1]
    # A token that was there already is penalised: it follows another rule.
    columns = np.stack([conditional.numpy(), (conditional - unconditional).numpy()], axis=1)
    residual = np.arange(len(warped)) != 6561
    (scale, guided), *_ = np.linalg.lstsq(columns[residual], warped.numpy()[residual], rcond=None)
    return float(guided / scale), float(1.0 / scale)


def _check(option, requested, observed, in_effect, reason):
    """Return what was observed of one option."""
    fields = {"requested": requested, "observed": str(observed), "in_effect": in_effect}
    return OptionCheck(option=option, reason=reason, **fields)
