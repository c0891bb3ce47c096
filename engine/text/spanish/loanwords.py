"""
Words that are not said as Spanish spelling has it, respelt so that it does.

Most are names and English words of everyday text; the reading is that of a Spanish speaker.
"""


def _pairs(lines: str) -> dict[str, str]:
    words = lines.split()
    return dict(zip(words[::2], words[1::2], strict=True))


RESPELT = _pairs("""
méxico méjico mexicano mejicano mexicana mejicana mexicanos mejicanos mexicanas mejicanas
texas tejas texano tejano texana tejana oaxaca oajaca oaxaqueño oajaqueño ximena jimena
xavier javier quixote quijote mexiquense mejiquense mexica mejica
jazz yas jeans yins jeep yip judo yudo jockey yóquey joystick yóistic jet yet
john yon james yeims george yorch michael máikel peter píter charles charls smith esmiz
shakespeare shéikspir washington uáshinton hollywood jólivud york york new niu harry jarri
whisky uisqui wifi uifi software sóftuer hardware járduer online onláin email imeil
facebook féisbuc youtube yutub google gúguel twitter tuíter whatsapp uásap iphone áifon
instagram ínstagram netflix nétflix windows uindous microsoft máicrosoft android ándroid linux línux
apple ápel amazon ámazon tesla tesla uber úber airbnb erbienbí github guítjab python páiton
marketing márketin ranking ránquin parking parquin camping campin smoking esmoquin
footing futin mitin mitin shopping shopin meeting mitin streaming estrimin
show shou hobby jobi hockey joquey hall jol hámster jámster hip jip hop jop hippie jipi
ballet balé bidet bidé chalet chalé carnet carné gourmet gurmé boutique butic bouquet buqué
croissant cruasán beige beis baguette baguet amateur amater chef chef élite élite
manager mánayer gangster gánster hacker jáquer blog blog link linc click clic
beatles bítels mozart mótsart bach baj wagner bágner einstein áinstain freud froid nietzsche niche
goethe guete beethoven betoven van ban führer fiúrer kindergarten quínderguarten
sáhara sájara hawaiano jawaiano covid cóvid spa espá puzzle pusle
""")
MURMURS = {
    "mm": ("m",), "mmm": ("m", "m"), "hm": ("m",), "hmm": ("m", "m"), "sh": ("s",),
    "shh": ("s", "s"), "pst": ("p", "s", "t"), "psst": ("p", "s", "t"), "brr": ("b", "rr"),
}  # fmt: skip
