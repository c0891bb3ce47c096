"""
A corpus: the recordings of a folder, each with its text and, where asked for, the recording that it
is compared with.

Walks the folder, pairs names and reads headers of audio files; scores nothing. A stranger's folder
is data: links that lead out of it, and whatever is no regular file, are left out and named.
"""

import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from voxgate.harness.audio.files import AudioHeader, header_of
from voxgate.harness.corpora.texts import (
    NO_SOURCE,
    SUFFIXES,
    TAKE,
    CorpusText,
    TextSource,
    find_list,
    read_beside,
    read_list,
)
from voxgate.harness.errors import HarnessError, one_line
from voxgate.harness.models.whisper_weights import check_language
from voxgate.harness.records.cell import Request, Workload
from voxgate.harness.records.files import reason
from voxgate.harness.records.measurement import Missing
from voxgate.harness.suite.workload import reading_notices

MOST_RECORDINGS = 20_000
"""Of one folder: with more, the bootstrap of every metric would need gigabytes."""
MOST_FILES = 1_000_000
_Names = Mapping[str, Sequence[str]]
"""The last part of a name -> all names that end in it."""
NO_COUNTERPART = Missing("the folder of references has no recording of it")


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusRecording:
    """
    One recording. `name` is its path in the folder without the suffix; `text` is None where no text
    was found, `header` where the file is no audio; `reference` is None where none is asked for.
    """

    name: str
    path: Path
    text: CorpusText | None
    header: AudioHeader | None
    reference: Path | Missing | None = None

    @property
    def cluster(self) -> str:
        """The key of its cluster."""
        return cluster_key(self.name, "" if self.text is None else self.text.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCorpus:
    """The recordings of one folder, in order of their names, and what of it is not scored."""

    name: str
    folder: Path
    utterances: tuple[CorpusRecording, ...]
    source: TextSource
    unspoken: tuple[str, ...]
    """The ids of the texts that have no recording."""
    left_out: Mapping[str, str]
    """The name of a file that is not read -> why."""
    references: tuple[Path, ...] = ()
    """All recordings of the folder of references."""

    @property
    def origin(self) -> str:
        """The form of the texts, and where they stand."""
        source = self.source
        return f"{source.form}, {shown_name(source.path)}" if source.path else source.form

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know of the audio and the texts."""
        headers = [each.header for each in self.utterances if each.header is not None]
        many = sum(header.channels > 1 for header in headers)
        rates = sorted({header.rate_hz for header in headers})
        notes = [*self.source.notes, *reading_notices(self._workload)]
        if many:
            notes.append(
                f"{many} of {len(headers)} recordings have several channels; their mean is scored"
            )
        if len(rates) > 1:
            notes.append(f"the recordings have {len(rates)} rates: {', '.join(map(str, rates))} Hz")
        return tuple(notes)

    @property
    def _workload(self) -> Workload:
        """The texts as a workload."""
        requests = [
            Request(id=each.name, text=each.text.text, spoken=each.text.spoken)
            for each in self.utterances
            if each.text is not None
        ]
        return Workload(name=self.name, requests=tuple(requests))


@dataclass(slots=True)
class _Walk:
    """The files of a folder: audio by name, the others, and those that are left out."""

    audio: dict[str, Path]
    others: set[Path]
    left_out: dict[str, str]


def check_inputs(voice: Path | None, language: str) -> None:
    """Raise HarnessError for a voice that is no recording, and for an unknown language."""
    check_language(language)
    if voice is not None and header_of(voice) is None:
        raise HarnessError(f"voice {voice} is no recording that can be read; name another")


def load_corpus(
    folder: Path,
    texts: Path | None = None,
    references: Path | None = None,
    otherwise: TextSource = NO_SOURCE,
) -> RecordedCorpus:
    """
    Find the recordings of a folder and pair them with texts and references.

    Texts come from `texts`, else from a list in the folder under a usual name, else from files
    beside the recordings, else they are `otherwise`. Raises HarnessError for a folder without
    recordings, and for texts of which none belongs to one.
    """
    found = _recordings(folder)
    source = _source(folder, found, texts)
    source = otherwise if source is NO_SOURCE else source
    held = {name: source.find(name) for name in found.audio}
    spoken = set(held.values())
    theirs = None if references is None else _recordings(references)
    bases = {} if theirs is None else _by_base(theirs.audio)
    utterances = tuple(
        CorpusRecording(
            name=name,
            path=path,
            text=None if (text := held[name]) is None else source.texts[text],
            header=header_of(path),
            reference=None if theirs is None else _counterpart(name, theirs.audio, bases),
        )
        for name, path in sorted(found.audio.items())
    )
    return RecordedCorpus(
        name=one_line(shown_name(folder.resolve().name)) or "root",
        folder=folder,
        utterances=utterances,
        source=source,
        unspoken=tuple(name for name in source.texts if name not in spoken),
        left_out=found.left_out,
        references=() if theirs is None else tuple(sorted(theirs.audio.values())),
    )


def cluster_key(name: str, text: str) -> str:
    """
    Return the key of the cluster that an utterance belongs to: its text, spaces apart; without a
    text, the last part of its name.
    """
    return " ".join(text.split()) or PurePosixPath(name).name


def shown_name(path: PurePosixPath | Path | str) -> str:
    """Return a path as text; bytes that are no text are escaped."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _source(folder: Path, found: _Walk, texts: Path | None) -> TextSource:
    listed = texts or find_list(folder, found.others)
    if listed is None:
        return read_beside(found.audio, found.others, folder)
    try:
        return read_list(listed, found.audio)
    except HarnessError:
        if texts is not None:
            raise
        beside = read_beside(found.audio, found.others, folder)
        if beside is NO_SOURCE:
            raise
        return beside


def _recordings(folder: Path) -> _Walk:
    """Return the files of a folder that has recordings. Raises HarnessError."""
    walk = _walked(folder)
    if walk.audio:
        return walk
    causes = "".join(f"; {name}: {why}" for name, why in list(walk.left_out.items())[:1])
    raise HarnessError(
        f"{folder} holds no recording ({', '.join(SUFFIXES)}){causes}; name the folder that does"
    )


def _walked(folder: Path) -> _Walk:
    """Sort the files of a folder; links to folders are not followed."""
    if not folder.is_dir():
        raise HarnessError(f"{folder} is no folder; name a folder of recordings, or saved scores")
    root, walk = folder.resolve(), _Walk(audio={}, others=set(), left_out={})
    for count, path in enumerate(_files(folder, walk.left_out), start=1):
        if count > MOST_FILES:
            raise HarnessError(f"{folder} holds more than {MOST_FILES} files; name one below it")
        is_audio = path.suffix.lower() in SUFFIXES
        trouble = _trouble(path, root)
        if not trouble:
            _put(walk, folder, path, is_audio=is_audio)
        elif is_audio:
            walk.left_out[shown_name(path.relative_to(folder))] = trouble
    if len(walk.audio) > MOST_RECORDINGS:
        raise HarnessError(
            f"{folder} holds {len(walk.audio)} recordings; at most {MOST_RECORDINGS} are scored at "
            "once, so name a folder below it"
        )
    return walk


def _put(walk: _Walk, folder: Path, path: Path, *, is_audio: bool) -> None:
    if not is_audio:
        walk.others.add(path)
        return
    whole = shown_name(path.relative_to(folder).as_posix())
    name = whole.removesuffix(path.suffix)
    walk.audio[whole if name in walk.audio else name] = path


def _files(folder: Path, left_out: dict[str, str]) -> Iterator[Path]:
    def note(error: OSError) -> None:
        left_out[shown_name(Path(error.filename).relative_to(folder))] = reason(error)

    for inner, folders, names in os.walk(folder, onerror=note):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        yield from (Path(inner) / name for name in sorted(names) if not name.startswith("."))


def _trouble(path: Path, root: Path) -> str:
    """Return why a file is not read; empty where it is."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return "a name that is not in UTF-8"
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            if not path.resolve().is_relative_to(root):
                return "a link that leads out of the folder"
            mode = path.stat().st_mode
    except (OSError, RuntimeError) as error:
        return f"a link that leads nowhere ({error.__class__.__name__})"
    return "" if stat.S_ISREG(mode) else "no regular file"


def _counterpart(name: str, recordings: Mapping[str, Path], bases: _Names) -> Path | Missing:
    """
    Return the reference of a recording: the one of its path, or the only one of its name, with the
    number of its take or without.
    """
    if name in recordings:
        return recordings[name]
    base = PurePosixPath(name).name
    named = bases.get(base) or bases.get(TAKE.sub("", base)) or []
    if len(named) > 1:
        return Missing(f"the folder of references has {len(named)} recordings called {base}")
    return recordings[named[0]] if named else NO_COUNTERPART


def _by_base(recordings: Collection[str]) -> _Names:
    bases: dict[str, list[str]] = {}
    for name in recordings:
        bases.setdefault(PurePosixPath(name).name, []).append(name)
    return bases
