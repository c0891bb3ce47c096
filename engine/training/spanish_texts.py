"""
The Spanish sentences of the training corpus: generated here, so their licence is ours.

A small grammar with everyday words has the rhythm of real sentences; words from gruut's Spanish
lexicon (package `gruut-lang-es`, MIT) have the sounds that everyday words lack.
The held-out sentences for evaluation are written by hand, in `heldout_es.txt`, and are excluded.
"""

import random
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

PEOPLE = (
    "mi madre|mi padre|la maestra|el médico|nuestra vecina|su hermano|su hermana|el conductor|una "
    "amiga mía|el viejo|la joven|los niños|mi jefe|el cocinero|la abuela|el huésped|la enfermera|"
    "el capitán|la pintora|el cartero|alguien|nadie|toda la familia|el alumno nuevo|la cantante|"
    "el panadero|mi prima|el ingeniero|la escritora|Guillermo|Julia|el rey|la reina|ella|él"
).split("|")
NOUNS = (
    "la casa|el jardín|el coche|el tren|la carta|el libro|la ventana|la puerta|la mesa|la silla|la "
    "cocina|la calle|el río|la montaña|la isla|el puente|la escuela|la oficina|el mercado|el "
    "hospital|la iglesia|la estación|el aeropuerto|el hotel|el pan|la mantequilla|el queso|el "
    "café|la leche|el azúcar|la sal|la manzana|la naranja|el huevo|el pollo|el pescado|el arroz|"
    "la sopa|el plato|la taza|el vaso|el cuchillo|la cuchara|la botella|la caja|la bolsa|la llave|"
    "el teléfono|la pantalla|la cámara|la radio|el cuadro|la canción|la historia|el juego|la "
    "pelota|el equipo|el mapa|el camino|la rueda|el barco|el avión|la bicicleta|el caballo|el "
    "perro|el gato|el pájaro|el árbol|la flor|la hierba|la piedra|el bosque|el lago|el mar|la "
    "playa|el cielo|el sol|la luna|la estrella|la nube|la lluvia|la nieve|el viento|el fuego|el "
    "humo|la lámpara|el reloj|el año|la noche|el invierno|la camisa|el zapato|el sombrero|la "
    "manta|la cama|la pared|el techo|el rincón|el papel|el lápiz|la pregunta|la respuesta|el "
    "problema|la razón|el trabajo|el dinero|la tienda|la reunión|el número|la palabra|la lengua|la "
    "página|la lección|el error|la voz|el ruido|la música|el baile|la cara|la mano|el dedo|el "
    "brazo|la pierna|el pie|la cabeza|el pelo|el ojo|la oreja|la nariz|la boca|el diente|el "
    "corazón|la sangre|el dolor|la salud|el tiempo|la gallina|la lluvia|el yogur|la ayuda|el "
    "payaso|la guitarra|el queso|la cigüeña|el pingüino|la guerra|el jabón|la jirafa|el gigante|la "
    "niña|el otoño|el sueño|la leña|la chaqueta|la noche|el coche|la lechuga|el zumo|la taza|el "
    "calcetín|la cereza|el cine|la ciudad|la paz|la luz|el examen|el taxi|la calle|el valle|el "
    "pollo|la silla|la toalla|la rodilla|el caballo|el yate|la playa|el rayo|la joya|el arroyo"
).split("|")
ADJECTIVES = (
    "grande|verde|azul|triste|alegre|fuerte|débil|dulce|pobre|feliz|amable|difícil|fácil|útil|joven|"
    "gris|inteligente|importante|diferente|enorme|breve|libre|salvaje|elegante|brillante|caliente"
).split("|")
VERBS_PAST = (
    "compró|vendió|encontró|perdió|vio|oyó|hizo|rompió|abrió|cerró|limpió|lavó|pintó|movió|llevó|"
    "trajo|cogió|regaló|guardó|dejó|olvidó|recordó|quiso|necesitó|eligió|cambió|arregló|construyó|"
    "usó|pidió|devolvió|escondió|tiró|recogió|miró|dibujó|esperó|pagó|señaló|midió|llamó|cayó con|"
    "lloró por|leyó|creyó ver|buscó|enseñó|soñó con|rechazó|alcanzó"
).split("|")
VERBS_BASE = (
    "comprar|vender|encontrar|perder|ver|oír|hacer|romper|abrir|cerrar|limpiar|lavar|pintar|mover|"
    "llevar|traer|coger|guardar|dejar|olvidar|recordar|querer|elegir|cambiar|arreglar|construir|usar|"
    "pedir|devolver|esconder|recoger|mirar|buscar|pagar|llamar|enseñar|rechazar|alcanzar|llenar"
).split("|")
PLACES = (
    "en casa|en la cocina|en el jardín|cerca del río|en la estación|sobre la mesa|debajo del "
    "puente|detrás de la casa|al otro lado de la calle|junto al mar|en la ciudad|en el colegio|en "
    "el tercer piso|al lado de la ventana|en las montañas|allí|arriba|fuera|"
    "a la vuelta de la esquina|entre los árboles|delante de la iglesia|"
    "al final del camino|en la playa|en el valle"
).split("|")
TIMES = (
    "ayer|hoy|mañana|anoche|esta mañana|esta tarde|la semana que viene|el año pasado|hace dos días|"
    "el lunes|el martes|el miércoles|el jueves|el viernes|el sábado|el domingo|en enero|en febrero|"
    "en agosto|antes del desayuno|después de comer|a las siete y media|a las nueve menos cuarto|"
    "a medianoche|todo el día|durante una hora|una vez al mes|cada noche|al final|"
    "lo antes posible|por primera vez|una y otra vez|hace mucho tiempo|"
    "al mismo tiempo|en dieciocho minutos"
).split("|")
ADVERBS = (
    "despacio|deprisa|siempre|nunca|a menudo|a veces|apenas|por fin|de repente|quizás|"
    "seguramente|ya|todavía|también"
).split("|")
NUMBERS = (
    "dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|catorce|quince|dieciséis|"
    "diecisiete|dieciocho|diecinueve|veinte|treinta y uno|cuarenta y dos|cincuenta|sesenta y cinco|"
    "setenta|ochenta y ocho|noventa y nueve|cien|mil|quinientos|veintidós"
).split("|")

