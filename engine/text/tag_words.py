"""The words of tags, in lower case and without accents, English and Spanish. Data alone."""

ELEMENTS = frozenset(
    """
    speak emphasis break prosody say-as phoneme ssml amazon:effect amazon:breath
    amazon:auto-breaths mstts:express-as mstts:silence google:style
    strong em br hr div span html body
    """.split()
)
"""
Names that make markup of <name> alone, of SSML 1.1, its dialects, and HTML that texts are pasted
with. Others, such as voice, are placeholders unless an attribute or an end tells otherwise.
"""

PERFORMANCE = frozenset(
    """
    slow slower slowly fast faster quickly
    happy happily sad sadly angry angrily excited excitedly cheerful cheerfully calm calmly
    serious seriously nervous nervously scared fearful surprised disgusted sarcastic
    sarcastically neutral monotone robotic playful playfully tired sleepy dramatic dramatically
    whisper whispers whispered whispering shout shouts shouting shouted scream screams screaming
    yell yells yelling laugh laughs laughing laughter chuckle chuckles chuckling giggle giggles
    giggling sigh sighs sighing gasp gasps gasping clears clearing cough coughs coughing sniff
    sniffs sniffle sniffles yawn yawns yawning groan groans groaning cry cries crying sob sobs
    sobbing sing sings singing hum hums humming inhale inhales exhale exhales breath breathe
    breathes breathing pause pauses silence break emphasis emphasise emphasize emphasised
    emphasized loud
    louder loudly soft softer softly quiet quietly applause music slnc emph
    lento lenta despacio lentamente rapido rapida rapidamente deprisa
    feliz felizmente triste tristemente enojado enojada enfadado enfadada emocionado emocionada
    alegre alegremente tranquilo tranquila sereno serena serio seria nervioso nerviosa asustado
    asustada sorprendido sorprendida sarcastico sarcastica neutro dramatico dramatica cansado
    cansada susurro susurros susurra susurrando susurrado grito gritos grita gritando
    risa risas rie ride riendo riendose carcajada suspiro suspiros suspira suspirando jadeo tos tose
    tosiendo bostezo bosteza llanto llora llorando sollozo canta cantando tararea
    inhala exhala respira respiracion pausa pausas silencio enfasis enfatico suave suavemente
    aplausos musica
    """.split()
)
"""How a text is to be performed, and sounds that it is to hold."""

PROPERTIES = frozenset(
    """
    speed rate pitch volume emotion style tone intonation accent voice
    pause silence break emphasis whisper slnc rate pbas pmod volm
    velocidad ritmo tono volumen emocion estilo entonacion acento voz pausa
    silencio enfasis
    """.split()
)
"""What a tag sets to a value."""

MODIFIERS = frozenset(
    """
    very more less a an the and in with short long longer brief deep deeply big little slightly
    voice tone voices sound sounds speaking said says start end begin stop on off ms s sec second
    seconds throat light lightly harder again
    muy mas menos un una y en con corto corta largo larga breve profundo profunda poco
    inicio fin segundo segundos dice diciendo
    """.split()
)
"""Words that stand beside those of a tag, and make none alone."""

PLACES = frozenset(
    """
    british american french english german italian spanish scottish irish indian australian
    argentine mexican colombian rioplatense castilian
    argentino mexicano colombiano espanol castellano porteno andaluz
    """.split()
)
"""Words that make a tag of a property: [British accent]."""
