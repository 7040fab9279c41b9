"""Two hundred file names that somebody chose to do harm, and folders called like that: what a name can be on a disk.

Each is made of bytes, as a file system has them; none is hidden, and each ends as a picture's does.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from tests.pictures import picture

_HTML: Final = (
    "script><img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>",
    "\"><b onmouseover=alert(1)>", "'><i onclick=alert(1)>", "\" autofocus onfocus=alert(1) x=\"",
    "' onerror='alert(1)", "`onerror=alert(1)`", "<iframe srcdoc=x>", "<base href=x>",
    "<meta http-equiv=refresh content=0>", "<style>*{display:none}", "<!--", "-->", "<![CDATA[x]]>",
    "<?php echo 1 ?>", "<%= 1 %>", "{{7*7}}", "${7*7}", "#{7*7}", "{% x %}", "[[x]]", "&lt;b&gt;", "&#60;b&#62;",
    "&amp;amp;", "&quot;", "javascript:alert(1)", "data:text,x", "vbscript:x", "<plaintext>", "<xmp>", "<textarea>",
    "<title>x", "<math><mi xlink:href=x>", "<a href=x>x", "<link rel=stylesheet href=x>", "<object data=x>",
    "<form action=x>", "<details open ontoggle=alert(1)>", "<video src=x onerror=alert(1)>", "]]>", "<noscript>",
)  # fmt: skip
_SHELL: Final = (
    "-rf", "--help", "-", "--", "-o x", "--json", "$(touch x)", "`touch x`", "; rm -rf ~", "| cat", "&& x", "> x",
    "< x", "* ?", "[a-z]", "~", "~root", "!!", "\\", "\\\\host\\share", "\\x41\\u0041", "a'b", 'a"b', "a`b",
    "$HOME", "${IFS}", "%PATH%", "'; DROP TABLE item; --", "' OR '1'='1", "x') UNION SELECT 1 --", "file:x",
    "http:x", "a,b", "a;b", "a\tb,c", "=1+1", "+1", "@SUM(A1)", "=cmd|' 'x", "#x", "?x=1", "?", "a&b=c", "a=b",
)  # fmt: skip
_FORMATS: Final = (
    "%s%s%s%n", "%x%d", "%00", "%2e%2e%2f", "%252e", "%0d%0aSet-Cookie: a=b", "%", "%%", "{}", "{0}",
    "{0.__class__}", "{path!r}", "\\0", "\\n", "a%ff", "%u0041", "null", "None", "undefined", "NaN", "Infinity",
    "true", "-1", "0", "1e309", "0x7f", "[]", "constructor", "__proto__", "toString", "hasOwnProperty",
)  # fmt: skip
_CONTROL: Final = (
    "a\nb", "a\r\nSet-Cookie: x=1", "\n", "a\tb", "a\x1b[31mb", "\x1b]0;title\x07", "\x1b[2J\x1b[H",
    "\x1b]8;;http:x\x1b\\", "a\x07b", "a\x08\x08b", "a\x7fb", "a\x01b", "a\x0bb\x0c", "a\u0085b", "a\u009b31mb",
    "a\u2028b", "a\u2029b",
)  # fmt: skip
_UNICODE: Final = (
    "\u202egpj.exe", "\u202dabc", "\u2066abc\u2069", "a\u200bb", "a\u200db", "\ufeffbom", "a\u2060b",
    "\u05d0\u05d1\u05d2 (1)", "\u0627\u0644\u0639\u0631\u0628\u064a\u0629", "a\u0300\u0301\u0302\u0303\u0304\u0305",
    "e\u0301", "\u00e9", "\uff0e\uff0e\uff0f", "\u2215etc\u2215passwd", "\u2024\u2024", "\u2400", "\ufffd",
    "\ufffe", "\uffff", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f600",
    "\U0001f3f3\ufe0f\u200d\U0001f308", "\U000e0041\U000e0042", "\U0010ffff", "\ue000", "\u3164", "\u115f",
    "\u00a0", "\u3000", "I\u0307", "\u0131\u017f\u212a", "\ufb01", "\u1e9e\u00df", "K\u212b",
    "\u0430\u0440\u0440l\u0435",
)  # fmt: skip
_BYTES: Final = (
    b"\xff\xfe", b"a\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80<img src=x>", b"a\xe9b",
    b"\xff\x1b[31m", b"\xc0\x80",
)  # fmt: skip
_SHAPES: Final = (
    " ", "   ", " a", "a ", "a.", "a..", "CON", "nul", "COM1", "LPT9.txt", "aux.png.exe", "a:b", "a*b", 'a?"<>|b',
    "desktop.ini", "Thumbs.db", "..png", "a"*251, "\u00e9"*125, "\U0001f600"*62, "("*60+")"*60, "a b"*60,
)  # fmt: skip


def _names() -> list[bytes]:
    """Every name once, ended as a picture's; those that would be hidden begin with an underscore."""
    texts = (*_HTML, *_SHELL, *_FORMATS, *_CONTROL, *_UNICODE, *_SHAPES)
    found = dict.fromkeys([*(text.encode() for text in texts), *_BYTES])
    return [(b"_" + name if name.startswith(b".") else name) + b".png" for name in found]


NAMES: Final = _names()
FOLDERS: Final = [
    b"<", b"<b>x", b'"onload="x', b"\x1b[31mred", b"a\nb", b"\xff\xfe", "\u202egpj".encode(), b"-rf", b"%s%n", b" ",
]  # fmt: skip
"""Folders, which are labels as well; the first one and the first name make ``</script>`` of a path."""


def write(root: Path) -> list[str]:
    """Make all of them, twenty in a folder, every two of equal bytes; their paths as Python has them."""
    paths = []
    for number, name in enumerate(NAMES):
        folder = os.path.join(os.fsencode(root), FOLDERS[number * len(FOLDERS) // len(NAMES)])
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, name)
        with open(path, "xb") as file:
            picture(number // 2, 24, 16).save(file, "PNG")
        paths.append(os.fsdecode(path))
    return paths
