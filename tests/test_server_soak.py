"""A real server under many clients for a while: nothing fails, and its memory stays where it was.

``IMAGEKIN_SOAK`` says for how many seconds, 60 in CI; 1800 is a long one.  Without it a few seconds show that the
mixture is answered, and memory, which needs longer to settle, is not judged.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import httpx
import pytest
from benchmarks import asking, soak

import imagekin
from tests.photographs import photograph, save

SECONDS = float(os.environ.get("IMAGEKIN_SOAK", "0"))
ENOUGH = 45.0
"""Seconds from which memory is judged."""

PICTURES = 48


@pytest.mark.timeout(SECONDS + 240)
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_nothing_fails_and_memory_does_not_grow(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    paths = [str(save(root / f"{'ab'[n % 2]}/{n:02}.jpg", photograph(n))) for n in range(PICTURES)]
    (root / "a/copy.jpg").write_bytes(Path(paths[0]).read_bytes())
    place = tmp_path / "c"
    with imagekin.open(place) as photos:
        photos.index(root)
    with asking.server(place) as site:
        with httpx.Client(base_url=f"http://{site.host}:{site.port}{site.here}") as http:
            for path, body in (("map", {"method": "pca"}), ("duplicates", {"exact": True})):
                job = http.post(f"/{path}", json=body).json()["id"]
                while http.get(f"/jobs/{job}").json()["state"] == "running":
                    time.sleep(0.05)
                assert http.get(f"/{path}").status_code == 200
        found = soak.run(site, soak.mixture(site, paths, PICTURES), SECONDS or 4.0)
    assert found["failures"] == 0, found
    assert found["answers"] > 100
    assert set(found["statuses"]) <= {"200", "206", "403", "404", "422", "429"}, found
    if ENOUGH <= SECONDS:
        assert found["growth"] < 0.05, found
    with imagekin.open(place) as photos:
        assert photos.check() == []
        assert len(photos) == PICTURES + 1
