"""
voxgate.engine.passes.runtime and its graphs: ONNX Runtime gives what torch gives, and what cannot
work is refused.
"""

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner

from voxgate.engine.__main__ import main
from voxgate.engine.config import FlowConfig, Runtime, parse_options
from voxgate.engine.errors import EngineError
from voxgate.engine.export import BATCHES, LENGTHS_FRAMES, differences
from voxgate.engine.layers.mel import BANDS
from voxgate.engine.passes import onnx_graph
from voxgate.engine.passes.onnx_graph import OPSET, export, graph_of, signature_of
from voxgate.engine.passes.onnx_session import open_session
from voxgate.engine.passes.runtime import OnnxStage
from voxgate.engine.passes.support import check_supported
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.engine.weights.voice import load_voice

TEXTS = (
    "No.",
    "Is this the same voice?",
    "The quick brown fox jumps over the lazy dog, and nobody in the whole village was in the least "
    "surprised by that at all.",
)
BOTH = {"runtime_acoustic": "onnx", "runtime_vocoder": "onnx"}
SAME = 1e-4
INAUDIBLE_DB = 60.0
"""
Of the whole. Here and there the vocoder answers a mel that differs by 1e-5, as it does by rounding
alone, with audio that differs by 4e-4: so does torch, given the same mel with noise of that size.
"""


@pytest.fixture(name="cache", autouse=True, scope="module")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Graphs of tests are kept apart from a developer's own, and shared among tests."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder / "voxgate" / "onnx"


def snr_db(audio: np.ndarray, other: np.ndarray) -> float:
    assert audio.shape == other.shape
    return float(10 * np.log10((audio**2).sum() / ((audio - other) ** 2).sum()))


def spoken(text: str, **options: object) -> tuple[list[np.ndarray], np.ndarray]:
    """Speak with the embedded voice; gives the mel of every chunk and the audio."""
    pipeline = FlowPipeline.load({"threads": 1, "nfe_steps": 4, **options})
    mels, vocoder = [], pipeline.vocoder

    def keep(mel: torch.Tensor) -> torch.Tensor:
        mels.append(mel.numpy().copy())
        return vocoder(mel)

    pipeline.vocoder = keep
    return mels, pipeline.synthesize(text)


@pytest.mark.slow
@pytest.mark.parametrize("strength", [0.0, 1.0], ids=["batch 1", "batch 2"])
@pytest.mark.parametrize("text", TEXTS, ids=["short", "medium", "two chunks"])
def test_the_embedded_voice_is_the_same_by_onnx_runtime(text: str, strength: float) -> None:
    mels, audio = spoken(text, cfg_strength=strength)
    others, other = spoken(text, cfg_strength=strength, **BOTH)

    assert [mel.shape for mel in mels] == [mel.shape for mel in others]
    assert max(np.abs(a - b).max() for a, b in zip(mels, others, strict=True)) < SAME
    assert snr_db(audio, other) > INAUDIBLE_DB


@pytest.mark.slow
@pytest.mark.parametrize("text", TEXTS, ids=["short", "medium", "two chunks"])
def test_the_vocoder_of_the_embedded_voice_makes_the_same_audio_of_the_same_mel(text: str) -> None:
    audio, other = (spoken(text, runtime_vocoder=runtime)[1] for runtime in ("torch", "onnx"))

    assert np.abs(audio - other).max() < SAME


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dit", "vocoder"])
def test_a_graph_of_the_embedded_voice_holds_for_any_length_and_batch(name: str) -> None:
    model = getattr(load_voice(), name)
    found = list(differences(model, graph_of(model, masked=False), FlowConfig(threads=1)))

    assert [(each.batch, each.frames) for each in found] == [
        (b, n) for b in BATCHES for n in LENGTHS_FRAMES
    ]
    assert max(each.largest / each.scale for each in found) < SAME


def test_one_model_alone_may_run_elsewhere(make_pipeline) -> None:
    pipeline = make_pipeline(runtime_vocoder="onnx")

    assert pipeline.acoustic is pipeline.voice.dit
    assert isinstance(pipeline.vocoder, OnnxStage)
    assert np.abs(pipeline.synthesize("Hello.") - make_pipeline().synthesize("Hello.")).max() < SAME


