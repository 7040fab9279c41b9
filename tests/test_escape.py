from __future__ import annotations

import os
import unicodedata

import pytest

from imagekin import escape


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/photos/Zürich, 日本 – été (1).jpg", "/photos/Zürich, 日本 – été (1).jpg"),
        ("C:\\photos\\new.jpg", "C:\\photos\\new.jpg"),
        ("two\nlines\r\tand", "two\\nlines\\r\\tand"),
        ("\x1b[31mred\x1b]0;title\x07", "\\e[31mred\\e]0;title\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("\x7f\x00", "\\x7f\\x00"),
        ("cod\u202egpj.exe", "cod\\u202egpj.exe"),
        ("\u2066a\u2069", "\\u2066a\\u2069"),
        ("a\u200bb\ufeffc\u00add", "a\\u200bb\\ufeffc\\xadd"),
        ("a\U000e0041b", "a\\U000e0041b"),
        ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
        ("\ue000\u0378", "\\ue000\\u0378"),
        ("a\u3164b\u2800\U000e0101", "a\\u3164b\\u2800\\U000e0101"),
        ("👍🏽 ✈\ufe0f", "👍🏽 ✈\ufe0f"),
        ("", ""),
    ],
)
def test_what_is_not_plainly_visible_is_escaped(text: str, shown: str) -> None:
    assert escape.terminal(text) == shown


def test_undecodable_bytes_of_a_name_are_shown_as_the_byte() -> None:
    assert escape.terminal(os.fsdecode(b"caf\xe9.jpg").replace("é", "\udce9")) == "caf\\xe9.jpg"
    assert escape.terminal("\ud800") == "\\ud800"


def test_no_code_point_acts_on_a_terminal() -> None:
    every = "".join(map(chr, range(0x110000)))
    shown = escape.terminal(every)
    assert {unicodedata.category(c) for c in set(shown)}.isdisjoint({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
    shown.encode("utf-8")
    letters = [c for c in shown if unicodedata.category(c)[0] in "LNPS"]
    assert len(set(letters)) > 130_000  # the letters of all scripts stay as they are
