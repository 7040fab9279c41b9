from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real pictures beside a developer's checkout; a user's clone has none."""
    if not SHARED.is_dir():
        pytest.skip("the real pictures (../shared/data) are not beside this clone")
    return SHARED
