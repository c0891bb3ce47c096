"""The moment at which a cell is heard: which utterance, which second, and when there is none."""

import io
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tests.harness.fake_runs import good_run
from tests.harness.report.listening.making import RATE_HZ, write_run
from tests.harness.report.listening.making import rising as longer
from tests.harness.report.making import HOSTILE, one_broken, passed, regressed
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Request
from voxgate.harness.records.measurement import Missing, not_installed
from voxgate.harness.records.run import HeardText
from voxgate.harness.report import page as page_module
from voxgate.harness.report.html import templates
from voxgate.harness.report.listening import pair_png as module
from voxgate.harness.report.listening import player, words
from voxgate.harness.report.listening.assets import EmbeddedAssets
from voxgate.harness.report.listening.differences import Marks, PlacedWord, view
from voxgate.harness.report.listening.moments import Moment, line, moments
from voxgate.harness.report.listening.pair_png import draw, pair_png, worst_pair
from voxgate.harness.report.listening.player import run_player
from voxgate.harness.report.listening.utterance import utterance
from voxgate.harness.report.run_page import run_page
from voxgate.harness.report.run_record import record_of
from voxgate.harness.report.worst_utterances import heard_first, red_cells
from voxgate.harness.runner.recordings import KeptAudio, Take
from voxgate.harness.runner.run_folder import load_run

rising = partial(longer, seconds=1.0)
LABELS = {"nfe-32": "nfe=32", "nfe-8": "nfe=8"}


def take(when: str, frames: np.ndarray, cell: str = "nfe-32") -> Take:
    sound = KeptAudio(frames=np.asarray(frames, dtype=np.float32), rate_hz=RATE_HZ)
    return Take(when=when, cell=cell, sound=sound)  # type: ignore[arg-type]


def louder_at(time_s: float, by: float = 0.3) -> np.ndarray:
    """A rising tone with 0.1 s of another one on it."""
    frames = rising(500.0)
    first = int(time_s * RATE_HZ)
    frames[first : first + RATE_HZ // 10] += by * rising(3000.0)[: RATE_HZ // 10] / 0.2
    return frames


def clicked_at(time_s: float) -> np.ndarray:
    frames = rising(500.0, level=0.05)
    frames[int(time_s * RATE_HZ)] = 0.9
    return frames


def found(*spoken: tuple[Take, ...], wanted: dict[str, tuple[str, ...]] | None = None) -> tuple:
    assets = EmbeddedAssets(0)
    heard = []
    for number, takes in enumerate(spoken, 1):
        each = utterance(Request(id=f"u{number:02}", text="Some text."), takes, assets)
        heard.append((each, view(each, "nfe-32", assets)))
    return moments(heard, LABELS, wanted or {})


def against_golden(now: np.ndarray) -> tuple[Take, ...]:
    return take("golden", rising(500.0)), take("current", now)


def test_it_is_the_utterance_that_changed_most_at_the_second_that_differs_most() -> None:
    (moment,) = found(
        against_golden(louder_at(0.2, 0.02)),
        against_golden(louder_at(0.7)),
        against_golden(rising(500.0)),
    )

    assert (moment.utterance, moment.old, moment.new) == ("u02", 0, 1)
    assert moment.new_s == pytest.approx(0.75, abs=0.06)
    assert moment.old_s == pytest.approx(moment.new_s)
    assert (moment.old_name, moment.same) == ("golden", False)
    assert moment.why == f"differs most at {moment.new_s:.2f} s"


def test_what_the_judge_named_is_heard_though_another_changed_more() -> None:
    takes = against_golden(louder_at(0.2, 0.02)), against_golden(louder_at(0.7))

    (moment,) = found(*takes, wanted={"nfe-32": ("gone", "u01")})

    assert moment.utterance == "u01"


def test_a_fault_that_only_the_new_take_has_is_where_to_listen() -> None:
    (moment,) = found((take("golden", rising(500.0, level=0.05)), take("current", clicked_at(0.4))))

    assert moment.new_s == pytest.approx(0.4, abs=0.01)
    assert moment.why == "click at 0.40 s, only in the new take"


def test_a_fault_of_both_takes_is_no_change() -> None:
    now = clicked_at(0.4)
    now[int(0.8 * RATE_HZ) :] *= 4.0

    (moment,) = found((take("golden", clicked_at(0.4)), take("current", now)))

    assert moment.new_s > 0.75


def test_a_voice_of_the_cell_itself_counts_before_the_reference() -> None:
    reference = take("golden", rising(500.0)), take("current", rising(500.0))
    alone = (*reference, take("current", rising(900.0), "nfe-8"))
    before = take("previous", rising(900.0), "nfe-8")

    (_, other) = found(alone)
    (_, same) = found((*alone[:2], before, alone[2]))

    assert (other.cell, other.old_name, other.same) == ("nfe-8", "nfe=32 (reference)", False)
    assert (other.is_own, same.is_own) == (False, True)
    assert (same.cell, same.old_name, same.same, same.new_s) == ("nfe-8", "previous", True, None)


def test_takes_of_other_durations_are_heard_whole_where_they_cannot_be_aligned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "voxgate.harness.report.listening.moments._along_the_path", lambda chosen: None
    )

    (moment,) = found(against_golden(rising(500.0, seconds=0.7)))

    assert (moment.old_s, moment.new_s) == (None, None)
    assert "durations differ" in moment.why


