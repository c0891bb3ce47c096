"""
Gender of the noun after a number, by its ending, and whether a word can be one.

Spanish nouns show their gender in the ending; the tables hold the common exceptions.
"""

MASCULINE = frozenset(
    "día mapa problema tema sistema programa idioma clima planeta poema drama esquema síntoma "
    "diploma fantasma tranvía sofá puma panda aroma carisma cometa dilema dogma enigma lema "
    "panorama pijama prisma telegrama teorema trauma cura guardia policía poeta atleta pirata "
    "gorila koala gramo omega delta avión camión guion guión gorrión embrión bastión escorpión "
    "aluvión anfitrión centurión sarampión ataúd laúd análisis oasis éxtasis énfasis paréntesis "
    "chasis ámbar césped huésped".split()
)
FEMININE = frozenset(
    "mano vez noche tarde clase parte flor mujer calle llave clave ley red pared nube torre fuente "
    "foto moto radio sangre gente serie especie superficie imagen orden virgen base frase fase "
    "leche carne nave ave nieve sede señal sal miel piel cárcel catedral capital sucursal voz luz "
    "cruz paz raíz nariz perdiz nuez hoz codorniz lombriz muerte mente suerte corriente serpiente "
    "pendiente patente variante constante razón sazón labor mar hélice sílaba corte fiebre hambre "
    "catástrofe índole planicie barbarie libido sed merced cuentas postal inicial vocal espiral "
    "sartén crin efigie falange esfinge cólera tos res fe".split()
)
FEMININE_ENDINGS = tuple("ión dad tad tud umbre eza triz dez ñez sis itis ud".split())
NO_NOUNS = frozenset(
    "es más menos después antes los las nos les os tras mas entonces ustedes de del a al y o e u "
    "en por que con sin para se no pero ni como hasta desde ya está están fue fueron era eran "
    "entre según si la lo el un una unos unas su sus mi mis tu tus este esta estos estas ese esa "
    "esos esas son hay ha han le me te además jamás quizás mil millones millón cuando donde "
    "sobre contra punto coma grados izquierda derecha centro exterior interior".split()
)


PLAIN = str.maketrans("áéíóú", "aeiou")


def singular(noun: str) -> str:
    """Return the singular of a noun: without -s, -es, and z or accent as the singular has them."""
    if noun.endswith("ces"):
        return noun[:-3] + "z"
    if noun.endswith(("iones", "zones")):
        return noun[: -len("ones")] + "ón"
    if noun.endswith("enes"):  # imágenes
        return noun[:-2].translate(PLAIN)
    if noun.endswith("es") and len(noun) > 4 and noun[-3] in "dnlrzjy":
        return noun[:-2]
    return noun[:-1] if noun.endswith("s") and not noun.endswith(("sis", "tis")) else noun


def is_feminine(noun: str) -> bool:
    """Whether a noun, in lower case, singular or plural, is feminine."""
    one = singular(noun)
    if one in FEMININE:
        return True
    if one in MASCULINE or one.endswith(("ista", "nauta", "grama")):
        return False
    return one.endswith(("a", *FEMININE_ENDINGS))


def counted_noun(following: str, count: str) -> str | None:
    """
    Return the noun that a number counts, None if the next word cannot be one.

    following: the text after the number. count: its digits; but for 1 the noun is a plural.
    """
    word = following.split(maxsplit=1)[0] if following[:1].isspace() and following.strip() else ""
    word = word.strip(".,;:!?()\"'")
    if not word.isalpha() or not word.islower() or word in NO_NOUNS:
        return None
    if word == "veces":
        return word
    return word if count == "1" or word.endswith("s") else None
