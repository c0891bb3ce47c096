"""The `chatterbox` pipeline as a target: options are observed in effect, and lies are found out."""

import pytest
import torch

from voxgate.engine.chatterbox.random_weights import write_random_chatterbox
from voxgate.engine.config import KVCacheKind, ModelVariant
from voxgate.engine.pipelines import chatterbox
from voxgate.harness.records.cell import Cell, Request, Workload
from voxgate.harness.targets.engine.target import EngineTarget

REQUEST = Request(id="u001", text="Hello there.")
FEW = {"threads": 1, "nfe_steps": 2, "max_tokens": 4}


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chatterbox")
    write_random_chatterbox(folder, ModelVariant.ENGLISH, small=True)
    return folder


@pytest.fixture(name="observe")
def _observe(folder):
    def observe(**asked):
        workload = Workload(name="w", requests=(REQUEST,))
        axes = {"weights": str(folder), **FEW, **asked}
        target = EngineTarget()
        cell = Cell(suite="s", target="engine", pipeline="chatterbox", workload=workload, axes=axes)
        target.load(cell, {"device": "cpu"})
        return {check.option for check in target.observe(REQUEST) if check.in_effect is False}

    threads = torch.get_num_threads()
    yield observe
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"kv_cache": "off", "cfg_weight": 0.0},
        {"kv_cache": "static", "cfg_rate": 0.0},
        {"precision": "bf16", "quantization": "int8-weight-only"},
    ],
)
def test_what_was_asked_is_observed(observe, asked):
    assert observe(**asked) == set()


def test_a_cache_that_is_none_and_a_guidance_that_is_dropped_are_found_out(observe, monkeypatch):
    real_cache, real_decode = chatterbox.make_cache, chatterbox.decode
    monkeypatch.setattr(
        chatterbox, "make_cache", lambda kind, *a, **k: real_cache(KVCacheKind.OFF, *a, **k)
    )
    assert observe() == {"kv_cache"}

    monkeypatch.setattr(chatterbox, "make_cache", real_cache)
    monkeypatch.setattr(
        chatterbox,
        "decode",
        lambda *inputs: real_decode(*inputs[:-1], _unguided(inputs[-1])),
    )
    assert observe() == {"cfg_weight"}


def _unguided(how):
    return type(how)(sampling=how.sampling, max_tokens=how.max_tokens, cfg_weight=0.0)