def speaking(name: str) -> tuple[Take, ...]:
    """nfe=8 is another voice than before in u06 alone; of the others u01 alone was kept."""
    if name not in ("u01", "u06"):
        return ()
    now = louder_at(0.5) if name == "u06" else rising(500.0)
    return (
        take("golden", rising(700.0)),
        take("current", rising(700.0)),
        take("previous", rising(500.0), "nfe-8"),
        take("current", now, "nfe-8"),
    )


def test_a_page_opens_with_the_red_cell_in_its_worst_utterance(tmp_path: Path) -> None:
    of = one_broken(tmp_path)
    cells = of.judgement.cells

    made = run_player(of.run, speaking, first=heard_first(cells), wanted=red_cells(cells))

    assert made.data["first"] == {"utterance": "u06", "when": "current", "cell": "nfe-8"}
    assert made.moment("nfe=8") == 0
    assert made.moments[0].utterance == "u06"
    assert made.moment("of no run") is None


def test_a_page_without_a_red_cell_opens_with_what_changed_most(tmp_path: Path) -> None:
    of = passed(tmp_path)

    made = run_player(of.run, speaking, wanted=red_cells(of.judgement.cells))

    assert red_cells(of.judgement.cells) == {}
    assert made.data["first"] == {"utterance": "u06", "when": "current", "cell": "nfe-8"}


def test_the_worst_utterances_of_every_red_cell_stand_first(tmp_path: Path) -> None:
    of = one_broken(tmp_path)
    red = next(cell for cell in of.judgement.cells if cell.cell == "nfe-8")
    slower = replace(red, cell="nfe-4", metrics=())

    assert red_cells([slower, red]) == {"nfe-8": ("u06",), "nfe-4": ()}
    assert heard_first([slower, red]) == ("u06",)


def test_the_pair_of_the_red_cell_is_drawn_with_its_axes(tmp_path: Path) -> None:
    png = pair_png(one_broken(tmp_path), speaking)

    assert png is not None
    with Image.open(io.BytesIO(png)) as image:
        assert image.width == round(module.WIDTH_IN * module.DOTS_PER_IN)
        assert 300 < image.height < 700
        assert 10 < len(image.getcolors() or ()) <= module.COLOURS
    assert len(png) < 200_000


def test_nothing_is_drawn_where_nothing_is_red_or_the_audio_is_as_before(tmp_path: Path) -> None:
    assert pair_png(passed(tmp_path / "1"), speaking) is None
    assert pair_png(one_broken(tmp_path / "2"), lambda name: speaking("u01")) is None
    assert pair_png(one_broken(tmp_path / "3"), lambda name: ()) is None


