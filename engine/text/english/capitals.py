"""
Decide which words are spelt and which are said.

The lists hold what no rule can know. For the rest in capitals: two letters are spelt; three are
spelt unless they are an everyday word that is stressed ("NOT"); four and more are said if English
could have such a word, else spelt ("DARPA", but "JSON": no word begins with js).
In a shouted sentence ("TELL US NOW") capitals mean nothing: only what is never a word is spelt.
"""

import re
from functools import lru_cache

from voxgate.engine.text.english.letter_to_sound import spell
from voxgate.engine.text.english.lexicon import load_lexicon
from voxgate.engine.text.english.pronounce import CACHED_WORDS, INTERJECTIONS, look_up
from voxgate.engine.text.english.word_tables import words_of

SAID = frozenset(
    words_of(
        "ajax arm asean aids awol bafta basic bios cad cam captcha cat cobol covid crud darpa dos "
        "erisa fema fiat fifa fomo gif gnome ikea imax isis jeep lan laser mac maga map mers "
        "mensa moma nafta nasa nascar nasdaq nato nerf nimby opec osha pet pin posix potus radar "
        "ram risc rom saas paas iaas sars scotus scuba sim snafu soap sonar spam swat taser tiff "
        "uefa unesco unicef wan wifi yaml yolo zip"
    )
)
"""Acronyms that are said as words, though short or hard to say."""
SPELT = frozenset(
    words_of(
        "aarp abs aclu adhd adsl afaik ai aka ama aoc api asa asap asmr asr aws ceo cfo cia cio "
        "cli cmo coo crm csv cto dea diy dob doj eec eeg efl eod eoe epa erp esg eta etf eu eur "
        "faa faq fyi gcp gdp gmo gui hiv https iaea icu ide idk ieee iirc imf imho imo ios iot "
        "ipa ipo ipv iq irs isa isbn iso isp iud ivf json kpi lol lte mit ncaa mps mri naacp nba "
        "ngo nlp npm nsa nyc ocd oecd oed oem omg opm ota plo poc pov ppe pta ptsd roi rsvp sdk "
        "sec seo sfo sla sms sos ssd suv svg tba tbd tsa tts uae uav ucla udp ufo ui uk uno uri "
        "url usa usaf usb usd usda ussr utf uuid ux vfx vip vpn wtf xml yoy"
    )
)
"""Initialisms that a rule, or the dictionary, would take for words; no words in small letters."""
SPELT_CAPITALS = frozenset(words_of("act ad arc ed ira it la led mit os pa sap sat un us who"))
"""Likewise, but words too: they are spelt in capitals only, and in no shouted sentence."""
EVERYDAY = frozenset(
    words_of(
        "am an as at be by do go ha he hi if in is me my no of oh on or so to up we age ago aim "
        "air all and any are ask ate bad bag bar bed bet big bit box boy bug bus but buy bye can "
        "car cry cup cut dad day did die dog don dry due ear eat egg end eye far fat few fit fix "
        "fly for fun gas get god got gun guy had has hat her hey him his hit hot how huh ice ill "
        "its job joy key kid law lay leg let lie lot low mad man may men met mix mom mud new nor "
        "not now nut odd off old one our out own pay per put ran raw red rid run sad say sea see "
        "set sex she shy sin sir sit six sky son sum sun tax tea ten the tie too top toy try two "
        "ugh use war was way wet why win won wow yes yet you yum zoo"
    )
)
"""Words of two and three letters that people stress with capitals."""
RESPELT = {
    "ascii": "askey", "jpeg": "jay peg", "mpeg": "em peg", "macos": "mac OS", "ipados": "I pad OS",
    "mysql": "my SQL", "sqlite": "SQL lite", "regexp": "reg exp", "nvidia": "envidia",
    "qwerty": "kwerty", "xmas": "christmas", "tzar": "tsar", "xterm": "X term", "nth": "enth",
    "ankh": "ank", "pwned": "poned", "youtube": "you tube", "github": "git hub",
    "phds": "PHD's", "stdout": "standard out", "stdin": "standard in", "usr": "user",
}  # fmt: skip
"""Words that the dictionary spells or mangles, in words that it says right."""
ONSETS = (
    "b|bl|br|c|ch|chr|cl|cr|d|dr|dw|f|fl|fr|g|gh|gl|gn|gr|h|j|k|kh|kl|kn|kr|l|m|n|p|ph|phl|pl|pr|ps|"
    "qu|r|rh|s|sc|sch|scr|sh|shr|sk|sl|sm|sn|sp|sph|spl|spr|squ|st|str|sw|t|th|thr|tr|tw|v|w|wh|wr|"
    "x|y|z"
)
CODAS = (
    "b|bs|c|ch|ck|ct|cts|d|ds|f|ff|ft|g|gs|gh|ght|h|k|ks|l|lb|ld|lf|lk|ll|lls|lm|ln|lp|ls|lt|lth|m|"
    "mb|mp|mps|ms|n|nc|nch|nd|nds|ng|ngs|nk|nks|ns|nt|nts|nth|p|ps|pt|ph|r|rb|rc|rch|rd|rds|rf|rg|"
    "rk|rks|rl|rm|rms|rn|rns|rp|rps|rs|rsh|rst|rt|rth|rts|s|sh|sk|sm|sp|ss|st|sts|t|tch|th|ts|tt|w|"
    "wn|x|y|z|zz"
)
VOWELS = "(?!aa|ii|uu)[aeiouy]{1,2}"
SAYABLE = re.compile(
    rf"(?:{ONSETS})?{VOWELS}(?:(?=[^aeiou])(?:{CODAS})?(?:{ONSETS})?{VOWELS})*(?:{CODAS})?"
)
MAX_SPELT_LETTERS = 5  # longer words in capitals are said if they can be


@lru_cache(maxsize=CACHED_WORDS)
def spoken_form(word: str, *, shouted: bool = False) -> str:
    """
    Return a word of letters as it is spoken: in small letters if said, in capitals if spelt.

    A few are returned as several words ("jay peg").
    """
    small = word.lower()
    if small in RESPELT:
        return RESPELT[small]
    if word in ("a", "A", "I", "i"):
        return "A" if word == "A" else small
    if len(word) == 1:
        return word.upper()
    capitals = word.isupper() and not shouted
    spelt = _is_spelt(small) if capitals else is_never_word(small)
    return small.upper() if spelt else small


def _is_spelt(word: str) -> bool:
    """Return whether a word that stands in capitals is spelt."""
    if word in SAID or word in EVERYDAY:
        return False
    if word in SPELT or word in SPELT_CAPITALS or len(word) == 2:
        return True
    if len(word) == 3:
        return True
    return is_never_word(word) or (len(word) <= MAX_SPELT_LETTERS and not _is_sayable(word))


def _is_sayable(word: str) -> bool:
    return look_up(word) is not None or bool(SAYABLE.fullmatch(word))


@lru_cache(maxsize=CACHED_WORDS)
def is_never_word(word: str) -> bool:
    """Return whether a word is spelt in small letters too: "json", "html", "xkcd"."""
    if word in INTERJECTIONS or word in SAID:
        return False
    if word in SPELT:
        return True
    known = load_lexicon().words.get(word)
    if known is not None:
        return known == spell(word)
    return look_up(word) is None and len(word) < 12 and not re.search("[aeiouy]", word)


def is_ordinary(word: str) -> bool:
    """Return whether a word in capitals would be a word in small letters too."""
    small = word.lower()
    if len(small) < 4 and small not in EVERYDAY:
        return False
    return not (is_never_word(small) or small in SAID or small in SPELT_CAPITALS)
