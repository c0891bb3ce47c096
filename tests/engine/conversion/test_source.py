import numpy as np
import pytest
import soundfile

from tests.engine.conversion.sounds import hum
from voxgate.engine.conversion.source import load_source, source_of
from voxgate.engine.errors import EngineError


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 48_000])
def test_any_rate_becomes_16_khz_on_the_same_time_axis(tmp_path, rate_hz):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([hum(150.0, rate_hz=rate_hz)] * 2, axis=1), rate_hz)

    source = load_source(str(path))

    assert source.audio.dtype == np.float32
    assert abs(source.audio.size - 16_000) <= 1
    assert np.corrcoef(source.audio[200:15_800], hum(150.0)[200:15_800])[0, 1] > 0.99


@pytest.mark.parametrize(
    ("audio", "rate_hz", "words"),
    [
        (hum(150.0, 0.1), 16_000, r"lasts 0\.1 s; give 0\.2 to 600 s"),
        (np.zeros(0, np.float32), 16_000, "lasts 0 s"),
        (hum(150.0, 601.0, rate_hz=1_000), 1_000, "lasts 601 s"),
        (np.full(16_000, 1e-6, np.float32), 16_000, "is silent"),
        (np.where(np.arange(16_000) == 9, np.nan, hum(150.0)), 16_000, "NaN or infinity"),
        (hum(150.0) * 1e6, 16_000, "a peak of"),
        (hum(150.0), 12.5, "whole number from 1000 to 768000 Hz, not 12.5"),
        (hum(150.0), 0, "whole number from 1000"),
        (np.zeros(16_000, np.int16), 16_000, "int16 of shape"),
        (np.zeros((2, 2, 2), np.float32), 16_000, "of shape"),
    ],
)
def test_samples_that_cannot_be_converted_are_refused(audio, rate_hz, words):
    with pytest.raises(EngineError, match=f"^source: .*{words}"):
        source_of(audio, rate_hz)


def test_a_file_that_cannot_be_converted_is_refused_by_name(tmp_path):
    text, short, torn = tmp_path / "a.txt", tmp_path / "b.wav", tmp_path / "c.wav"
    empty, opposed = tmp_path / "d.wav", tmp_path / "e.wav"
    empty.touch()
    soundfile.write(opposed, np.stack([hum(150.0), -hum(150.0)], axis=1), 16_000)
    text.write_text("no audio")
    soundfile.write(short, hum(150.0, 0.1), 16_000)
    soundfile.write(torn, hum(150.0), 16_000)
    torn.write_bytes(torn.read_bytes()[:-8_000])

    for path, words in (
        (tmp_path / "none.wav", "cannot be read: No such file"),
        (tmp_path, "cannot be read"),
        (text, "cannot be decoded"),
        (short, "lasts 0.1 s"),
        (torn, "is torn"),
        (empty, "is empty; export it again"),
        (opposed, "the channels of the recording cancel each other out"),
    ):
        with pytest.raises(EngineError, match=f"^source {path}.*{words}"):
            load_source(str(path))
    with pytest.raises(EngineError, match="needs the option source"):
        load_source("")


def test_the_digest_is_that_of_the_samples():
    assert source_of(hum(150.0), 16_000).digest == source_of(hum(150.0), 16_000).digest
    assert source_of(hum(150.0), 16_000).digest != source_of(hum(151.0), 16_000).digest