def test_a_session_has_the_engines_threads_and_the_provider_of_the_device(
    make_pipeline, monkeypatch
) -> None:
    opened = []

    class Noted(onnxruntime.InferenceSession):
        def __init__(self, *given, **named) -> None:
            super().__init__(*given, **named)
            opened.append(self)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Noted)
    make_pipeline(threads=2, runtime_vocoder="onnx")

    (session,) = opened
    assert session.get_session_options().intra_op_num_threads == 2
    assert session.get_providers() == ["CPUExecutionProvider"]


def test_a_graph_says_what_it_is(voice_folder: Path) -> None:
    voice = load_voice(voice_folder)
    for model, names in ((voice.dit, ["noisy", "known", "text", "t"]), (voice.vocoder, ["mel"])):
        graph = onnx.load_model_from_string(export(model, signature_of(model, masked=False)))
        onnx.checker.check_model(graph)
        assert [each.name for each in graph.graph.input] == names
        assert [each.version for each in graph.opset_import if not each.domain] == [OPSET]
        assert [each.dim_param for each in graph.graph.input[0].type.tensor_type.shape.dim[:2]] == [
            "batch",
            "frames",
        ]


def test_exporting_warns_nobody(voice_folder: Path) -> None:
    model = load_voice(voice_folder).vocoder
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export(model, signature_of(model, masked=False))