TEMPLATES = (
    "{who} {did} {thing} {place}.",
    "{who} {did} {num} {word} y {thing} {time}.",
    "{time}, {who} {did} {thing}.",
    "{who} {adv} {did} {thing} de {who}.",
    "{thing} era {adj}, pero {thing} no.",
    "Hay {thing} {adj} {place}, y es {adj}.",
    "Había {num} {word} {adj} {place}.",
    "Creo que {who} va a {do} {thing} {time}.",
    "Tenemos que {do} {thing} antes de que vuelva {who}.",
    "No pudieron {do} {thing} por culpa de {who}.",
    "Si quieres {do} {thing}, {who} estará {adj}.",
    "Por favor, hay que {do} {thing} y {do} {thing}.",
    "Vamos a {do} eso {time}, o {who} {did} {thing}.",
    "Es muy {adj} para {do} {thing} {place}.",
    "{who} dijo que {thing} era {adj} {time}.",
    "Ella tiene {num} {word}, él tiene {num}, y yo ninguno.",
    "Esta {word} es mucho más {adj} que {thing}.",
    "Cuando {who} llegó, {who} {did} {thing}.",
    "No le gusta {thing}, ni {thing}, ni {word}.",
    "Gracias por todo, {who} {adv} {did} {thing}.",
    "Yo no quiero {do} {thing} sin {word}.",
    "Lo siento, no puedo {do} {thing} {time}.",
    "{word}, {word}, {word} y {word}.",
    "{word} {word} {word} {adj}.",
    "{thing} {word} de {word}.",
    "Qué {adj} es {thing}.",
    "Ya {did} {thing}, {adv} {word}.",
)
YES_NO = (
    "¿{did} {who} {thing} {time}?",
    "¿Está {thing} {place}?",
    "¿Quieres {do} {thing}?",
    "¿Puedes {do} {thing} por mí?",
    "¿Era {adj} {thing}?",
    "¿Hay {word} en {thing}?",
    "¿{who} {did} {thing}?",
    "¿Tienes que {do} {word} {time}?",
    "¿Ya {did} {thing}?",
)
WH = (
    "¿Dónde está {thing}?",
    "¿Quién {did} {thing} {time}?",
    "¿Qué {did} {who} {place}?",
    "¿Cuándo vas a {do} {thing}?",
    "¿Por qué {did} {who} {thing}?",
    "¿Cómo se puede {do} {thing}?",
    "¿Cuánto cuesta {thing}?",
)
YES_NO_SHARE = 0.13
WH_SHARE = 0.06
MAX_WORDS = 15


def heldout_key(sentence: str) -> str:
    """Return the words of a sentence alone, so that case and punctuation cannot hide an overlap."""
    return " ".join(re.findall(r"[a-záéíóúüñ]+", sentence.lower()))


def dictionary_words() -> tuple[str, ...]:
    """Return the plain words of gruut's Spanish lexicon, 3 to 11 letters, sorted."""
    import gruut_lang_es

    path = Path(gruut_lang_es.__file__).parent / "lexicon.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT DISTINCT word FROM word_phonemes ORDER BY word")
        return tuple(word for (word,) in rows if re.fullmatch(r"[a-záéíóúüñ]{3,11}", word))


def _fill(template: str, rng: random.Random, words: tuple[str, ...]) -> str:
    lists = {
        "who": PEOPLE, "thing": NOUNS, "adj": ADJECTIVES, "did": VERBS_PAST, "do": VERBS_BASE,
        "place": PLACES, "time": TIMES, "adv": ADVERBS, "num": NUMBERS, "word": words,
    }  # fmt: skip
    text = re.sub(r"\{(\w+)\}", lambda slot: rng.choice(lists[slot.group(1)]), template)
    text = re.sub(r"\b([Dd]e|[Aa]) el\b", lambda m: m[1] + "l", text)
    first = 1 if text[0] == "¿" else 0
    return text[:first] + text[first].upper() + text[first + 1 :]


def training_sentences(
    count: int, seed: int, heldout: frozenset[str]
) -> Iterator[tuple[str, bool]]:
    """
    Yield `count` sentences, the same ones for the same seed, each with whether its pitch rises.

    Args:
        count: number of sentences.
        seed: of the choice of templates and words.
        heldout: keys (`heldout_key`) that are never yielded.
    """
    rng = random.Random(seed)
    words = dictionary_words()
    kinds = ((YES_NO, YES_NO_SHARE), (WH, WH_SHARE), (TEMPLATES, 1 - YES_NO_SHARE - WH_SHARE))
    count_yielded = 0
    while count_yielded < count:
        templates = rng.choices([k for k, _ in kinds], weights=[share for _, share in kinds])[0]
        text = _fill(rng.choice(templates), rng, words)
        if len(text.split()) <= MAX_WORDS and heldout_key(text) not in heldout:
            count_yielded += 1
            yield text, templates is YES_NO
