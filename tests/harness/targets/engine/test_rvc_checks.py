"""voxgate.harness.targets.engine.rvc_checks: every option of pipeline rvc is observed."""

import numpy as np
import pytest
import soundfile

from tests.studies.s3gen_parity import RECORDING
from voxgate.engine.config import options_of
from voxgate.engine.config.conversion import RvcConfig
from voxgate.engine.pipelines.rvc import RvcPipeline
from voxgate.engine.rvc.random_weights import PUBLISHED, small_sizes, write_random_rvc
from voxgate.harness.records.cell import Request
from voxgate.harness.targets.engine.observer_registry import check_effects
from voxgate.harness.targets.engine.rvc_checks import OBSERVER, RVC_CHECKS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("rvc") / "voice"
    write_random_rvc(path, small_sizes(PUBLISHED["v1-32k"]), seed=2)
    features = np.random.default_rng(1).standard_normal((20, 256))
    np.save(path / "index.npy", features.astype(np.float32))
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    audio, rate_hz = soundfile.read(RECORDING, dtype="float32")
    path = tmp_path_factory.mktemp("source") / "said.wav"
    soundfile.write(path, audio[rate_hz // 2 :][: int(1.1 * rate_hz)], rate_hz)
    return str(path)


def _observed(folder, source, **options):
    """Return the configuration and the record of one observed conversion."""
    pipeline = RvcPipeline.load({"threads": 1, **options}, folder)
    request = Request(id="u1", text="said", options={"source": source})
    return pipeline.config, OBSERVER.observe(pipeline, request)


def _effects(config, seen, source, **claims):
    effective = {name: getattr(config, name) for name in options_of(RvcConfig)}
    found = check_effects(
        effective | {"source": source} | claims, {}, seen, OBSERVER.checks, RvcConfig
    )
    return {check.option: check.in_effect for check in found}


@pytest.fixture(scope="module")
def plain(folder, source):
    return _observed(folder, source)


def test_every_option_has_a_check():
    assert set(RVC_CHECKS) == set(options_of(RvcConfig))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"precision": "bf16", "quantization_content": "int8-dynamic", "threads": 2},
        {
            "chunk_seconds": 0.4,
            "chunk_overlap_seconds": 0.3,
            "batch": 2,
            "speaker": 2,
            "pitch_shift": 3.0,
            "index_rate": 0.6,
            "seed": 5,
            "precision_model": "bf16",
            "quantization_content": "int8-dynamic",
            "parallel_f0": True,
            "feature_cache": True,
        },
    ],
)
def test_what_was_asked_is_seen_in_effect(folder, source, options):
    found = _effects(*_observed(folder, source, **options), source)

    assert [name for name, in_effect in found.items() if in_effect is False] == []
    assert {name for name, in_effect in found.items() if in_effect} >= {*options, "source"}


@pytest.mark.parametrize(
    "claim",
    [
        {"speaker": 3},
        {"seed": 1},
        {"pitch_shift": 4.0},
        {"chunk_seconds": 0.4},
        {"chunk_overlap_seconds": 0.5},
        {"precision_vocoder": "bf16"},
        {"feature_cache": True},
    ],
)
def test_a_claim_that_is_untrue_is_found_out(plain, source, claim):
    (name,) = claim

    assert _effects(*plain, source)[name] is True
    assert _effects(*plain, source, **claim)[name] is False


def test_weights_are_those_of_the_folder(plain, folder, source, tmp_path):
    write_random_rvc(tmp_path / "other", small_sizes(PUBLISHED["v1-32k"]), seed=3)
    write_random_rvc(tmp_path / "faster", small_sizes(PUBLISHED["v1-40k"]), seed=2)

    assert _effects(*plain, source)["weights"] is None
    assert _effects(*plain, source, weights=str(folder))["weights"] is True
    for name in ("other", "faster", "nowhere"):
        assert _effects(*plain, source, weights=str(tmp_path / name))["weights"] is False
