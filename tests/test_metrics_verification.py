"""Error rates and probabilities of pairs, against values worked by hand and a slow loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagekin.errors import InputError
from imagekin.metrics import verification as measures
from imagekin.metrics.verification import Errors, Numbers


def test_rates_by_hand() -> None:
    """Genuine at 1, 2, 4 and impostors at 3, 4, 5, 6; a distance at the threshold is accepted."""
    errors = Errors([1, 2, 4], [3, 4, 5, 6])
    far, frr = errors.rates()
    assert errors.thresholds.tolist() == [-np.inf, 1, 2, 3, 4, 5, 6]
    assert far.tolist() == [0, 0, 0, 1 / 4, 1 / 2, 3 / 4, 1]
    assert frr == pytest.approx([1, 2 / 3, 1 / 3, 1 / 3, 0, 0, 0])


def test_the_equal_error_rate_by_hand() -> None:
    """FAR goes from 1/4 to 1/2 where FRR goes from 1/3 to 0: they meet after a seventh of the way."""
    far, frr = Errors([1, 2, 4], [3, 4, 5, 6]).rates()
    assert measures.equal_error(far, frr) == pytest.approx(1 / 4 + 1 / 7 * 1 / 4)
    assert measures.equal_error(*Errors([1, 2], [3, 4]).rates()) == 0
    assert measures.equal_error(*Errors([3, 4], [1, 2]).rates()) == 1
    assert measures.equal_error(*Errors([1, 1], [1, 1, 1]).rates()) == pytest.approx(0.5)


def test_the_threshold_of_equal_errors_is_midway_to_the_next_distance() -> None:
    assert Errors([1, 2], [4, 5]).equal() == (3, 0)
    assert Errors([1, 2, 4], [3, 4, 5, 6]).equal() == (2.5, 0)
    assert Errors([3], [1]).equal()[0] > 0


def test_a_threshold_lets_no_more_through_than_was_said() -> None:
    errors = Errors([1.0], np.arange(10.0))
    far, _ = errors.rates()
    assert errors.thresholds[measures.place_at(far, 0.3)] == 2
    assert errors.thresholds[measures.place_at(far, 0.29)] == 1
    assert errors.thresholds[measures.place_at(far, 0.05)] == -np.inf
    ties = Errors([1.0], [2.0] * 5 + [3.0] * 5)
    assert ties.thresholds[measures.place_at(ties.rates()[0], 0.4)] == 1  # all five pass, or none


def test_weights_count_as_copies_do() -> None:
    weighed = Errors([1, 4], [3, 5]).rates(np.array([2.0, 1.0]), np.array([1.0, 3.0]))
    copied = Errors([1, 1, 4], [3, 5, 5, 5]).rates()
    assert np.array(weighed) == pytest.approx(np.array(copied))


def slow_rates(genuine: list[int], impostor: list[int], threshold: float) -> tuple[float, float]:
    accepted = sum(1 for distance in impostor if distance <= threshold)
    rejected = sum(1 for distance in genuine if not distance <= threshold)
    return accepted / len(impostor), rejected / len(genuine)


distances = st.lists(st.integers(0, 12), min_size=1, max_size=20)


@settings(deadline=None)
@given(distances, distances)
def test_rates_agree_with_a_slow_loop(genuine: list[int], impostor: list[int]) -> None:
    errors = Errors(genuine, impostor)
    far, frr = errors.rates()
    for place, threshold in enumerate(errors.thresholds.tolist()):
        assert (far[place], frr[place]) == pytest.approx(slow_rates(genuine, impostor, threshold))
    assert 0 <= measures.equal_error(far, frr) <= 1


@pytest.mark.parametrize(("genuine", "impostor"), [([], [1.0]), ([1.0], []), ([[1.0]], [1.0])])
def test_rates_need_pairs_of_both_sorts(genuine: list[float], impostor: list[float]) -> None:
    with pytest.raises(InputError, match="one each or more"):
        Errors(genuine, impostor)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_distances_must_be_finite(bad: float) -> None:
    with pytest.raises(InputError, match="NaN or infinity"):
        Errors([0.1, bad], [0.5])


def test_thirty_must_pass() -> None:
    assert measures.smallest_rate(30_000) == pytest.approx(0.001)
    assert measures.smallest_rate(7) == 1


def test_even_weights_let_no_sort_and_no_kind_outweigh_another() -> None:
    same = np.array([True, True, False, False, False, False])
    weights = measures.even(same, np.array([0, 0, 0, 0, 0, 1]))
    assert weights.tolist() == pytest.approx([1 / 4, 1 / 4, 1 / 12, 1 / 12, 1 / 12, 1 / 4])
    assert measures.even(same).tolist() == pytest.approx([1 / 4] * 2 + [1 / 8] * 4)


def test_the_log_loss_of_a_coin_is_one_bit() -> None:
    same = np.array([True, False])
    half: Numbers = np.array([0.5, 0.5])
    assert measures.log_loss(same, half, half) == 1
    assert measures.log_loss(same, np.array([0.25, 0.5]), half) == pytest.approx((2 + 1) / 2)


def test_the_calibration_error_by_hand() -> None:
    """Of four at 0.2 one is genuine (off by 0.05), of four at 0.9 two are (off by 0.4)."""
    likely = np.repeat([0.2, 0.9], 4)
    same = np.array([1, 0, 0, 0, 1, 1, 0, 0], bool)
    assert measures.calibration_error(same, likely, np.ones(8), bins=2) == pytest.approx((0.05 + 0.4) / 2)
    found = measures.reliability(same, likely, np.ones(8), bins=2)
    assert np.array(found) == pytest.approx(np.array([(0.2, 0.25, 0.5), (0.9, 0.5, 0.5)]))
