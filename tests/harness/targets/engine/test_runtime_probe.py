"""
Which runtime computes, which model is quantised and which lengths are computed is seen from
outside; lies are found out.

Every lie is planted in a real pipeline (on the tiny voice), as in test_engine_effects.
"""

import copy
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from voxgate.engine.config import OPTIONS, Quantization, Runtime
from voxgate.engine.layers.mel import BANDS
from voxgate.engine.passes import Applied, compilation, padding, quantization, runtime
from voxgate.engine.passes.onnx_graph import graph_of
from voxgate.engine.passes.onnx_session import open_session
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.harness.records.cell import Request
from voxgate.harness.targets.engine.flow_observer import observe
from voxgate.harness.targets.engine.target import EngineTarget

REQUEST = Request(id="u001", text="Hello there, how are you today?")
BOTH = {"runtime_acoustic": "onnx", "runtime_vocoder": "onnx"}
SAID = Applied(option="any", requested="any", effect="all as asked", reason="asked")


@pytest.fixture(autouse=True, scope="module")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def _target(voice_folder, **asked):
    asked = {"threads": 1, "nfe_steps": 4, **asked}
    target = EngineTarget()
    target.requested = asked
    target.pipeline = FlowPipeline.load(asked, voice_folder)
    return target


def _broken(target):
    return {effect.option for effect in target.observe(REQUEST) if not effect.in_effect}


def _effect(target, option):
    return next(effect for effect in target.observe(REQUEST) if effect.option == option)


@pytest.mark.parametrize(
    "asked",
    [
        BOTH,
        {"runtime_acoustic": "onnx"},
        {"runtime_vocoder": "onnx", "cfg_strength": 0.0, "nfe_steps": 1},
        {**BOTH, "pad_frames": 64},
        {"pad_frames": 50},
        {"pad_frames": 16, "precision": "bf16"},
        {"pad_frames": 16, "quantization": "int8-weight-only"},
        {"quantization": "int8-dynamic", "quantized_stages": "acoustic"},
        {"quantization": "int8-weight-only", "quantized_stages": "vocoder"},
        {"quantization": "int8-dynamic", "quantized_stages": "acoustic", "runtime_vocoder": "onnx"},
    ],
    ids=str,
)
def test_an_honest_engine_keeps_every_promise(voice_folder, asked):
    effects = _target(voice_folder, **asked).observe(REQUEST)

    assert [effect for effect in effects if not effect.in_effect] == []
    assert {effect.option for effect in effects} == set(OPTIONS)


def test_an_honest_padded_and_compiled_engine_keeps_every_promise(voice_folder, monkeypatch):
    traced = torch.compile
    monkeypatch.setattr(
        torch,
        "compile",
        lambda model, **_: traced(model, dynamic=True, fullgraph=True, backend="eager"),
    )
    target = _target(voice_folder, compile="default", compile_vocoder="default", pad_frames=32)
    exact = _target(voice_folder).pipeline
    assert (
        abs(target.pipeline.synthesize(REQUEST.text) - exact.synthesize(REQUEST.text)).max() < 1e-4
    )

    target.pipeline.synthesize("Another length, then.")
    assert [effect for effect in target.observe(REQUEST) if not effect.in_effect] == []


def test_what_is_seen_is_said_in_numbers(voice_folder):
    target = _target(voice_folder, runtime_acoustic="onnx")

    said = _effect(target, "runtime_acoustic")
    assert (
        said.observed
        == "4 calls: 4 runs of ONNX Runtime's CPUExecutionProvider, 0 products in torch"
    )
    assert "0 runs" not in _effect(target, "runtime_vocoder").observed
    assert "products in torch" in _effect(target, "runtime_vocoder").observed


def test_observing_leaves_sessions_and_pipeline_as_they_were(voice_folder):
    import onnxruntime

    before = {
        name: getattr(onnxruntime.InferenceSession, name) for name in ("run", "run_with_iobinding")
    }
    target = _target(voice_folder, **BOTH, pad_frames=16)
    inner, audio = target.pipeline.acoustic.inner, target.pipeline.synthesize(REQUEST.text)
    target.observe(REQUEST)

    assert {name: getattr(onnxruntime.InferenceSession, name) for name in before} == before
    assert target.pipeline.acoustic.inner is inner
    assert (target.pipeline.synthesize(REQUEST.text) == audio).all()


def test_lie_torch_in_place_of_onnx_runtime(voice_folder, monkeypatch):
    monkeypatch.setattr(
        runtime, "apply", lambda name, model, called, wanted, config: (called, SAID)
    )

    assert _broken(_target(voice_folder, **BOTH)) == set(BOTH)


def test_lie_a_session_that_runs_for_show(voice_folder, monkeypatch):
    """
    ONNX Runtime runs as often as it should; what is spoken comes from a copy of the torch model
    that no hook knows.
    """
    apply = runtime.apply

    def show(name, model, called, wanted, config):
        session, said = apply(name, model, called, wanted, config)
        hidden = copy.deepcopy(model)
        return (lambda *args: (session(*args), hidden(*args))[1]), said

    monkeypatch.setattr(runtime, "apply", show)
    assert _broken(_target(voice_folder, runtime_vocoder="onnx", runtime_acoustic="onnx")) == set(
        BOTH
    )


def test_lie_a_session_that_is_loaded_and_never_run(voice_folder, monkeypatch):
    apply = runtime.apply
    monkeypatch.setattr(runtime, "apply", lambda *args: (args[2], apply(*args)[1]))

    assert _broken(_target(voice_folder, runtime_vocoder="onnx")) == {"runtime_vocoder"}


