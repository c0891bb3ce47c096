"""
The Spanish normaliser's word tables: months, units, money, abbreviations, signs. No code that uses
them.
"""

from collections.abc import Mapping


def words_of(line: str) -> tuple[str, ...]:
    """Split a line into words: short tables are easier to read as one line of text."""
    return tuple(line.split())


def pairs_of(lines: str) -> Mapping[str, str]:
    """Return the table of lines "key: value"."""
    split = (line.partition(":") for line in lines.strip().splitlines())
    return {key.strip(): value.strip() for key, _, value in split}


MONTHS = words_of(
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
)
SHORT_MONTHS = {name[:3]: name for name in MONTHS} | {"sept": "septiembre", "set": "septiembre"}
WEEKDAYS = pairs_of("""
lun: lunes
mar: martes
mié: miércoles
mie: miércoles
jue: jueves
vie: viernes
sáb: sábado
sab: sábado
dom: domingo
""")
# sign or code: one, several, a hundredth, hundredths
CURRENCIES = {
    "€": ("euro", "euros", "céntimo", "céntimos"),
    "EUR": ("euro", "euros", "céntimo", "céntimos"),
    "£": ("libra", "libras", "penique", "peniques"),
    "GBP": ("libra", "libras", "penique", "peniques"),
    "¥": ("yen", "yenes", "sen", "sen"),
    "US$": ("dólar", "dólares", "centavo", "centavos"),
    "U$S": ("dólar", "dólares", "centavo", "centavos"),
    "USD": ("dólar", "dólares", "centavo", "centavos"),
    "MXN": ("peso mexicano", "pesos mexicanos", "centavo", "centavos"),
    "ARS": ("peso argentino", "pesos argentinos", "centavo", "centavos"),
    "COP": ("peso colombiano", "pesos colombianos", "centavo", "centavos"),
    "CLP": ("peso chileno", "pesos chilenos", "centavo", "centavos"),
    "peso": ("peso", "pesos", "centavo", "centavos"),
}
# unit: one, several
UNITS = {
    "km": ("kilómetro", "kilómetros"), "cm": ("centímetro", "centímetros"),
    "mm": ("milímetro", "milímetros"), "m": ("metro", "metros"),
    "um": ("micrómetro", "micrómetros"),
    "nm": ("nanómetro", "nanómetros"), "kg": ("kilogramo", "kilogramos"), "g": ("gramo", "gramos"),
    "Kg": ("kilogramo", "kilogramos"), "gr": ("gramo", "gramos"), "mg": ("miligramo", "miligramos"),
    "t": ("tonelada", "toneladas"), "l": ("litro", "litros"), "L": ("litro", "litros"),
    "ml": ("mililitro", "mililitros"), "mL": ("mililitro", "mililitros"),
    "cl": ("centilitro", "centilitros"), "ha": ("hectárea", "hectáreas"),
    "h": ("hora", "horas"), "hs": ("hora", "horas"), "hrs": ("hora", "horas"),
    "min": ("minuto", "minutos"), "s": ("segundo", "segundos"), "seg": ("segundo", "segundos"),
    "ms": ("milisegundo", "milisegundos"), "KB": ("kilobyte", "kilobytes"),
    "kB": ("kilobyte", "kilobytes"), "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"), "TB": ("terabyte", "terabytes"),
    "Hz": ("hercio", "hercios"), "kHz": ("kilohercio", "kilohercios"),
    "MHz": ("megahercio", "megahercios"), "GHz": ("gigahercio", "gigahercios"),
    "dB": ("decibelio", "decibelios"), "W": ("vatio", "vatios"), "kW": ("kilovatio", "kilovatios"),
    "MW": ("megavatio", "megavatios"), "kWh": ("kilovatio hora", "kilovatios hora"),
    "V": ("voltio", "voltios"), "mA": ("miliamperio", "miliamperios"),
    "hab": ("habitante", "habitantes"), "kcal": ("kilocaloría", "kilocalorías"),
    "Mb": ("megabit", "megabits"), "Mbps": ("megabit por segundo", "megabits por segundo"),
    "px": ("píxel", "píxeles"), "CV": ("caballo", "caballos"),
    "mAh": ("miliamperio hora", "miliamperios hora"),
}  # fmt: skip
POWERS = {"²": ("cuadrado", "cuadrados"), "³": ("cúbico", "cúbicos")}
POWERS |= {"2": POWERS["²"], "3": POWERS["³"]}
PER = pairs_of("""
h: por hora
s: por segundo
min: por minuto
mes: por mes
año: por año
día: por día
kg: por kilo
l: por litro
m²: por metro cuadrado
m2: por metro cuadrado
noche: por noche
persona: por persona
""")
DENOMINATORS = {
    2: "medio", 3: "tercio", 4: "cuarto", 5: "quinto", 6: "sexto", 7: "séptimo", 8: "octavo",
    9: "noveno", 10: "décimo", 100: "centésimo", 1000: "milésimo",
}  # fmt: skip
# before a name; their full stop ends no sentence
TITLES = pairs_of("""
sr: señor
sra: señora
srta: señorita
sres: señores
sras: señoras
dr: doctor
dra: doctora
dres: doctores
prof: profesor
profa: profesora
ing: ingeniero
lic: licenciado
arq: arquitecto
excmo: excelentísimo
excma: excelentísima
ilmo: ilustrísimo
ilma: ilustrísima
gral: general
tte: teniente
cnel: coronel
sto: santo
sta: santa
dña: doña
avda: avenida
avd: avenida
av: avenida
pl: plaza
gta: glorieta
rda: ronda
esq: esquina
págs: páginas
cda: cucharada
cdas: cucharadas
cdta: cucharadita
cdtas: cucharaditas
ayto: ayuntamiento
att: a la atención
atte: atentamente
fdo: firmado
ref: referencia
cód: código
rte: remitente
pza: plaza
plza: plaza
ctra: carretera
urb: urbanización
p. ej: por ejemplo
por ej: por ejemplo
aprox: aproximadamente
cf: confróntese
vs: contra
núm: número
núms: números
dpto: departamento
depto: departamento
ntra: nuestra
ntro: nuestro
admón: administración
mons: monseñor
""")
# may end a sentence
TAILS = pairs_of("""
etc: etcétera
ud: usted
uds: ustedes
vd: usted
vds: ustedes
cía: compañía
hnos: hermanos
ltda: limitada
izq: izquierda
izqda: izquierda
izda: izquierda
dcha: derecha
máx: máxima
mín: mínima
""")
# before a number
NUMBERED = pairs_of("""
pág: página
págs: páginas
pp: páginas
p: página
cap: capítulo
caps: capítulos
vol: volumen
vols: volúmenes
fig: figura
figs: figuras
art: artículo
arts: artículos
tel: teléfono
tfno: teléfono
tlf: teléfono
No: número
Nro: número
nro: número
ed: edición
apdo: apartado
km: kilómetro
""")
PLURAL_INITIALS = pairs_of("""
EE UU: estados unidos
FF AA: fuerzas armadas
RR HH: recursos humanos
CC OO: comisiones obreras
JJ OO: juegos olímpicos
CC AA: comunidades autónomas
RR PP: relaciones públicas
SS MM: sus majestades
BS AS: buenos aires
""")
LETTER_BEFORE = frozenset(
    "plan vitamina grupo clase bloque hepatitis letra serie tipo opción apartado zona sala línea "
    "puerta planta segundo primero tercero punto la una anexo categoría".split()
)
KINGS = frozenset(
    "felipe alfonso carlos fernando luis enrique jaime pedro sancho ramiro ordoño bermudo garcía "
    "juan pablo pío benedicto gregorio clemente inocencio urbano león alejandro julio sixto "
    "bonifacio nicolás guillermo jorge eduardo ricardo francisco federico napoleón iván otón "
    "balduino leopoldo alberto harald haakon gustavo adolfo cristián olaf ramsés amenofis tutmosis "
    "ptolomeo darío artajerjes jerjes teodosio constantino filipo manuel sebastián amadeo josé "
    "jacobo carlomagno maximiliano rodolfo víctor manuel humberto alejo miguel".split()
)
QUEENS = frozenset(
    "isabel catalina juana maría cristina margarita ana victoria beatriz cleopatra blanca leonor "
    "urraca berenguela".split()
)
ROMAN_NUMBERED = frozenset(
    "siglo siglos capítulo capítulos tomo volumen acto escena parte título artículo libro fase "
    "tipo grupo grado nivel ley anexo canto sección lección unidad módulo clase".split()
)
ROMAN_COUNTED = frozenset(
    "guerra congreso feria festival edición aniversario encuentro jornada jornadas simposio premio "
    "concurso certamen república cumbre conferencia semana maratón copa torneo milenio dinastía "
    "asamblea internacional división reunión muestra bienal plan concilio reich cruzada campeonato "
    "carrera marcha gala trofeo legislatura".split()
)
ADDRESS_SIGNS = {
    ".": " punto ", "/": " barra ", "-": " guion ", "_": " guion bajo ", "@": " arroba ",
    ":": " dos puntos ", "?": " interrogación ", "=": " igual ", "&": " y ", "#": " almohadilla ",
    "+": " más ", "%": " por ciento ", "~": " virgulilla ",
}  # fmt: skip
TOP_LEVEL = (
    "com|org|net|edu|gob|gov|io|ai|dev|app|info|es|mx|ar|co|cl|pe|uy|ec|eu|fr|de|uk|tv|me|us|cat"
)
SPELT_DOMAINS = frozenset("io ai ar uy ec eu uk tv us mx cl fr de pe".split())
FILE_ENDINGS = (
    "pdf|docx?|xlsx?|pptx?|txt|csv|jpe?g|png|gif|mp[34]|wav|zip|html?|json|xml|py|js|exe|odt|md|svg"
)
SIGNS = {
    "&": " y ", "+": " más ", "=": " igual a ", "@": " arroba ", "#": " almohadilla ",
    "%": " por ciento ", "‰": " por mil ", "/": " barra ", "\\": " barra invertida ",
    "°": " grados ", "º": " ", "ª": " ", "$": " dólares ", "£": " libras ", "€": " euros ",
    "¥": " yenes ", "¢": " centavos ", "<": " menor que ", ">": " mayor que ",
    "≤": " menor o igual que ",
    "≥": " mayor o igual que ", "≠": " distinto de ", "×": " por ", "÷": " entre ",
    "±": " más menos ", "≈": " aproximadamente ", "√": " raíz de ", "²": " al cuadrado ",
    "³": " al cubo ", "§": " sección ", "_": " ", "~": " ", "*": " ", "^": " elevado a ", "`": " ",
}  # fmt: skip
