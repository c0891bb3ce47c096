"""
The observer of pipeline `token`: runs one synthesis and records every pass of the model of speech
tokens and every draw. It decides nothing.

All is recorded by standing in for what the pipeline calls: the loop over tokens, the samplers, the
model, what computes its layers, and torch's own draw. The flow and the vocoder are recorded by
`flow_observer`. Four more runs, of the tokens alone, show what one synthesis cannot: the same seed
again, another seed, and the loop over stand-ins that never advance in the text, or always do.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from voxgate.engine.alphabet import PHONES
from voxgate.engine.tokens.t3 import STRETCH_SPREAD, USUAL_STRETCH
from voxgate.harness.records.cell import Request
from voxgate.harness.targets.engine.flow_observer import (
    ModelSeen,
    SynthesisObservation,
    model_seen,
    observe,
)
from voxgate.harness.targets.engine.hooks import Hooks, Recorder
from voxgate.harness.targets.engine.runtime_probe import RuntimeProbe, compiled_method_graphs
from voxgate.harness.targets.engine.token_passes import (
    GenerationSeen,
    PassSeen,
    TokenSeen,
    rows_of,
)
from voxgate.harness.targets.engine.token_sampling import DrawSeen

FAR = 100.0
"""A logit that decides a draw."""


class _EnoughError(Exception):
    """Ends a run after its tokens."""


class TokenHooks(Hooks):
    """Records the model of speech tokens beside what flow's hooks record of the other models."""

    def attach(self, pipeline: Any) -> list[Any]:
        """Register hooks on the embeddings of phones and labels."""
        voice = pipeline.voice
        self.scale = (voice.mel_mean, voice.mel_std)
        self.pace = voice.t3.pace_embed.detach().float()
        self.here = threading.local()
        self.generations: list[GenerationSeen] = []
        return [
            voice.t3.phone_embed.register_forward_pre_hook(self._on_phones),
            voice.t3.speaker_embed.register_forward_hook(self._on_speaker),
            voice.t3.question_embed.register_forward_hook(self._on_label),
            voice.states.speaker.register_forward_hook(self._on_speaker),
        ]

    def is_eager(self, pipeline: Any, stage: str) -> bool:
        """Return whether nothing of a stage's model is compiled: of T3, the step of a token."""
        if stage == "tokens":
            return pipeline.voice.t3.llama.step is None
        return super().is_eager(pipeline, stage)

    def begin(self) -> GenerationSeen:
        """Begin the record of a generation in this thread."""
        self.here.generation = generation = GenerationSeen()
        with self._noting:
            self.generations.append(generation)
        return generation

    def current(self) -> GenerationSeen:
        """Return the record of this thread's generation."""
        generation: GenerationSeen | None = getattr(self.here, "generation", None)
        return self.begin() if generation is None else generation

    def taken(self) -> tuple[GenerationSeen, ...]:
        """Return the records so far, and forget them."""
        taken, self.generations = tuple(self.generations), []
        return taken

    def _on_phones(self, _module: object, inputs: tuple[Any, ...]) -> None:
        rows = [tuple(filter(None, row)) for row in inputs[0].tolist()]
        self.current().phones = tuple(rows)
        with self._noting:
            for row in filter(None, rows):
                self.texts.append(tuple(PHONES[phone] for phone in row))
                self.text_marks.append(self.crowd.mark())

    def _on_speaker(self, module: object, inputs: tuple[Any, ...], output: Tensor) -> None:
        with self._noting:
            self.speakers += [speaker - 1 for speaker in inputs[0].flatten().tolist() if speaker]
        self._on_label(module, inputs, output)

    def _on_label(self, _module: object, _inputs: object, output: Tensor) -> None:
        generation = getattr(self.here, "generation", None)
        if generation is not None:
            generation.labels.append(output.detach().float())

    def note_pace(self, first: Tensor) -> None:
        """Recover the pace of the rows of a first pass from its first position, (rows, width)."""
        generation = self.current()
        length = self.pace.square().sum()
        if generation.paces or len(generation.labels) < 2 or not length:
            return
        labels = generation.labels[0] + generation.labels[1]
        given = (first.float() - labels[: len(first)]) @ self.pace / length
        stretches = (USUAL_STRETCH + STRETCH_SPREAD * given).tolist()
        generation.paces = tuple(USUAL_STRETCH / stretch for stretch in stretches)


