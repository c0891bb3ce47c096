"""
Nothing is made on the wrong device, or left there: the engine's own code on CUDA tensors that no
GPU has made.

Under torch's FakeTensorMode a tensor has a device, a dtype and a shape, and no numbers; what mixes
devices raises, as on a GPU. What reads numbers back (durations, how a recording is laid upon its
text, `early_exit`) cannot run so, and no kernel does: that a GPU computes the right thing, or
quickly, is not shown here.
"""

import ctypes
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from voxgate.engine.acoustic import dit as acoustic
from voxgate.engine.acoustic.infill import InfillPrompt, empty_prompt
from voxgate.engine.config import Solver, parse_options
from voxgate.engine.config.infill import parse_infill_options
from voxgate.engine.duration.frames import FrameConditioning
from voxgate.engine.layers.attention import rope_tables
from voxgate.engine.layers.mel import BANDS, HOP
from voxgate.engine.passes.onnx_graph import signature_of
from voxgate.engine.passes.precision import DTYPES
from voxgate.engine.pipelines import flow, infill
from voxgate.engine.pipelines.flow import FlowPipeline, Part, no_watch
from voxgate.engine.pipelines.infill import InfillPipeline
from voxgate.engine.pipelines.voice_prompt import Prompt, _spoken
from voxgate.engine.vocoder.vocos import VocosShape, waveform
from voxgate.engine.weights.f5_checkpoint import load_infill_voice
from voxgate.engine.weights.random_checkpoint import write_random_voice
from voxgate.engine.weights.voice import load_voice

TEXT = (
    "It was late, and nobody in the whole village was in the least surprised by that at all. He "
    "cut the bread into slices."
)
CUDA = {"device": "cuda:0", "threads": 1, "nfe_steps": 3}
"""With its number: a torch without CUDA cannot say which GPU is the current one."""
RECORDED_FRAMES = 40


