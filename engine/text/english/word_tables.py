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
    "Mon": "monday", "Tue": "tuesday", "Wed": "wednesday", "Thu": "thursday", "Fri": "friday",
    "Sat": "saturday", "Sun": "sunday",
}  # fmt: skip
WEEKDAY_PATTERN = (
    "(?:Mon|Tues?|Wed|Thurs?|Thur|Fri|Sat|Sun)(?:(?<=.{3})(?:day|nesday|sday|rsday|urday))?"
)
CURRENCIES = {
    "$": ("dollar", "cent"), "£": ("pound", "pence"), "€": ("euro", "cent"), "¥": ("yen", "sen"),
    "₹": ("rupee", "paise"), "₽": ("ruble", "kopeck"), "₩": ("won", ""), "₺": ("lira", ""),
    "₿": ("bitcoin", ""), "₫": ("dong", ""), "₴": ("hryvnia", ""), "₦": ("naira", ""),
    "₪": ("shekel", ""), "฿": ("baht", ""), "₱": ("peso", "centavo"), "₸": ("tenge", ""),
    "₾": ("lari", ""), "₼": ("manat", ""), "₵": ("cedi", ""), "₭": ("kip", ""), "₮": ("tugrik", ""),
}  # fmt: skip
DOLLARS = {
    "US$": "US dollar", "A$": "australian dollar", "AU$": "australian dollar",
    "C$": "canadian dollar", "CA$": "canadian dollar", "NZ$": "new zealand dollar",
    "HK$": "hong kong dollar", "S$": "singapore dollar", "R$": "real", "MX$": "mexican peso",
}  # fmt: skip
CODES = {
    "USD": ("US dollar", "cent"), "EUR": ("euro", "cent"), "GBP": ("pound", "pence"),
    "JPY": ("yen", ""), "CHF": ("swiss franc", "centime"), "CAD": ("canadian dollar", "cent"),
    "AUD": ("australian dollar", "cent"), "NZD": ("new zealand dollar", "cent"),
    "CNY": ("yuan", ""), "RMB": ("yuan", ""), "INR": ("rupee", "paise"), "Rs": ("rupee", "paise"),
    "RUB": ("ruble", "kopeck"), "KRW": ("won", ""), "TRY": ("lira", ""), "BRL": ("real", ""),
    "MXN": ("mexican peso", "centavo"), "SEK": ("swedish krona", ""),
    "NOK": ("norwegian krone", ""),
    "DKK": ("danish krone", ""), "PLN": ("zloty", ""), "CZK": ("czech crown", ""),
    "ZAR": ("rand", ""), "BTC": ("bitcoin", ""), "ETH": ("ether", ""),
    "SGD": ("singapore dollar", "cent"),
    "HKD": ("hong kong dollar", "cent"), "ARS": ("argentine peso", "centavo"),
    "COP": ("colombian peso", "centavo"),
}  # fmt: skip
PERIODS = {
    "month": "month", "mo": "month", "year": "year", "yr": "year", "day": "day", "week": "week",
    "wk": "week", "hour": "hour", "hr": "hour", "h": "hour", "s": "second", "sec": "second",
    "min": "minute", "minute": "minute", "second": "second", "night": "night", "person": "person",
    "user": "user", "unit": "unit", "piece": "piece", "pc": "piece", "each": "piece",
    "kg": "kilogram",
    "lb": "pound", "oz": "ounce", "gal": "gallon", "gallon": "gallon", "liter": "liter",
    "seat": "seat", "page": "page",
}  # fmt: skip
UNCHANGED_PLURALS = frozenset(
    "yen sen pence paise hertz celsius won lira bitcoin dong hryvnia naira baht tenge lari manat "
    "kip tugrik yuan rand ether siemens lux".split()
) | {"swedish krona"}  # fmt: skip
MAGNITUDES = {
    "k": "thousand",
    "m": "million",
    "mn": "million",
    "bn": "billion",
    "tn": "trillion",
    "t": "trillion",
    "b": "billion",
}
UNITS = {
    "km": "kilometer", "cm": "centimeter", "mm": "millimeter", "m": "meter", "mi": "mile",
    "ft": "foot", "yd": "yard", "nm": "nanometer", "dm": "decimeter", "sqft": "square foot",
    "sq ft": "square foot", "kg": "kilogram", "g": "gram", "mg": "milligram", "lb": "pound",
    "lbs": "pound", "oz": "ounce", "l": "liter", "L": "liter", "ml": "milliliter",
    "mL": "milliliter", "cl": "centiliter", "dl": "deciliter", "gal": "gallon", "ha": "hectare",
    "KB": "kilobyte", "kB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte",
    "PB": "petabyte", "KiB": "kibibyte", "MiB": "mebibyte", "GiB": "gibibyte", "TiB": "tebibyte",
    "kbps": "kilobit per second", "Kbps": "kilobit per second", "Mbps": "megabit per second",
    "Gbps": "gigabit per second", "MBps": "megabyte per second", "kbit": "kilobit",
    "Mbit": "megabit",
    "Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz", "dB": "decibel",
    "ms": "millisecond", "ns": "nanosecond", "min": "minute", "mins": "minute", "sec": "second",
    "secs": "second", "s": "second", "h": "hour", "hr": "hour", "hrs": "hour", "yrs": "year",
    "kW": "kilowatt", "kWh": "kilowatt hour", "MWh": "megawatt hour", "MW": "megawatt",
    "GW": "gigawatt", "mW": "milliwatt", "Wh": "watt hour", "W": "watt", "V": "volt",
    "kV": "kilovolt", "mV": "millivolt", "mA": "milliamp", "Ah": "amp hour", "mAh": "milliamp hour",
    "Pa": "pascal", "hPa": "hectopascal", "kPa": "kilopascal", "MPa": "megapascal", "psi": "P S I",
    "kJ": "kilojoule", "kcal": "kilocalorie", "Nm": "newton meter", "lm": "lumen", "lx": "lux",
    "mph": "mile per hour", "kph": "kilometer per hour", "km/h": "kilometer per hour",
    "kmh": "kilometer per hour", "fps": "frame per second", "rpm": "revolution per minute",
    "bpm": "beat per minute", "dpi": "dot per inch", "ppm": "part per million",
    "px": "pixel", "pt": "point", "\u00b5m": "micrometer", "\u00b5s": "microsecond",
    "\u00b5g": "microgram", "\u00b5l": "microliter", "\u00b5L": "microliter",
    "\u00b5A": "microamp", "\u00b5V": "microvolt", "\u00b5F": "microfarad", "\u03a9": "ohm",
    "k\u03a9": "kilohm", "M\u03a9": "megohm", "nF": "nanofarad", "pF": "picofarad",
    "sq m": "square meter", "sq km": "square kilometer", "sq mi": "square mile", "tsp": "teaspoon",
    "tbsp": "tablespoon",
}  # fmt: skip
DOTTED_UNITS = {
    "min": "minute", "mins": "minute", "sec": "second", "secs": "second", "hr": "hour",
    "hrs": "hour", "ft": "foot", "in": "inch", "yd": "yard", "yds": "yard", "mi": "mile",
    "lb": "pound", "lbs": "pound", "oz": "ounce", "yr": "year", "yrs": "year", "mo": "month",
    "mos": "month", "wk": "week", "wks": "week", "gal": "gallon", "tsp": "teaspoon",
    "tbsp": "tablespoon", "pt": "pint", "qt": "quart", "km": "kilometer", "cm": "centimeter",
    "kg": "kilogram", "mm": "millimeter", "cu": "cubic", "sq": "square",
}  # fmt: skip
DENOMINATORS = {2: "half", 4: "quarter"}
SPOKEN_DENOMINATORS = frozenset({2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 20, 32, 50, 64, 100})
TITLES = {
    "mr": "mister", "mrs": "missus", "ms": "miz", "prof": "professor", "gen": "general",
    "capt": "captain", "col": "colonel", "cmdr": "commander", "maj": "major", "adm": "admiral",
    "lt": "lieutenant", "sgt": "sergeant", "cpl": "corporal", "pvt": "private", "rev": "reverend",
    "hon": "honorable", "sen": "senator", "rep": "representative", "gov": "governor",
    "pres": "president", "mt": "mount", "messrs": "messieurs", "fr": "father",
    "supt": "superintendent",
}  # fmt: skip
TAILS = {
    "etc": "et cetera", "jr": "junior", "sr": "senior", "inc": "incorporated", "ltd": "limited",
    "corp": "corporation", "co": "company", "ave": "avenue", "rd": "road", "blvd": "boulevard",
    "dept": "department", "approx": "approximately", "vs": "versus", "govt": "government",
    "misc": "miscellaneous", "tel": "telephone", "bros": "brothers", "univ": "university",
    "esq": "esquire", "assn": "association", "temp": "temperature", "max": "maximum",
    "avg": "average", "hwy": "highway", "pkwy": "parkway", "mgr": "manager",
    "intl": "international",
    "natl": "national", "dist": "district", "incl": "including", "excl": "excluding",
}  # fmt: skip
BEFORE_NUMBERS = {
    "fig": "figure", "figs": "figures", "vol": "volume", "vols": "volumes", "ch": "chapter",
    "chap": "chapter", "eq": "equation", "eqs": "equations", "sec": "section", "art": "article",
    "ext": "extension", "apt": "apartment", "ste": "suite", "rm": "room", "min": "minimum",
    "max": "maximum", "approx": "approximately", "tab": "table", "ver": "version", "pt": "part",
    "avg": "average", "par": "paragraph", "ed": "edition", "est": "estimated",
    "temp": "temperature",
}  # fmt: skip
ADDRESS_SIGNS = {
    ".": " dot ", "/": " slash ", "-": " dash ", "_": " underscore ", "@": " at ", ":": " colon ",
    "?": " "
        "question mark ",
    "=": " equals ", "&": " and ", "#": " hash ", "+": " plus ", "%": " percent ", "~": " tilde ",
}  # fmt: skip
TOP_LEVEL = (
    "com|org|net|edu|gov|io|ai|dev|app|info|co|uk|de|eu|fr|tv|me|us|ca|au|cards|site|online|xyz|blog|"
    "shop|store|cloud|tech|news|wiki|page|link|live|world|ly|gg|ch|nl|se|jp|cn|nz|biz|mobi|museum"
)
SIGNS = {
    "&": " and ", "+": " plus ", "=": " equals ", "@": " at ", "#": " hash ", "%": " percent ",
    "/": " slash ", "\\": " backslash ", "\u00b0": " degrees ", "$": " dollars ",
    "\u00a3": " pounds ", "\u20ac": " euros ", "\u00a5": " yen ", "\u00a2": " cents ",
    "^": " caret ", "~": " tilde ", "<": " less than ", ">": " greater than ", "\u00b5": " micro ",
    "\u03a9": " omega ", "\u221a": " square root of ", "\u00a7": " section ",
}  # fmt: skip
SIGNS |= {sign: f" {unit} " for sign, (unit, _) in CURRENCIES.items() if sign not in SIGNS}