class _TokenModel(Recorder):
    """Stands in for the model of speech tokens."""

    def __init__(self, inner: Any, hooks: TokenHooks) -> None:
        super().__init__("tokens", inner, RuntimeProbe(hooks.crowd))
        self.hooks = hooks
        self.caches: dict[int, Any] = {}

    def __call__(self, *args: Any) -> Any:
        """Pass a call on; record its inputs, its logits, and what the cache holds."""
        x, positions, cache = args
        hooks, generation = self.hooks, self.hooks.current()
        if not generation.steps:
            hooks.note_pace(x[:, 0])
        hooks.here.runs = []
        with hooks.crowd.inside():
            output = self.inner(x, positions, cache)
        codes, advances = output
        logits = codes.detach().clone()
        with self._noting:
            self.inputs.append((x.detach().clone(),))
            self.outputs.append(logits)
            self.caches[id(cache)] = cache  # kept, so that no id occurs twice
        generation.add(
            PassSeen(
                cache=list(self.caches).index(id(cache)),
                asked=x.shape[1],
                runs=tuple(hooks.here.runs),
                held=tuple(_keys_and_values(cache)),
                logits=logits,
                advances=0 if advances is None else advances.shape[-1],
            )
        )
        return output


def _keys_and_values(value: Any) -> Iterator[Tensor]:
    """Yield the tensors of rank 4 in an object, wherever it keeps them."""
    if isinstance(value, Tensor):
        if value.dim() == 4:
            yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _keys_and_values(each)
    elif isinstance(value, Mapping):
        yield from _keys_and_values(list(value.values()))
    elif hasattr(value, "__dict__"):
        yield from _keys_and_values(vars(value))


class _Sampler:
    """Stands in for the sampler of a row."""

    def __init__(self, inner: Any, hooks: TokenHooks, first: Tensor) -> None:
        self.inner, self.hooks = inner, hooks
        self.generation = hooks.current()
        self.first = tuple(first.tolist())
        self.row = len(self.generation.tokens)
        self.said: list[int] = []
        self.generation.tokens.append(self.said)

    def choose(self, logits: Tensor) -> Tensor:
        """Pass a call on; record the logits, torch's draw and the token."""
        here, given = self.hooks.here, logits.detach().float().clone()
        here.draw = None
        token: Tensor = self.inner.choose(logits)
        probabilities, drawn = here.draw or (None, None)
        draw = DrawSeen(
            row=self.row,
            logits=given.cpu(),
            said=(*self.first, *self.said),
            probabilities=probabilities,
            drawn=drawn,
            token=int(token),
        )
        if self.generation.steps:
            self.generation.steps[-1].draws.append(draw)
        self.said.append(draw.token)
        return token