def test_a_speed_that_regressed_shows_what_changed_all_the_same(tmp_path: Path) -> None:
    pair = worst_pair(regressed(tmp_path), lambda name: speaking("u06"))

    assert pair is not None
    assert (pair.moment.cell, pair.moment.old_name) == ("nfe-8", "previous")


def test_a_name_from_outside_is_no_formula_and_a_letter_without_a_glyph_no_error(
    tmp_path: Path,
) -> None:
    pair = worst_pair(one_broken(tmp_path), speaking)
    assert pair is not None
    strange = replace(pair.moment, label="$\\frac{1}", text=f"\x1b漢字 {HOSTILE}")

    assert draw(replace(pair, moment=strange)).startswith(b"\x89PNG")


def test_the_moment_is_plain_data() -> None:
    (moment,) = found(against_golden(louder_at(0.7)))

    assert isinstance(moment, Moment)
    assert type(moment.new_s) is float


class Heard:
    """Places words without a network, and counts the takes."""

    def __init__(self) -> None:
        self.takes = 0

    def __call__(self, sound: KeptAudio, request: Request) -> tuple[PlacedWord, ...]:
        self.takes += 1
        halves = [(0.0, 0.5, "first"), (0.5, sound.duration_s, "second")]
        return tuple(PlacedWord(word=w, start_s=a, end_s=b) for a, b, w in halves)


def test_words_are_placed_in_both_takes_of_the_red_cell_and_the_moment_names_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, of = Heard(), one_broken(tmp_path)
    monkeypatch.setattr("voxgate.harness.report.listening.words.placed_words", heard)
    said = {"u06": HeardText(text="text u06", recogniser="tiny.en")}
    red = red_cells(of.judgement.cells)

    deaf = run_player(of.run, speaking, 300_000, ("u06",), red)
    assert heard.takes == 0, "nobody recognised words in that run, so it may be without Whisper"
    none = "no words were recognised in this run"
    assert [seen.words_missing for seen in deaf.views[0].voices] == ["", "", none, none]
    assert not deaf.has_words
    made = run_player(replace(of.run, heard={"nfe-8": said}), speaking, 300_000, ("u06",), red)

    assert heard.takes == 2
    assert made.moments[0].why == f"{deaf.moments[0].why}, in “second”"
    voices = made.views[0].voices
    assert [len(seen.words) for seen in voices] == [0, 0, 2, 2]
    assert [seen.words_missing for seen in voices] == [""] * 4


def test_without_the_recogniser_there_are_no_words_but_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    words._recognizer.cache_clear()
    sound = KeptAudio(frames=rising(500.0), rate_hz=RATE_HZ)

    found = words.placed_words(sound, Request(id="u01", text="Some text.", language="xx"))
    words._recognizer.cache_clear()

    assert isinstance(found, Missing)


