"""What evaluations draw: figures of measures, edits and lengths; sheets of confused pairs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin import evaluation, figures
from imagekin.collection import Collection
from imagekin.errors import InputError, MissingPackageError
from imagekin.evaluation import plot, sheets
from tests.evaluated import three_classes


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return three_classes(tmp_path_factory)


@pytest.fixture
def photos(place: Path) -> Iterator[Collection]:
    with imagekin.open(place) as opened:
        yield opened


def texts(made: Any) -> set[str]:
    """Everything that is written in a figure."""
    from matplotlib.text import Text

    return {text.get_text() for text in made.findobj(Text)}


def bars(axes: Any) -> list[float]:
    return [bar.get_width() for bar in axes.patches]


def test_the_plot_shows_the_records(photos: Collection) -> None:
    found = imagekin.evaluate(photos, k=(3, 1))
    made = plot.figure(found)
    measures, classes, matrix = made.axes[:3]
    assert [label.get_text() for label in measures.get_yticklabels()][-1] == "MRR"
    assert bars(classes) == pytest.approx([one.precision for one in found.per_class])
    labels, counts = found.confusion_matrix()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    np.testing.assert_allclose(np.asarray(matrix.images[0].get_array()) ** 2, shares, atol=1e-6)
    assert [label.get_text() for label in matrix.get_xticklabels()] == [
        label.replace("\x1b", "\\e") for label in labels
    ]
    assert {f"{found.figure('mAP@R').value:.1%}", "recall@1"} <= texts(made)
    assert "hit_rate@1" not in texts(made)


def test_the_plot_of_edits_has_a_bar_each(photos: Collection) -> None:
    found = evaluation.self_retrieval(photos, edits=["crop", "flip"])
    axes = plot.figure(found).axes[0]
    assert bars(axes) == pytest.approx([one.recall for one in found.edits])
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        f"{one.edit}: {one.strength}" for one in found.edits
    ]


def test_the_plot_of_lengths_has_both_measures_the_whole_and_the_knee(photos: Collection, tmp_path: Path) -> None:
    found = evaluation.by_dimension(photos, (2, 6, 12), k=3)
    made = plot.figure(found)
    accuracy, speed = made.axes
    for axes, columns in ((accuracy, ["precision", "map_r"]), (speed, ["ms"])):
        assert axes.get_xscale() == "log"
        assert [label.get_text() for label in axes.get_xticklabels()] == ["12", "6", "2"]
        curves = [line for line in axes.get_lines() if line.get_marker() == "o"]
        for line, column in zip(curves, columns, strict=True):
            values = [getattr(one, column) for one in found.lengths]
            assert np.asarray(line.get_xdata()).tolist() == [2, 6, 12]
            assert np.asarray(line.get_ydata()).tolist() == [getattr(value, "value", value) for value in values]
        rules = [line for line in axes.get_lines() if len(np.asarray(line.get_xdata())) == 2]
        across = [np.asarray(line.get_ydata())[0] for line in rules if np.ptp(np.asarray(line.get_ydata())) == 0]
        whole = [getattr(found.whole, column) for column in columns]
        assert across == [getattr(value, "value", value) for value in whole]
        assert [np.asarray(line.get_xdata()).tolist() for line in rules[len(whole) :]] == [[found.knee.dim] * 2]
    assert any(f"{found.knee.dim} dimensions: {found.knee.precision.value:.1%}" in text for text in texts(made))
    figures.save(made, tmp_path / "p.png")


def test_many_classes_are_drawn_without_their_names() -> None:
    vectors = np.random.default_rng(0).normal(size=(80, 4))
    made = plot.figure(imagekin.evaluate(vectors, [str(row // 2) for row in range(80)], k=1))
    assert made.axes[2].get_xticklabels() == []
    assert len(made.axes[1].patches) == plot.WORST


def test_without_matplotlib_the_sentence_says_what_to_install(
    photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = imagekin.evaluate(photos, k=1)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackageError, match=r'\(matplotlib\); install it with: pip install "imagekin\[bench\]"'):
        plot.figure(found)


def test_a_sheet_shows_each_example_beside_its_neighbours(photos: Collection, tmp_path: Path) -> None:
    found = imagekin.evaluate(photos, k=3)
    worst = found.confusions[0]
    tall = sheets.pair(photos, worst, metric=found.metric, tile=100)
    one = sheets.pair(photos, replace(worst, examples=worst.examples[:1]), metric=found.metric, tile=100)
    assert tall.height - one.height == (len(worst.examples) - 1) * (one.height - 52)
    written = sheets.save(photos, found, tmp_path / "new" / "folder", pairs=2)
    assert [path.name[:3] for path in written] == ["01 ", "02 "][: len(written)]
    assert all(path.name.isprintable() for path in written)
    with pytest.raises(InputError, match="has no examples"):
        sheets.pair(photos, replace(worst, examples=()))
