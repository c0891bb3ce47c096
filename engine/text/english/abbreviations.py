"""
Abbreviations in full, and whether their full stop also ends the sentence.

After a title it never does. After the others it does at the end of the text and before a word that
no name begins with ("in the U.S. He left", but "the U.S. Army").
"""

import re
from re import Match

from voxgate.engine.text.english.rules import (
    Rule,
    may_start_sentence,
    rule,
    starts_sentence,
    stop,
)
from voxgate.engine.text.english.word_tables import (
    BEFORE_NUMBERS,
    TAILS,
    TITLES,
    WEEKDAY_PATTERN,
    WEEKDAYS,
)

LOOSE = frozenset({"etc", "approx", "misc", "tel", "vs"})
"""Not parts of names: any capital after them begins a sentence."""
WARS = {"1": "one", "2": "two", "I": "one", "II": "two", "III": "three"}
SCRIPTURES = (
    "Genesis|Exodus|Leviticus|Numbers|Deuteronomy|Joshua|Judges|Samuel|Kings|Job|Psalms?|Proverbs|"
    "Ecclesiastes|Isaiah|Jeremiah|Ezekiel|Daniel|Matthew|Mark|Luke|John|Acts|Romans|Corinthians|"
    "Galatians|Ephesians|Philippians|Colossians|Timothy|Hebrews|James|Peter|Revelation|Quran|Surah"
)


def _title(match: Match[str]) -> str:
    return TITLES[match["name"].lower()]


def _degree(match: Match[str]) -> str:
    subject = "S C" if match["in"] == "Sc" else match["in"]
    return f"{match['of']} {subject}" + stop(match, starts_sentence(match))


def _pair(match: Match[str]) -> str:
    plural = "'s" if match["s"] else ""
    return f"{' '.join(match['one'])} and {match['other']}{plural}"


def _tail(match: Match[str]) -> str:
    name = match["name"].lower()
    ends = may_start_sentence(match) if name in LOOSE else starts_sentence(match)
    return TAILS[name] + stop(match, ends and name not in {"approx", "vs", "tel"})


def _before_number(match: Match[str]) -> str:
    return BEFORE_NUMBERS[match["name"].lower()]


def _saint_or_street(match: Match[str]) -> str:
    name = match["name"].lower()
    before = match.string[: match.start()].rstrip()[-40:]
    after = match.string[match.end() :].lstrip()
    placed = bool(
        re.search(
            r"(?:\b[A-Z][a-z]+(?:'s)?|\d(?:st|nd|rd|th))$|(?:first|second|third|[a-z]{2,}th)$",
            before,
        )
    )
    named = placed and not (after[:1].isupper() and not starts_sentence(match))
    pair = {"st": ("saint", "street"), "dr": ("doctor", "drive")}[name]
    return pair[named] + (stop(match, starts_sentence(match)) if named else "")


def _initials(match: Match[str]) -> str:
    letters = " ".join(re.findall(r"[A-Za-z]", match.group())).upper()
    return letters + stop(match, starts_sentence(match))


def _initial(match: Match[str]) -> str:
    before = match.string[: match.start()].split()
    named = not before or before[-1][0].isupper()
    return match["letter"] if named else match.group()


def _day(match: Match[str]) -> str:
    return WEEKDAYS[match["day"][:3]] + stop(match, starts_sentence(match))


