from __future__ import annotations

import hashlib

from imagekin import fingerprint


def test_it_is_blake2b_with_16_bytes() -> None:
    # b2sum -l 128 of nothing and of "abc"
    assert fingerprint.of_bytes(b"").hex() == "cae66941d9efbd404e4d88758ea67670"
    assert fingerprint.of_bytes(b"abc").hex() == "cf4ab791c62b8d2b2109c90275287816"


def test_one_bit_makes_another() -> None:
    data = bytearray(range(256)) * 40
    seen = {fingerprint.of_bytes(bytes(data))}
    for place in range(0, len(data), 97):
        data[place] ^= 1
        seen.add(fingerprint.of_bytes(bytes(data)))
    assert len(seen) == 1 + len(range(0, len(data), 97))
    assert {len(each) for each in seen} == {fingerprint.SIZE}


def test_it_is_not_a_longer_digest_cut_short() -> None:
    assert fingerprint.of_bytes(b"abc") != hashlib.blake2b(b"abc").digest()[:16]
