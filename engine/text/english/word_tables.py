"""
The normaliser's word tables: months, units, money, abbreviations, signs. No code that uses them.
"""


def words_of(line: str) -> tuple[str, ...]:
    """Split a line into words: short tables are easier to read as one line of text."""
    return tuple(line.split())


MONTHS = words_of(
    "january february march april may june july august september october november december"
)
MONTH_OF = {name[:3]: name for name in MONTHS}
MONTH_PATTERN = (
    "(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?"
    "|Dec(?:ember)?)"
)
WEEKDAYS = {
    "Mon": "monday", "Tue": "tuesday", "Tues": "tuesday", "Wed": "wednesday", "Thu": "thursday",
    "Thur": "thursday",
    "Thurs": "thursday", "Fri": "friday",
}  # fmt: skip
CURRENCIES = {
    "$": ("dollar", "cent"), "£": ("pound", "pence"), "€": ("euro", "cent"), "¥": ("yen", "sen"),
}  # fmt: skip
UNCHANGED_PLURALS = frozenset({"yen", "sen", "pence", "hertz", "celsius"})
MAGNITUDES = {"k": "thousand", "m": "million", "mn": "million", "bn": "billion", "b": "billion"}
UNITS = {
    "km": "kilometer", "cm": "centimeter", "mm": "millimeter", "m": "meter", "mi": "mile",
    "ft": "foot", "yd": "yard",
    "kg": "kilogram", "g": "gram", "mg": "milligram", "lb": "pound", "lbs": "pound", "oz": "ounce",
    "l": "liter", "L": "liter",
    "ml": "milliliter", "mL": "milliliter", "KB": "kilobyte", "kB": "kilobyte", "MB": "megabyte",
    "GB": "gigabyte",
    "TB": "terabyte", "Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz",
    "dB": "decibel",
    "ms": "millisecond",
    "min": "minute", "mins": "minute", "sec": "second", "secs": "second", "s": "second",
    "h": "hour", "hr": "hour",
    "hrs": "hour",
    "kW": "kilowatt", "kWh": "kilowatt hour", "W": "watt", "V": "volt",
}  # fmt: skip
DENOMINATORS = {2: "half", 4: "quarter"}
SPOKEN_DENOMINATORS = frozenset({2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 20, 32, 50, 64, 100})
TITLES = {
    "mr": "mister", "mrs": "missus", "ms": "miz", "prof": "professor", "gen": "general",
    "capt": "captain", "col": "colonel",
    "lt": "lieutenant", "sgt": "sergeant", "rev": "reverend", "hon": "honorable", "sen": "senator",
    "rep": "representative",
    "gov": "governor", "pres": "president", "mt": "mount", "messrs": "messieurs",
}  # fmt: skip
TAILS = {
    "etc": "et cetera", "jr": "junior", "sr": "senior", "inc": "incorporated", "ltd": "limited",
    "corp": "corporation",
    "co": "company",
    "ave": "avenue", "rd": "road", "blvd": "boulevard", "dept": "department",
    "approx": "approximately", "vs": "versus",
    "govt": "government", "misc": "miscellaneous", "tel": "telephone", "bros": "brothers",
    "univ": "university",
}  # fmt: skip
ADDRESS_SIGNS = {
    ".": " dot ", "/": " slash ", "-": " dash ", "_": " underscore ", "@": " at ", ":": " colon ",
    "?": " "
        "question mark ",
    "=": " equals ", "&": " and ", "#": " hash ", "+": " plus ", "%": " percent ", "~": " tilde ",
}  # fmt: skip
TOP_LEVEL = "com|org|net|edu|gov|io|ai|dev|app|info|co|uk|de|eu|fr|tv|me|us|ca|au"
SIGNS = {
    "&": " and ", "+": " plus ", "=": " equals ", "@": " at ", "#": " hash ", "%": " percent ",
    "/": " slash ",
    "\\": " backslash ",
    "°": " degrees ", "$": " dollars ", "£": " pounds ", "€": " euros ", "¥": " yen ",
    "¢": " cents ",
}  # fmt: skip
