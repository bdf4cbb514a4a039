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

_PAIR = 0x9E3779B1
"""Multiplier that keeps a pair from its mirror image (Knuth's golden ratio of 32 bits)."""

END = "\n"
"""The token of a line's end, and all there is in an empty text."""

_TOKEN = re.compile(r"[^\W_]+(?:'[a-z]{1,2}\b)?|[^\w\s]|\n")
_BLANK_LINES = re.compile(r"\n\s*\n")
_CHARS_PER_TOKEN = 7
"""What is looked at per token wanted; English and code have about 4.5, and cutting a long text is most of the cost."""

_DIGITS = str.maketrans("123456789", "0" * 9)
_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Thai, Japanese, Chinese and Korean letters: a run of them is a sentence, so each is a token of its own."""

_PIECE_SIZES = (3, 4, 5)
_PIECED_CHARS = 20
"""Longest beginning of a word that is cut into pieces; what is longer is a hash or a path."""


def tokens(text: str, *, head: int, tail: int) -> list[str]:
    """The first `head` and last `tail` tokens of `text` in lower case; at least one.

    Digits are all alike, repeated signs are one, and identifiers fall apart at underscores.
    """
    if len(text) > _CHARS_PER_TOKEN * (head + tail):
        text = f"{text[: _CHARS_PER_TOKEN * head]} {text[len(text) - _CHARS_PER_TOKEN * tail :]}"
    text = text.lower().replace("\u2019", "'").translate(_DIGITS)
    if not text.isascii():
        text = _UNSPACED.sub(r" \g<0> ", text)
    if "\n" in text:
        text = _BLANK_LINES.sub(END, text)
    found: list[str] = _TOKEN.findall(text)
    found = [token for token, before in zip(found, ["", *found], strict=False) if token != before or token.isalnum()]
    if len(found) > head + tail:
        found = found[:head] + found[len(found) - tail :]
    return found or [END]


def phrases(found: list[str]) -> list[int]:
    """Bucket numbers of the words and neighbouring pairs of `found`, each once, in order."""
    crc, mask = zlib.crc32, PHRASES - 1
    codes = [crc(token.encode("utf-8", "surrogatepass")) for token in found]
    buckets = {code & mask for code in codes}
    buckets.update([(one * _PAIR + two) >> 7 & mask for one, two in itertools.pairwise(codes)])
    return sorted(buckets)


def pieces(word: str) -> list[int]:
    """Bucket numbers of the pieces of `word`: its runs of three to five bytes, ends marked; never empty."""
    crc, mask = zlib.crc32, BUCKETS - 1
    marked = b"<%b>" % word[:_PIECED_CHARS].encode("utf-8", "surrogatepass")
    return [crc(marked[at : at + size]) & mask for size in _PIECE_SIZES for at in range(len(marked) - size + 1)] or [
        crc(marked) & mask
    ]