def _noting_run(hooks: TokenHooks, inner: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def run(x: Tensor, *others: Any) -> Tensor:
        hooks.here.runs = [*getattr(hooks.here, "runs", []), tuple(x.shape[:2])]
        return inner(x, *others)

    return run


@contextmanager
def _listening(pipeline: Any, hooks: TokenHooks) -> Iterator[_TokenModel]:
    """Stand in for everything that makes tokens; afterwards the pipeline is as it was."""
    generate, sampler, model = (
        pipeline.generate,
        pipeline.sampler,
        _TokenModel(pipeline.tokens, hooks),
    )
    llama, draw = pipeline.voice.t3.llama, torch.multinomial
    step = llama.step

    def generated(*arguments: Any, **named: Any) -> Any:
        hooks.begin()
        try:
            return generate(*arguments, **named)
        finally:
            hooks.here.generation = None

    def drawn(probabilities: Tensor, *others: Any, **named: Any) -> Tensor:
        token = draw(probabilities, *others, **named)
        hooks.here.draw = (probabilities.detach().float().cpu().clone(), int(token.flatten()[0]))
        return token

    pipeline.tokens, pipeline.generate = model, generated
    pipeline.sampler = lambda how, seed, first: _Sampler(sampler(how, seed, first), hooks, first)
    llama.body = _noting_run(hooks, llama.body)
    llama.step = None if step is None else _noting_run(hooks, step)
    torch.multinomial = drawn  # type: ignore[assignment]
    try:
        yield model
    finally:
        torch.multinomial = draw
        llama.step = step
        del llama.body
        pipeline.tokens, pipeline.generate, pipeline.sampler = model.restore(), generate, sampler


def observe_token(pipeline: Any, request: Request) -> TokenSeen:
    """Run one request under observation, and its tokens again; the pipeline is left unchanged."""
    hooks = TokenHooks(pipeline)
    seed = int(request.options.get("seed", pipeline.config.seed))
    with _listening(pipeline, hooks) as model:
        seen = observe(pipeline, request, hooks)
        first = hooks.taken()
        summary = model_seen(pipeline.voice.t3, model, hooks.dtypes["tokens"])
        _tokens_alone(pipeline, request, seed)
        again = hooks.taken()
        _tokens_alone(pipeline, request, seed + 1 if seed < 2**32 - 1 else 0)
        other = hooks.taken()
        counts = [_counts_over(pipeline, hooks, request, seed, first, far) for far in (False, True)]
    return _token_seen(seen, summary, pipeline.voice.t3.llama, (first, again, other), counts)


def _token_seen(
    seen: SynthesisObservation,
    summary: ModelSeen,
    llama: Any,
    runs: Sequence[tuple[GenerationSeen, ...]],
    counts: Sequence[tuple[int, ...]],
) -> TokenSeen:
    """Join the records: of the synthesis, and of the runs of tokens alone."""
    number = {phone: index for index, phone in enumerate(PHONES)}
    graphs = compiled_method_graphs(llama.step, llama)
    known = {each.name: getattr(seen, each.name) for each in fields(SynthesisObservation)}
    texts = seen.prompt.texts
    known["phone_ids"] = tuple(tuple(map(number.__getitem__, text)) for text in texts)
    return TokenSeen(
        **known,
        tokens=replace(summary, compiled=graphs > 0, graphs=graphs),
        generations=runs[0],
        again=runs[1],
        other=runs[2],
        unending=counts[0],
        hasty=counts[1],
    )


def _tokens_alone(pipeline: Any, request: Request, seed: int) -> None:
    """Synthesise a request up to the tokens of its first pass."""
    acoustic = pipeline.acoustic

    def enough(*_arguments: Any) -> Any:
        raise _EnoughError

    pipeline.acoustic = enough
    try:
        pipeline.synthesize(request.text, {**request.options, "seed": seed})
    except _EnoughError:
        return
    finally:
        pipeline.acoustic = acoustic


def _counts_over(
    pipeline: Any,
    hooks: TokenHooks,
    request: Request,
    seed: int,
    first: Sequence[GenerationSeen],
    far: bool,
) -> tuple[int, ...]:
    """
    Return the tokens of every text of the first pass over a stand-in for the model, which computes
    nothing, and stays at its phone or advances as `far` as it can.
    """
    steps = list(chain.from_iterable(generation.steps for generation in first))
    if not steps:
        return ()
    like, model = steps[0].passes[0], pipeline.tokens

    def stand_in(x: Tensor, _positions: Tensor, _cache: Any) -> tuple[Tensor, Tensor | None]:
        codes = like.logits[:1].repeat(x.shape[0], 1)
        if not like.advances:
            codes[:, -1] = FAR if far else -FAR
            return codes, None
        advances = codes.new_zeros((x.shape[0], like.advances))
        advances[:, -1 if far else 0] = FAR
        return codes, advances

    pipeline.tokens = stand_in
    try:
        _tokens_alone(pipeline, request, seed)
    finally:
        pipeline.tokens = model
    return tuple(map(len, rows_of(hooks.taken())))