EARLY: tuple[Rule, ...] = (
    rule(r"\b(?i:e\.\s?g\.|eg\.),?", "for example"),
    rule(r"\b(?i:i\.\s?e\.),?", "that is"),
    rule(r"\b(?i:a\.?k\.?a)\b\.?", "also known as"),
    rule(r"\bcf\.", "compare"),
    rule(r"\bviz\.", "namely"),
    rule(r"\bet al\b\.?(?=\s+[a-z(]|\s*,)", "et al"),
    rule(r"\bWW(?P<number>1|2|I{1,3})\b",
         lambda match: f"world war {WARS[match['number']]}"),
    rule(r"\bAAA\b(?! [A-Z]\b)", "triple A"),
    rule(r"\bAA\b", "double A"),
    rule(r"\b24/7/365\b", "twenty four seven three sixty five"),
    rule(rf"\b(?P<book>{SCRIPTURES}) (?P<chapter>\d{{1,3}}):(?P<verse>\d{{1,3}})\b",
         lambda match: f"{match['book']} {match['chapter']} {match['verse']}"),
    rule(r"\bw/o\b", "without"),
    rule(r"\bw/(?=\s)", "with"),
    rule(r"\bb/c\b", "because"),
    rule(r"\bc/o\b", "care of"),
    rule(r"\ba/c\b", "A C"),
    rule(r"\bN/A\b|\bn/a\b", "N A"),
    rule(r"(?<!\w)'n'?(?!\w)", "and"),
    rule(r"\bC\+\+(?!\w)", "C plus plus"),
    rule(r"\b(?P<letter>[CF])#(?!\w)", lambda match: f"{match['letter']} sharp"),
    rule(r"\b(?P<one>[A-Z]{1,2})&(?P<other>[A-Z])(?P<s>s?)\b",
         _pair),
    rule(r"\b(?i:Nos)\.\s?(?=\d)", "numbers"),
    rule(r"\b[Nn]o\.\s?(?=\d)|\bNo (?=\d+\b(?! (?:[a-z]+s|people|more|or|of)\b))", "number"),
    rule(r"#\s?(?=\d)", "number"),
    rule(r"\bpp\.\s?(?=\d)|\bp\.\s?(?=\d+\s?-\s?\d)", "pages"),
    rule(r"\bp\.\s?(?=\d)", "page"),
    rule(r"\u00a7\u00a7\s?", "sections"),
    rule(r"\u00a7\s?", "section"),
    rule(r"\best\.\s?(?=\d{4})", "established"),
    rule(rf"(?<!\d)(?<!\d )\b(?i:(?P<name>{'|'.join(BEFORE_NUMBERS)}))\.\s?(?=\d|[IVX]+\b)",
         _before_number),
    rule(r"\bP\.(?:P\.)?S\.", lambda match: " ".join(re.findall("[A-Z]", match.group()))),
    rule(r"\b(?P<of>[BMD])\.\s?(?P<in>Sc|Ed|Eng|Phil|Arch|Mus|Tech)\b\.?", _degree),
    rule(r"\bPh\.\s?D\b\.?", lambda match: "P H D" + stop(match, starts_sentence(match))),
    rule(r"\bFt\.(?=\s+[A-Z])", "fort"),
    rule(r"\bc(?:a)?\.\s?(?=\d)", "circa"),
)  # fmt: skip
LATE: tuple[Rule, ...] = (
    rule(rf"\b(?P<first>{WEEKDAY_PATTERN})\.?\s?-\s?(?P<last>{WEEKDAY_PATTERN})\b\.?",
         lambda match: f"{WEEKDAYS[match['first'][:3]]} to {WEEKDAYS[match['last'][:3]]}"),
    rule(rf"\b(?!Sat|Sun)(?P<day>{WEEKDAY_PATTERN})\.(?=[\s,;)]|$)", _day),
    rule(r"\b(?:[A-Za-z]\.){2,}(?:[A-Za-z]\b)?", _initials),
    rule(r"\b(?P<half>[ap])\.m\b", lambda match: f"{match['half'].upper()} M"),
    rule(r"(?<=[a-z])\.(?=[a-z])", "dot"),
    rule(r"(?<=[a-z] )St(?=\s*(?:$|[,;]))", "street"),
    rule(r"(?<![\w.])(?:[A-Z]\.\s+){2,}[A-Z]\.(?!\w)", _initials),
    rule(r"(?:(?<=^)|(?<=[a-z. ] ))(?P<letter>[A-HJ-Z])\.(?=\s+[A-Z])", _initial),
    rule(rf"\b(?P<name>(?i:{'|'.join(TITLES)}))\.(?=\s*[A-Z&])", _title),
    rule(r"\b(?P<name>St|Dr|st|dr)(?:\.|(?= [A-Z]))", _saint_or_street),
    rule(r"\b(?P<name>Mr|Mrs|Ms)\b\.?(?!\w)", _title),
    rule(rf"\b(?P<name>(?i:{'|'.join(TAILS)}))\.", _tail),
    rule(r"\b(?P<name>vs|etc)\b", _tail),
)  # fmt: skip
