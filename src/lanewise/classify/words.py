"""Cut a text into the tokens that the student reads, and a word into the pieces that stand in for an unknown one.

Training and serving share this file, so that a student never meets at work what it was not taught with. It knows no
vectors and no skills.
"""

from __future__ import annotations

import itertools
import re
import zlib

BUCKETS = 1 << 15
"""Rows of the table of word pieces. A word of our data has about ten pieces; a clash now and then costs less than
a table twice the size."""

PHRASES = 1 << 16
"""Rows of the table of words and pairs of words, as votes for skills."""

END = "\n"
"""The token of a line's end, and all there is in an empty text."""

_TOKEN = re.compile(r"[^\W_]+(?:'[a-z]{1,2}\b)?|[^\w\s]|\n")
_REPEATED = re.compile(r"([^\w\s])\1+")
_BLANK_LINES = re.compile(r"\n\s*\n")
_DIGITS = str.maketrans("123456789", "0" * 9)
_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Thai, Japanese, Chinese and Korean letters: a run of them is a sentence and not a word."""

_PIECE_SIZES = (3, 4, 5)
_PIECED_CHARS = 20
"""Longest beginning of a word that is cut into pieces; what is longer is a hash or a path."""

_UNSPACED_CHARS = 48


def tokens(text: str, *, head: int, tail: int) -> list[str]:
    """The first `head` and last `tail` tokens of `text` in lower case; at least one.

    Digits are all alike, repeated signs are one, and identifiers fall apart at underscores.
    """
    text = text.lower().replace("\u2019", "'").translate(_DIGITS)
    if "\n" in text:
        text = _BLANK_LINES.sub(END, text)
    found: list[str] = _TOKEN.findall(_REPEATED.sub(r"\1", text))
    if len(found) > head + tail:
        found = found[:head] + found[len(found) - tail :]
    return found or [END]


def phrases(found: list[str], *, part: str) -> list[int]:
    """Bucket numbers of the words and neighbouring pairs of `found`, each once; `part` keeps a text's parts apart."""
    crc, mark = zlib.crc32, part.encode()
    coded = [token.encode("utf-8", "surrogatepass") for token in found]
    start = crc(mark)
    buckets = {crc(word, start) & (PHRASES - 1) for word in coded}
    buckets.update(crc(b"%b %b" % pair, start) & (PHRASES - 1) for pair in itertools.pairwise(coded))
    return sorted(buckets)


def pieces(word: str) -> list[int]:
    """Bucket numbers of the pieces of `word`: its runs of three to five letters, ends marked; never empty."""
    if _UNSPACED.search(word):
        cut = word[:_UNSPACED_CHARS]
        found = [*cut, *(cut[at : at + 2] for at in range(len(cut) - 1))]
    else:
        marked = f"<{word[:_PIECED_CHARS]}>"
        found = [marked[at : at + size] for size in _PIECE_SIZES for at in range(len(marked) - size + 1)]
    return [zlib.crc32(piece.encode("utf-8", "surrogatepass")) & (BUCKETS - 1) for piece in found or [word]]