def test_lie_onnx_runtime_where_nobody_asked_for_it(voice_folder, monkeypatch):
    apply = runtime.apply
    monkeypatch.setattr(runtime, "apply", lambda *args: apply(*args[:3], Runtime.ONNX, args[4]))

    assert _broken(_target(voice_folder)) == set(BOTH)


def test_lie_an_answer_that_was_kept_from_before(voice_folder):
    """The first answer is given again and again: nothing runs."""
    target = _target(voice_folder, runtime_vocoder="onnx")
    session, kept = target.pipeline.vocoder, {}
    target.pipeline.vocoder = lambda mel: kept.setdefault(
        mel.shape, session(mel) if mel.shape not in kept else None
    )
    target.pipeline.synthesize(REQUEST.text)

    assert _broken(target) == {"runtime_vocoder"}


def test_lie_a_session_with_threads_of_its_own_choice(voice_folder, monkeypatch):
    def many(graph, wanted, config):
        from dataclasses import replace

        return open_session(graph, wanted, replace(config, threads=2))

    monkeypatch.setattr(runtime, "open_session", many)
    target = _target(voice_folder, runtime_vocoder="onnx")

    assert _broken(target) == {"threads"}
    assert _effect(target, "threads").observed == "1 and 2"


def test_lie_another_provider(voice_folder, monkeypatch):
    import onnxruntime

    target = _target(voice_folder, runtime_vocoder="onnx")
    monkeypatch.setattr(
        onnxruntime.InferenceSession, "get_providers", lambda self: ["AzureExecutionProvider"]
    )

    assert _broken(target) == {"runtime_vocoder"}


def test_lie_int8_in_both_models_where_one_was_asked_for(voice_folder):
    target = _target(voice_folder, quantization="int8-weight-only", quantized_stages="acoustic")
    quantization.apply(
        {"vocoder": target.pipeline.voice.vocoder}, target.pipeline.config.quantization
    )

    assert _broken(target) == {"quantization", "quantized_stages"}


def test_lie_int8_in_the_other_model(voice_folder):
    target = _target(voice_folder)
    quantization.apply({"vocoder": target.pipeline.voice.vocoder}, Quantization.INT8_WEIGHT_ONLY)
    target.requested |= {"quantization": "int8-weight-only", "quantized_stages": "acoustic"}

    assert _broken(target) == {"quantization", "quantized_stages"}


def test_lie_no_padding(voice_folder, monkeypatch):
    monkeypatch.setattr(padding, "apply", lambda called, multiple: (called, SAID))
    target = _target(voice_folder, pad_frames=97)

    assert _broken(target) == {"pad_frames"}


def test_lie_padding_to_another_multiple(voice_folder, monkeypatch):
    apply = padding.apply
    monkeypatch.setattr(padding, "apply", lambda called, multiple: apply(called, 96))

    assert _broken(_target(voice_folder, pad_frames=97)) == {"pad_frames"}


def test_lie_a_wrapper_whose_inner_model_is_for_show(voice_folder):
    target = _target(voice_folder, pad_frames=97)
    padded, dit = target.pipeline.acoustic, target.pipeline.voice.dit

    class Show:
        inner = padded.inner

        def __call__(self, *args):
            return dit(*args)

    target.pipeline.acoustic = Show()
    assert _broken(target) == {"pad_frames"}


def test_padding_where_nobody_asked_for_it_is_seen(voice_folder):
    target = _target(voice_folder, pad_frames=97)
    target.requested["pad_frames"] = 0

    assert _broken(target) == {"pad_frames"}


def test_lie_a_compiled_stranger(voice_folder, monkeypatch):
    """Compiled it is, but another module than the voice's."""

    def stranger(name, option, model, mode, *, on_cpu):
        return torch.compile(copy.deepcopy(model), backend="eager"), SAID

    monkeypatch.setattr(compilation, "apply", stranger)
    target = _target(voice_folder, compile_vocoder="default")
    target.pipeline.synthesize(REQUEST.text)

    assert "compile_vocoder" in _broken(target)


def test_a_session_of_another_stage_does_not_count(voice_folder):
    """ONNX Runtime running beside, for whatever reason, is no proof for a stage."""
    target = _target(voice_folder)
    session = open_session(
        graph_of(target.pipeline.voice.vocoder, masked=False), Runtime.ONNX, target.pipeline.config
    )
    durations = target.pipeline.voice.durations
    handle = durations.register_forward_hook(
        lambda *_: (session(torch.zeros(1, 5, BANDS)), None)[1]
    )
    seen = observe(target.pipeline, REQUEST)
    handle.remove()

    assert seen.acoustic.sessions == seen.vocoder.sessions == ()


def test_looking_loads_no_compiler(voice_folder):
    """The compiler would count in the peak of memory of a process that compiles nothing."""
    code = f"""
import sys
from pathlib import Path
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.harness.records.cell import Request
from voxgate.harness.targets.engine.flow_observer import observe

pipeline = FlowPipeline.load({{"threads": 1, "nfe_steps": 1}}, Path({str(voice_folder)!r}))
observe(pipeline, Request(id="u001", text="Hello."))
sys.exit("torch._dynamo" in sys.modules or "onnxruntime" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_product_is_counted(voice_folder):
    """The tiny vocoder: 2 convolutions and 3 Linear layers."""
    seen = observe(_target(voice_folder).pipeline, REQUEST)

    assert seen.vocoder.products == 5
