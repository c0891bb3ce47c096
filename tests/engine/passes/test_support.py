"""voxgate.engine.passes.support: what cannot work is refused before any work, with what would."""

import pytest

from voxgate.engine.config import TokenConfig, parse, parse_options
from voxgate.engine.errors import EngineError
from voxgate.engine.passes import support as module
from voxgate.engine.passes.support import check_supported
from voxgate.engine.passes.token_models import check_token_supported


def _refused(**options):
    with pytest.raises(EngineError) as error:
        check_supported(parse_options(options))
    return str(error.value)


def test_tf32_on_a_cpu():
    assert "use fp32 or bf16" in _refused(precision="tf32")


def test_fp16_on_a_cpu_without_it(monkeypatch):
    monkeypatch.setattr(module, "cpu_flags", lambda: {"avx2"})

    assert "needs a CPU with fp16 arithmetic" in _refused(precision="fp16")


def test_fp16_on_a_cpu_with_it(monkeypatch):
    monkeypatch.setattr(module, "cpu_flags", lambda: {"avx512_fp16"})

    check_supported(parse_options({"precision": "fp16"}))


def test_cuda_graphs_on_a_cpu():
    assert "compile_vocoder=reduce-overhead means CUDA graphs" in _refused(
        compile_vocoder="reduce-overhead"
    )


def test_compiling_without_a_compiler(monkeypatch):
    monkeypatch.setattr(module, "compiler", lambda: None)

    assert "install g++" in _refused(compile="default")


def test_cuda_where_there_is_none(monkeypatch):
    monkeypatch.setattr(module.torch.cuda, "is_available", lambda: False)

    assert "sees no CUDA device here; use device=cpu" in _refused(device="cuda")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_device_is_named_first_by_a_pipeline_with_a_precision_of_each_model(
    monkeypatch, precision
):
    monkeypatch.setattr(module.torch.cuda, "is_available", lambda: False)
    options = {"device": "cuda", "precision_vocoder": precision}

    with pytest.raises(EngineError, match=r"^device cuda was asked for.*use device=cpu"):
        check_token_supported(parse(TokenConfig, options))


def test_a_cuda_device_that_does_not_exist(monkeypatch):
    monkeypatch.setattr(module.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(module.torch.cuda, "device_count", lambda: 1)

    assert "cuda:0 to cuda:0" in _refused(device="cuda:3")


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(module.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(module.torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(module.torch.cuda, "get_device_capability", lambda device: (7, 5))


def test_tf32_on_a_gpu_without_it(gpu, monkeypatch):
    assert "capability 8.0 or more, and cuda has 7.5; use fp32 or fp16" in _refused(
        device="cuda", precision="tf32"
    )
    monkeypatch.setattr(module.torch.cuda, "get_device_capability", lambda device: (8, 0))

    check_supported(parse_options({"device": "cuda", "precision": "tf32"}))


def test_compiling_for_a_gpu_without_triton(gpu, monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)

    assert "compile=reduce-overhead on a GPU needs the package triton" in _refused(
        device="cuda", compile="reduce-overhead"
    )
    check_supported(parse_options({"device": "cuda"}))


def test_int8_with_fp16(monkeypatch):
    monkeypatch.setattr(module, "cpu_flags", lambda: {"avx512_fp16"})

    assert "not supported with precision fp16" in _refused(
        precision="fp16", quantization="int8-dynamic"
    )


def test_int8_without_torchao(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torchao", None)

    assert "needs the package torchao" in _refused(quantization="int8-weight-only")


def test_the_plain_configuration_is_accepted():
    check_supported(parse_options({}))
