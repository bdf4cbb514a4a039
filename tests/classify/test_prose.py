"""What of a text is prose: not code, not quotes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lanewise.classify.prose import part


def test_quoted_lines_are_somebody_elses_words():
    assert part("> we should drop sqlite\n> and use redis\nis that true?").prose == "is that true?"


def test_lists_are_prose_and_diffs_are_not():
    assert part("do this:\n- add a flag\n- test it").prose == "do this:\n- add a flag\n- test it"
    assert part("why?\n-    x = 1\n+    x = 2\n+y").prose == "why?"


@given(st.text(max_size=2_000))
def test_any_text_can_be_parted(text):
    parted = part(text)
    assert 0 <= parted.code_chars <= parted.chars == len(text)