class MadeOnCpu(TorchDispatchMode):
    """Names the operators that gave a tensor on the CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.operators: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = func(*args, **(kwargs or {}))
        if any(
            isinstance(each, Tensor) and each.device.type == "cpu"
            for each in torch.utils._pytree.tree_leaves(given)
        ):
            self.operators.append(str(func))
        return given


class Heard:
    """Audio that was on its way to the CPU."""

    def __init__(self, audio: Tensor) -> None:
        assert audio.device.type == "cuda"
        assert audio.dtype is torch.float32
        self.frames = len(audio)

    def cpu(self) -> "Heard":
        return self

    def numpy(self) -> np.ndarray:
        return np.random.default_rng(0).normal(size=self.frames).astype(np.float32)


def heard(projected: Tensor, shape: VocosShape) -> list[Heard]:
    """`waveform`, whose audio has no numbers that could be listened to."""
    return [Heard(audio) for audio in waveform(projected, shape)]


GUARDS = "_ZN3c104impl26device_guard_impl_registryE"
"""
c10::impl::device_guard_impl_registry: for each kind of device what switches between its devices.
"""
CUDA_KIND, META_KIND = 1, 14
"""c10::DeviceType."""


@pytest.fixture(autouse=True, scope="module")
def _guard() -> Iterator[None]:
    """
    Register a device guard that does nothing.

    FakeTensorMode does that by itself if torch was built with CUDA.
    In a CPU build every index and every view of a CUDA tensor looks for one in vain; that of `meta`
    will do.
    """
    library = next((Path(torch.__file__).parent / "lib").glob("libc10.*"))
    guards = (ctypes.c_void_p * (META_KIND + 1)).in_dll(ctypes.CDLL(str(library)), GUARDS)
    before = guards[CUDA_KIND]
    guards[CUDA_KIND] = before or guards[META_KIND]
    yield
    guards[CUDA_KIND] = before


@pytest.fixture(name="fake", autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> FakeTensorMode:
    """A machine with a GPU, as far as anybody asks."""
    monkeypatch.setattr(flow, "check_supported", lambda config: None)
    monkeypatch.setattr(infill, "check_machine", lambda device, precision: None)
    for module in (flow, infill):
        monkeypatch.setattr(module, "waveform", heard)
    monkeypatch.setattr(flow, "free_bytes", lambda device: 2**33)
    return FakeTensorMode(allow_non_fake_inputs=True)


@pytest.fixture(name="make")
def _make(voice_folder: Path, fake: FakeTensorMode) -> Callable[..., FlowPipeline]:
    """Make the tiny voice and move it, as a pipeline does by itself."""

    def make(**options: object) -> FlowPipeline:
        voice, config = load_voice(voice_folder), parse_options({**CUDA, **options})
        for model in (voice.dit, voice.vocoder):
            model.to(DTYPES[config.precision])  # a fake weight can be changed no second time
        with fake, torch.no_grad():
            pipeline = FlowPipeline(config, voice)
        pipeline.acoustic, pipeline.vocoder = (
            strictly(pipeline.acoustic),
            strictly(pipeline.vocoder),
        )
        return pipeline

    return make


def strictly(model: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """
    Call a model that may make no tensor on the CPU, not even one that would be let through because
    it is a single number.
    """

    def call(*given: Tensor) -> Tensor:
        assert {each.device.type for each in given} == {"cuda"}
        with MadeOnCpu() as made:
            output = model(*given)
        assert made.operators == []
        assert output.device.type == "cuda"
        return output

    return call


def plainly(method: Callable[..., Any], *given: Any) -> Any:
    """
    Call a method without gradients, and not in inference mode as it wants it: there a fake tensor
    cannot be moved.
    """
    with torch.no_grad():
        return method.__wrapped__(method.__self__, *given)  # type: ignore[attr-defined]


def parts_of(pipeline: FlowPipeline, prompt: Prompt | None = None) -> list[Part]:
    """Plan all chunks, with real durations; on the CPU, where the engine plans."""
    config = pipeline.config
    chunks = pipeline._chunks(TEXT, config, no_watch)
    parts = [
        plainly(pipeline._plan, chunk, config, index, no_watch)
        for index, chunk in enumerate(chunks)
    ]
    if prompt is None:
        return parts
    return [
        Part(content=prompt.prepend_to(part.content), config=config, index=part.index)
        for part in parts
    ]


def recording() -> Prompt:
    row = torch.ones((1, RECORDED_FRAMES), dtype=torch.int64)
    return Prompt(
        mel=torch.zeros(RECORDED_FRAMES, BANDS),
        frames=FrameConditioning(phone=row, place=row, speaker=row, question=row),
    )


def speak(pipeline: FlowPipeline, parts: list[Part], fake: FakeTensorMode) -> None:
    """
    Go the whole way from the noise to the audio, together; every part gets the audio of its own
    length.
    """
    with fake:
        audios = plainly(pipeline._speak, parts, no_watch)
    assert [len(audio) for audio in audios] == [(part.spoken_frames - 1) * HOP for part in parts]


@pytest.mark.parametrize("solver", list(Solver))
@pytest.mark.parametrize("strength", [0.0, 2.0], ids=["unguided", "guided"])
@pytest.mark.parametrize("reference", [None, recording()], ids=["alone", "behind a recording"])
def test_one_chunk(
    make, fake: FakeTensorMode, solver: Solver, strength: float, reference: Prompt | None
) -> None:
    pipeline = make(solver=solver, cfg_strength=strength)

    speak(pipeline, parts_of(pipeline, reference)[:1], fake)


@pytest.mark.parametrize("strength", [0.0, 2.0], ids=["unguided", "guided"])
@pytest.mark.parametrize("reference", [None, recording()], ids=["alone", "behind a recording"])
def test_a_padded_batch(
    make, fake: FakeTensorMode, strength: float, reference: Prompt | None
) -> None:
    pipeline = make(chunk_characters=80, batch=4, cfg_strength=strength)
    parts = parts_of(pipeline, reference)

    assert len({part.frames for part in parts}) > 1, "what is of one length needs no mask"
    speak(pipeline, parts, fake)


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "bf16"},
        {"precision": "fp16"},
        {"precision": "tf32"},
        {"quantization": "int8-weight-only"},
        {"pad_frames": 64},
        {"pad_frames": 64, "precision": "fp16", "chunk_characters": 80, "batch": 4},
        {"cfg_from": 0.2, "cfg_until": 0.6, "nfe_steps": 8},
        {"grid": "epss", "nfe_steps": 5, "sway": 0.0},
    ],
    ids=str,
)
def test_every_pass_leaves_all_where_it_belongs(
    make, fake: FakeTensorMode, options: dict[str, object]
) -> None:
    pipeline = make(**options)
    models = (pipeline.voice.dit, pipeline.voice.vocoder)

    assert {
        weight.device.type for model in models for weight in (*model.parameters(), *model.buffers())
    } == {"cuda"}
    speak(pipeline, parts_of(pipeline), fake)


def test_a_recording_is_heard_on_the_gpu_and_laid_out_on_the_cpu(
    make, fake: FakeTensorMode
) -> None:
    pipeline = make()
    frames = parts_of(pipeline)[0].content.frames
    with fake, torch.no_grad():
        spoken = _spoken(pipeline.voice, frames.to(pipeline.device))

    assert spoken.device.type == "cpu"
    assert spoken.shape == (frames.phone.shape[1], BANDS)


@pytest.mark.parametrize("masked", [False, True])
def test_a_graph_is_exported_where_the_weights_are(
    make, fake: FakeTensorMode, masked: bool
) -> None:
    pipeline = make()
    with fake, torch.no_grad():
        signatures = [
            signature_of(model, masked=masked)
            for model in (pipeline.voice.dit, pipeline.voice.vocoder)
        ]

    assert {each.device.type for signature in signatures for each in signature.inputs.values()} == {
        "cuda"
    }


@pytest.fixture(name="published", scope="module")
def _published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published") / "random"
    write_random_voice(folder, small=True)
    return folder


@pytest.mark.parametrize("strength", [0.0, 2.0], ids=["unguided", "guided"])
@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("prompt_frames", [0, RECORDED_FRAMES], ids=["alone", "behind a recording"])
def test_published_checkpoints(
    published: Path, fake: FakeTensorMode, version: int, prompt_frames: int, strength: float
) -> None:
    config = parse_infill_options(
        {**CUDA, "weights": str(published), "version": version, "cfg_strength": strength}
    )
    voice = load_infill_voice(published, version=version)
    with fake, torch.no_grad():
        pipeline = InfillPipeline(config, voice)
    pipeline.acoustic, pipeline.vocoder = strictly(pipeline.acoustic), strictly(pipeline.vocoder)
    bands = voice.dit.shape.bands
    recorded = (
        InfillPrompt(mel=torch.zeros(prompt_frames, bands), text="Well. ", gain=1.0)
        if prompt_frames
        else empty_prompt(bands)
    )
    (piece,) = pipeline._chunks("hello", recorded, 1.0)
    with fake:
        audio = plainly(pipeline._speak, piece, recorded, config, no_watch)

    assert len(audio) == (piece.frames - prompt_frames - 1) * HOP


def test_a_table_on_the_cpu_is_found(
    make, fake: FakeTensorMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests above can fail."""
    monkeypatch.setattr(
        acoustic,
        "rope_tables",
        lambda length, width, device: rope_tables(length, width, torch.device("cpu")),
    )
    pipeline = make()
    with pytest.raises((AssertionError, RuntimeError), match=r"cpu|aten"):
        speak(pipeline, parts_of(pipeline), fake)


def test_a_single_number_on_the_cpu_is_found(
    make, fake: FakeTensorMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch lets it mix with a GPU's tensors, and waits for the GPU."""
    real = acoustic.modulate
    monkeypatch.setattr(
        acoustic, "modulate", lambda x, shift, scale: real(x, shift, scale) * torch.tensor(1.0)
    )
    pipeline = make()
    with pytest.raises(AssertionError, match="aten"):
        speak(pipeline, parts_of(pipeline), fake)
