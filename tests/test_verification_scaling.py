"""From distances to probabilities: what is learned is what the pairs were drawn by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from imagekin.errors import InputError
from imagekin.metrics.verification import even
from imagekin.verification.scaling import SCALINGS, Isotonic, Platt, Scaling

KINDS = list(SCALINGS.values())


def normal(count: int = 4000) -> tuple[Any, Any]:
    """Genuine pairs about 0.2 and impostors about 0.6, both with deviation 0.1.

    By Bayes' rule the true log-odds are ((d − 0.6)² − (d − 0.2)²) / (2 · 0.01) = 16 − 40 d.
    """
    random = np.random.default_rng(1)
    distances = np.concatenate([random.normal(0.2, 0.1, count), random.normal(0.6, 0.1, count)])
    return distances, np.arange(2 * count) < count


def test_platt_finds_the_line_that_made_the_pairs() -> None:
    distances, same = normal()
    found = Platt.fit(distances, same, even(same))
    assert found.slope == pytest.approx(-40, rel=0.1)
    assert found.level == pytest.approx(16, rel=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_are_those_of_bayes(kind: type[Scaling]) -> None:
    distances, same = normal()
    found = kind.fit(distances, same, even(same))
    asked = np.linspace(0.3, 0.5, 9)
    assert found.probability(asked) == pytest.approx(1 / (1 + np.exp(40 * asked - 16)), abs=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_how_many_pairs_of_each_sort_there_are_does_not_matter(kind: type[Scaling]) -> None:
    distances, same = normal()
    fewer = np.flatnonzero(~same | (np.arange(len(same)) % 8 == 0))
    asked = np.linspace(0.3, 0.5, 5)
    whole = kind.fit(distances, same, even(same)).probability(asked)
    part = kind.fit(distances[fewer], same[fewer], even(same[fewer])).probability(asked)
    assert part == pytest.approx(whole, abs=0.08)


@pytest.mark.parametrize("kind", KINDS)
def test_a_prior_multiplies_the_odds(kind: type[Scaling]) -> None:
    distances, same = normal(500)
    found = kind.fit(distances, same, even(same))
    half, rare = found.probability([0.4])[0], found.probability([0.4], prior=0.1)[0]
    assert rare / (1 - rare) == pytest.approx(half / (1 - half) / 9)


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_never_rise_with_the_distance_and_are_never_certain(kind: type[Scaling]) -> None:
    distances, same = normal(50)
    likely = kind.fit(distances, same, even(same)).probability(np.linspace(-1, 2, 200))
    assert (np.diff(likely) <= 1e-12).all()
    assert likely.min() > 0
    assert likely.max() < 1


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_told_apart_without_an_error_give_finite_odds(kind: type[Scaling]) -> None:
    same = np.arange(20) < 10
    found = kind.fit(np.where(same, 0.1, 0.9), same, even(same))
    assert np.isfinite(found.log_odds([0.0, 0.1, 0.9, 1.0])).all()
    assert found.probability([0.1])[0] > 0.8
    assert found.probability([0.9])[0] < 0.2


def test_platt_of_distances_that_say_nothing_is_a_coin() -> None:
    same = np.arange(200) % 2 == 0
    assert Platt.fit(np.full(200, 0.3), same, even(same)).probability([0.3]) == pytest.approx(0.5)
    upside = Platt.fit(np.where(same, 0.9, 0.1), same, even(same))  # near pairs are the different ones
    assert upside.slope == 0


def test_isotonic_pools_neighbours_that_rise() -> None:
    """Shares 1, 0, 1, 0 by distance 1 … 4: the middle two are made one, with share 1/2."""
    same = np.array([1, 0, 1, 0] * 50, bool)
    found = Isotonic.fit(np.array([1.0, 2, 3, 4] * 50), same, even(same))
    assert found.places.tolist() == pytest.approx([1, 2.5, 4])
    assert found.probability([2.5])[0] == pytest.approx(0.5)
    assert found.probability([1])[0] == pytest.approx(51 / 52)  # one of either sort was added


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read(kind: type[Scaling]) -> None:
    distances, same = normal(200)
    found = kind.fit(distances, same, even(same))
    again = SCALINGS[found.name].of_dict(found.to_dict())
    assert again.probability(distances).tolist() == found.probability(distances).tolist()


@pytest.mark.parametrize(
    "data",
    [
        {"name": "platt", "slope": 3.0, "level": 0.0},
        {"name": "platt", "slope": "x", "level": 0.0},
        {"name": "platt", "slope": float("nan"), "level": 0.0},
        {"name": "platt"},
        {"name": "isotonic", "places": [1, 2], "odds": [1.0]},
        {"name": "isotonic", "places": [2, 1], "odds": [1.0, 0.0]},
        {"name": "isotonic", "places": [1, 2], "odds": [0.0, 1.0]},
        {"name": "isotonic", "places": [], "odds": []},
        {"name": "isotonic", "places": [0.0] * 10_000, "odds": [0.0] * 10_000},
    ],
)
def test_what_cannot_have_been_written_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        SCALINGS[data["name"]].of_dict(data)
