"""Names of accounts: which are allowed, which count as the same, and how they are sought.

Letters of every script are welcome, and so are the marks that many scripts cannot be written without (vowel signs,
viramas, tones). What could pass for somebody else's name is bounded: a word is of one script, its marks stand on
letters and never in heaps, and names that differ only in case or in forms of the same letters (ligatures, full width)
are the same name. Words of two scripts that merely look alike as wholes are not told apart.
"""

from __future__ import annotations

import re
import unicodedata

DEFAULT_LAST = "Resident"  # of people who chose one word
LONGEST = 31  # characters of one word
MOST_MARKS = 3  # on one letter
_PUNCTUATION = "._'-"
# Scripts that are written together.
_TOGETHER = (
    {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC"},
    {"CJK", "HANGUL"},
    {"CJK", "BOPOMOFO"},
)
# Letters and marks that show nothing: fillers, joiners, selectors of variants.
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]")
_LETTERS_AND_DIGITS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd"})
LONGEST_KEY = 2 * LONGEST + 1  # of both words with their blank, folded: letters that fold to many make it longer
_LETTER_SIGNS = re.compile(r"COMBINING|MODIFIER|VARIATION")  # marks and signs of no script of their own


class BadName(ValueError):
    """Not a name an account can have."""


def check_name(first: str, last: str) -> tuple[str, str]:
    """First and last name as they will be kept; last may be empty. BadName says what is wrong."""
    first, last = composed(first), composed(last) or DEFAULT_LAST
    for word in (first, last):
        _check_word(word)
    if len(name_key(first, last)) > LONGEST_KEY:
        raise BadName(f"{first[:40]!r} is not a name: its letters stand for too many others")
    return first, last


def _check_word(word: str) -> None:
    shown = repr(word[:40])
    if not 1 <= len(word) <= LONGEST:
        raise BadName(f"{shown} is not a name: 1 to {LONGEST} characters")
    if _INVISIBLE.search(word) or any(
        " " in unicodedata.normalize("NFKC", character) for character in word if character != " "
    ):
        raise BadName(f"{shown} is not a name: it holds characters that are not seen")
    if unicodedata.category(word[0]) not in _LETTERS_AND_DIGITS:
        raise BadName(f"{shown} is not a name: it begins with a letter or digit")
    scripts: set[str] = set()
    marks = 0
    for character in word:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Mc") else 0
        if marks > MOST_MARKS:
            raise BadName(f"{shown} is not a name: more than {MOST_MARKS} marks on one letter")
        if marks:
            if category == "Mc" or not _LETTER_SIGNS.match(_name(character)):
                scripts.add(_script(character))
        elif category in _LETTERS_AND_DIGITS:
            if category != "Nd" and not _LETTER_SIGNS.match(_name(character)):
                scripts.add(_script(character))
        elif character not in _PUNCTUATION:
            raise BadName(
                f"{shown} is not a name: letters of any language, digits, and {' '.join(_PUNCTUATION)} after the first"
            )
    if len(scripts) > 1 and not any(scripts <= family for family in _TOGETHER):
        raise BadName(f"{shown} is not a name: its letters are of several scripts")


def _name(character: str) -> str:
    return unicodedata.name(character, "UNNAMED")


def _script(character: str) -> str:
    """The script of a letter: the first word of its name, which the standard lets nobody change.

    Forms of compatibility (full width, mathematical) count as the letter they are a form of.
    """
    plain = unicodedata.normalize("NFKC", character)
    return _name(plain[0]).split(" ")[0]


def composed(word: str) -> str:
    """The word without spaces around it, in the one of Unicode's spellings that it is kept in."""
    return unicodedata.normalize("NFC", word).strip()


def name_key(first: str, last: str) -> str:
    """What makes a name unique: two names with one key are one name."""
    return _folded(f"{composed(first)} {composed(last) or DEFAULT_LAST}")


def _folded(text: str) -> str:
    """Case and forms of compatibility taken away. Twice, since folding may bring forth what composes anew."""
    once = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", once).casefold()


def search_key(text: str) -> str:
    """Text as names are sought: any case, any form, with or without the accents of letters that can do without
    (marks of Indic scripts, Thai, Hebrew and Arabic vowels stay: they are part of the word)."""
    plain = unicodedata.normalize("NFKD", " ".join(text.split())).casefold()
    kept = "".join(c for c in plain if not (unicodedata.combining(c) and _name(c).startswith("COMBINING")))
    return unicodedata.normalize("NFC", kept)
