"""
The front-end says these sentences as flite 2.2 does: phones printed by `flite -voice slt -psdur`,
stored here.
"""

import pytest

from voxgate.engine.alphabet import PHONES
from voxgate.engine.text.frontend import phonemise

SENTENCES = (
    (
        "The apple on the old table was mine.",
        "dh iy ae p ax l aa n dh iy ow l d t ey b ax l w aa z m ay n",
    ),
    (
        "Where did you put the scissors?",
        "w eh r d ih d y uw p uh t dh ax s ih z er z",
    ),
    (
        "I think that the children will open the window tomorrow.",
        "ay th ih ng k dh ae t dh ax ch ih l d r ax n w ih l ow p ax n dh ax w ih n d ow t ax m aa "
        "r ow",
    ),
    (
        "She has two books, he has three, and I have none.",
        "sh iy hh ae z t uw b uh k s pau hh iy hh ae z th r iy pau ae n d ay hh ae v n ah n",
    ),
    (
        "They're going to use it again and again.",
        "dh ey r g ow ih ng t ax y uw z ih t ax g eh n ae n d ax g eh n",
    ),
    (
        "The use of the record was new to us.",
        "dh ax y uw s ah v dh ax r eh k er d w aa z n uw t ax ah s",
    ),
    (
        "Can you record the church's song for me?",
        "k ae n y uw r ax k ao r d dh ax ch er ch ax z s ao ng f ao r m iy",
    ),
    (
        "We should've known that it'd be late.",
        "w iy sh uh d ax v n ow n dh ae t ih t ax d b iy l ey t",
    ),
    (
        "The dog's dinner costs $5 at 7 o'clock.",
        "dh ax d ao g z d ih n er k aa s t s f ay v d aa l er z ae t s eh v ax n ax k l aa k",
    ),
    (
        "He couldn't remember what the woman said.",
        "hh iy k uh d n t r ih m eh m b er w ah t dh ax w uh m ax n s eh d",
    ),
    (
        "In 1999, it rose by 25% in a week.",
        "ih n n ay n t iy n n ay n t iy n ay n pau ih t r ow z b ay t w eh n t iy f ay v p er s eh "
        "n t ih n ax w iy k",
    ),
    (
        "Please close the door.",
        "p l iy z k l ow z dh ax d ao r",
    ),
    (
        "I read a letter and you will read it, too.",
        "ay r eh d ax l eh t er ae n d y uw w ih l r iy d ih t pau t uw",
    ),
    (
        "The BBC and NASA made a film in the U.S.A.",
        "dh ax b iy b iy s iy ae n d n ae s ax m ey d ax f ih l m ih n dh ax y uw eh s ey",
    ),
    (
        "Don't worry, I've never measured the treasure.",
        "d ow n t w er iy pau ay v n eh v er m eh zh er d dh ax t r eh zh er",
    ),
    (
        "Dr. Smith and Mrs. Jones walked near the river.",
        "d aa k t er s m ih th ae n d m ih s ax s jh ow n z w ao k t n ih r dh ax r ih v er",
    ),
    (
        "You'll hear the engine before the other ones.",
        "y uw l hh ih r dh iy eh n jh ax n b ih f ao r dh iy ah dh er w ah n z",
    ),
    (
        "Was it a dream, or was it real?",
        "w aa z ih t ax d r iy m pau ao r w aa z ih t r iy l",
    ),
    (
        "My neighbor's boxes were heavier than the judge's.",
        "m ay n ey b er z b aa k s ax z w er hh eh v iy er dh ae n dh ax jh ah jh ax z",
    ),
    (
        "Thank you for the beautiful picture of our house.",
        "th ae ng k y uw f ao r dh ax b y uw t ax f ax l p ih k ch er ah v aw er hh aw s",
    ),
)
CORRECTED = (
    ("It isn't here.", "ih t ih z ax n t hh ih r"),
    ("He hasn't come.", "hh iy hh ae z ax n t k ah m"),
    ("I live here.", "ay l ih v hh ih r"),
    ("Our lives are short.", "aw er l ay v z aa r sh ao r t"),
)


def said(text: str) -> str:
    (chunk,) = phonemise(text)
    return " ".join(PHONES[index] for index in chunk.phones)


@pytest.mark.parametrize(("text", "phones"), SENTENCES)
def test_says_what_flite_says(text: str, phones: str) -> None:
    assert said(text) == f"pau {phones} pau"


@pytest.mark.parametrize(("text", "phones"), CORRECTED)
def test_says_it_right_where_flite_does_not(text: str, phones: str) -> None:
    assert said(text) == f"pau {phones} pau"