def test_the_first_utterances_are_lossless_and_hold_all_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player, "MOST_CELLS", 1)
    rng = np.random.default_rng(0)
    loud = {name: rng.normal(0.0, 0.1, RATE_HZ // 2) for name in ("nfe-32", "nfe-8")}

    def noisy(name: str) -> tuple[Take, ...]:
        return tuple(take("current", frames, cell) for cell, frames in loud.items())

    made = run_player(good_run(), noisy, 120_000)

    cells = [len(seen.voices) for seen in made.views]
    assert cells == [2, *[1] * (len(cells) - 1)]
    kept = [seen.lossless for seen in made.views]
    assert kept == sorted(kept, reverse=True), "what is heard first is not compressed"
    assert made.compressed == kept.count(False)


def test_pitch_is_drawn_of_what_changed_alone(tmp_path: Path) -> None:
    made = run_player(one_broken(tmp_path).run, speaking, 400_000, ("u06", "u01"))

    changed, same = made.views[:2]
    traced = [[len(seen.pitch.f0_hz) for seen in spoken.voices] for spoken in (changed, same)]
    assert traced[0][2:] == [100, 100], "every 10 ms of a second"
    assert traced[1] == [0, 100, 0, 100], "of the reference cell's and what is held against it"


def test_a_pitch_that_cannot_be_found_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "voxgate.harness.audio.pitch.track", lambda recording: not_installed("swift-f0")
    )
    takes = take("golden", rising(500.0)), take("current", rising(600.0))
    spoken = utterance(Request(id="u01", text="Some text."), takes, EmbeddedAssets(0))

    found = [seen.pitch for seen in view(spoken, "nfe-32", EmbeddedAssets(0)).voices]

    assert [each.f0_hz for each in found] == [(), ()]
    assert {each.missing for each in found} == {not_installed("swift-f0").reason}


@pytest.mark.parametrize("marked", [True, False])
def test_what_detectors_did_not_find_is_said_and_what_nobody_sought_too(marked: bool) -> None:
    short = rising(500.0) if marked else rising(500.0)[:100]
    assets = EmbeddedAssets(0)
    takes = (take("golden", short), take("current", short))
    spoken = utterance(Request(id="u01", text="Some text."), takes, assets)
    seen = view(spoken, "nfe-32", assets)
    monkey = replace(seen, voices=tuple(replace(v, marks=Marks()) for v in seen.voices))

    text = line(monkey if marked else seen, LABELS, "nfe-32").faults

    if marked:
        assert text == "the detectors found none"
    else:
        assert "no clicks looked for: 0.006 s is too short" in text


def test_the_button_is_found_by_any_form_of_a_cell_and_says_where_nothing_changed(
    tmp_path: Path,
) -> None:
    of = one_broken(tmp_path)
    shown = run_page(record_of(of, speaking, {"previous": "accepted"}))
    button = templates().get_template("player.html").module.hear_button  # type: ignore[attr-defined]
    reference, red = shown.cells

    for form in (red, red.cell, of.judgement.cells[1], "nfe=8"):
        assert 'data-hear="0" hidden>Hear old, then new</button>' in button(shown, form)
        assert "(old: accepted)" in button(shown, form)
    assert "Sounds the same as golden: the audio did not change." in button(shown, reference)
    assert str(button(shown, "of no run")).strip() == ""
    assert shown.record.player is not None
    assert shown.record.player.older == "accepted"
    mute = replace(shown, record=replace(shown.record, player=None))
    assert str(button(mute, red)).strip() == ""
    beside = [("Listen", "listen-2.html"), ("no blind test", "")]
    of_site = replace(mute, record=replace(mute.record, links=beside))
    assert 'href="listen-2.html#c=nfe%3D8">Hear old and new</a>' in button(of_site, red)
    assert 'href="listen-2.html#c=nfe%3D32">' in button(of_site, reference)


def test_the_old_voices_are_those_of_the_accepted_run_if_it_is_still_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = [f"2026-11-2{day}T00:00:00+00:00" for day in range(3)]
    folders = [
        write_run(tmp_path / f"runs/000{n}", {32: lambda name: rising(500.0)}, created)
        for n, created in enumerate(times)
    ]
    (tmp_path / "runs/0009").mkdir()
    (tmp_path / "runs/0009/run.json").write_text(f'{{"created": "{times[1]}"}}')
    accepted = SimpleNamespace(quality=SimpleNamespace(created=times[1]))
    monkeypatch.setattr(page_module, "load_baseline", lambda *where: accepted)
    monkeypatch.setattr(page_module, "check_audio", lambda run: None)

    last, own = load_run(folders[2]), load_run(folders[1])

    assert page_module.accepted_folder(last, tmp_path / "baselines") == folders[1]
    assert page_module.accepted_folder(own, tmp_path / "baselines") is None
    takes_of, names = page_module.voices_of(last, tmp_path / "baselines")
    assert [each.when for each in takes_of("u01")] == ["golden", "previous", "current"]
    assert names["previous"] == "accepted"
    takes_of, names = page_module.voices_of(last, tmp_path / "baselines", folders[0])
    assert (takes_of("u01")[1].when, names["previous"]) == ("previous", "base")

    def exchanged(run: object) -> None:
        raise HarnessError("this is not the audio that was measured")

    monkeypatch.setattr(page_module, "check_audio", exchanged)
    assert page_module.accepted_folder(last, tmp_path / "baselines") is None