def test_a_graph_is_exported_once_for_the_same_content(
    voice_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice = load_voice(voice_folder)
    first = graph_of(voice.vocoder, masked=False)
    monkeypatch.setattr(
        onnx_graph, "export", lambda model, signature: pytest.fail("exported again")
    )

    again = graph_of(load_voice(voice_folder).vocoder, masked=False)
    assert (again.content, again.path) == (first.content, first.path)


def test_other_weights_and_other_code_make_another_graph(
    voice_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Two revisions that are compared must not run the same graph because their weights are the same.
    """
    model = load_voice(voice_folder).vocoder
    first = graph_of(model, masked=False).path
    (tmp_path / "changed.py").write_text("# another revision")
    with monkeypatch.context() as patch:
        patch.setattr(onnx_graph, "_source_files", lambda: iter([tmp_path / "changed.py"]))
        other_code = graph_of(model, masked=False).path
    model.head.out.bias += 1e-3

    assert len({first, other_code, graph_of(model, masked=False).path}) == 3


def test_a_cache_that_cannot_be_written_costs_only_time(
    make_pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    pipeline = make_pipeline(runtime_vocoder="onnx")

    assert pipeline.synthesize("Hello.").size
    assert any(
        "graph not kept" in each.effect
        for each in pipeline.applied
        if each.option == "runtime_vocoder"
    )


def test_the_oldest_graphs_go(
    voice_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(onnx_graph, "MAX_CACHED_GRAPHS", 2)
    model = load_voice(voice_folder).vocoder
    paths = []
    for _ in range(3):
        model.head.out.bias += 1e-3
        paths.append(graph_of(model, masked=False).path)

    assert set(onnx_graph.cache_folder().iterdir()) == set(paths[1:])


def test_a_damaged_graph_is_named(
    voice_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model = load_voice(voice_folder).vocoder
    path = graph_of(model, masked=False).path
    path.write_bytes(path.read_bytes()[:500])

    with pytest.raises(
        EngineError, match=rf"cannot load the exported graph.*delete {path}, which may be damaged"
    ):
        open_session(graph_of(model, masked=False), Runtime.ONNX, FlowConfig(threads=1))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"runtime_acoustic": "onnx", "compile": "default"},
            ["nothing to do", "compile=off", "runtime_acoustic=torch"],
        ),
        ({"runtime_vocoder": "onnx", "compile_vocoder": "default"}, ["compile_vocoder=off"]),
        (
            {"runtime_acoustic": "onnx", "quantization": "int8-dynamic"},
            ["int8-dynamic", "torchao's", "quantized_stages"],
        ),
        (
            {"runtime_vocoder": "onnx", "precision": "bf16"},
            ["runtime_vocoder=onnx", "no bf16", "precision=fp32"],
        ),
        ({"runtime_vocoder": "tflite"}, ["runtime_vocoder", "'tflite'", "torch, onnx, tensorrt"]),
        (
            {"quantized_stages": "vocoder"},
            ["quantized_stages=vocoder has no effect", "quantization=int8-dynamic"],
        ),
        ({"pad_frames": -1}, ["pad_frames", "from 0 to 1024", "-1"]),
    ],
)
def test_what_excludes_each_other_is_refused_without_a_machine(
    options: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(EngineError) as error:
        parse_options(options)

    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize(
    "options",
    [
        {"runtime_vocoder": "onnx", "compile": "default"},
        {"runtime_vocoder": "onnx", "quantization": "int8-dynamic", "quantized_stages": "acoustic"},
    ],
)
def test_what_concerns_the_other_model_is_accepted(options: dict[str, object]) -> None:
    check_supported(parse_options(options))


def refused(**options: object) -> str:
    with pytest.raises(EngineError) as error:
        check_supported(parse_options(options))
    return str(error.value)


def test_tensorrt_on_a_cpu_is_refused() -> None:
    assert "runtime_vocoder=tensorrt is for NVIDIA's GPUs, and device is cpu" in refused(
        runtime_vocoder="tensorrt"
    )


@pytest.mark.parametrize(
    ("runtime", "lacking"),
    [("onnx", "CUDAExecutionProvider"), ("tensorrt", "TensorrtExecutionProvider")],
)
def test_a_provider_that_is_not_installed_is_refused(
    runtime: str, lacking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.engine.passes.support.check_device", lambda device: None)
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    said = refused(runtime_acoustic=runtime, device="cuda")

    assert (
        f"needs ONNX Runtime with {lacking}, and the installed one has CPUExecutionProvider" in said
    )
    assert "install onnxruntime-gpu" in said


def test_without_the_package_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxgate.engine.passes.support.PACKAGES", ("onnx", "no_such_package"))

    assert "needs the package no_such_package; pip install 'voxgate[onnx]'" in refused(
        runtime_acoustic="onnx"
    )


def test_fp16_on_a_cpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxgate.engine.passes.support.cpu_flags", lambda: {"avx512_fp16"})

    assert "has no fp16 on a CPU" in refused(runtime_acoustic="onnx", precision="fp16")


def test_another_provider_than_asked_is_no_session(
    voice_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime falls back in silence."""
    monkeypatch.setattr(
        onnxruntime.InferenceSession, "get_providers", lambda self: ["AzureExecutionProvider"]
    )
    model = load_voice(voice_folder).vocoder
    with pytest.raises(
        EngineError,
        match="cannot use its CPUExecutionProvider here and would take AzureExecutionProvider",
    ):
        open_session(graph_of(model, masked=False), Runtime.ONNX, FlowConfig(threads=1))


def test_the_plain_engine_needs_no_onnx() -> None:
    import subprocess

    code = (
        "import sys; import voxgate.engine.pipelines.flow; "
        "sys.exit('onnxruntime' in sys.modules or 'onnx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_export_writes_the_files_and_says_how_far_they_are_from_torch(
    voice_folder: Path, tmp_path: Path
) -> None:
    done = CliRunner().invoke(main, ["export", str(tmp_path / "out"), "--voice", str(voice_folder)])

    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "acoustic.onnx",
        "vocoder.onnx",
    ]
    lines = [line for line in done.output.splitlines() if "from torch" in line]
    assert len(lines) == 2 * len(BATCHES) * len(LENGTHS_FRAMES)
    assert all(float(line.partition("at most ")[2].split()[0]) < SAME for line in lines), (
        done.output
    )
    assert f"opset {OPSET}" in done.output


def test_export_of_one_stage_and_its_mistakes(voice_folder: Path, tmp_path: Path) -> None:
    invoke = CliRunner().invoke
    done = invoke(
        main, ["export", str(tmp_path), "--stage", "vocoder", "--voice", str(voice_folder)]
    )
    assert done.exit_code == 0 and [path.name for path in tmp_path.iterdir()] == ["vocoder.onnx"]

    (tmp_path / "file").write_text("")
    for args, words in (
        ([str(tmp_path / "file"), "--voice", str(voice_folder)], "cannot be made"),
        ([str(tmp_path / "new"), "--voice", str(tmp_path / "none")], "do not exist"),
    ):
        done = invoke(main, ["export", *args])
        assert done.exit_code == 2 and done.stderr.startswith("engine: ") and words in done.stderr


def test_a_mask_that_the_graph_does_not_know_is_refused(make_pipeline) -> None:
    vocoder = make_pipeline(runtime_vocoder="onnx").vocoder
    mel = torch.zeros(1, 5, BANDS)

    with pytest.raises(
        EngineError,
        match="takes mel and was given 2 inputs; speak one chunk at a time, set pad_frames",
    ):
        vocoder(mel, torch.ones(1, 5, 1))
