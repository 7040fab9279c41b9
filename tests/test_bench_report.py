"""Page and plot: nothing that is shown may act, nothing is fetched, and what is drawn is where it belongs."""

from __future__ import annotations

import math
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagekin import figures
from imagekin.benchmark import Absent, Record, Report, chart, figure, markdown, page, svg, write
from imagekin.errors import InputError, MissingPackageError
from imagekin.index import ENGINES

HOSTILE = "\"><script>alert(1)</script>\u202e\x1b[31m'&"
DATA = {"name": HOSTILE, "rows": 8000, "dim": 64, "metric": "cosine", "queries": 500, "k": 10, "fingerprint": "f00"}
MACHINE = {"processor": HOSTILE, "cores": 2, "memory_gb": 8.0, "system": "Linux"}


def record(engine: str, recall: float, speed: float, **more: Any) -> Record:
    figures = {
        "recall": recall, "first": recall, "single_qps": speed, "batch_qps": 3 * speed, "p50_ms": 1e3 / speed,
        "p99_ms": 2e3 / speed, "build_s": 1.5, "anonymous_bytes": 2.5e6, "disk_bytes": 1e6, "open_s": 0.002,
        "pace_ms": more.pop("pace", 1.0),
    }  # fmt: skip
    reason = more.pop("reason", "")
    return Record(
        engine, {"M": more.pop("M", 16)}, {"ef": round(1e6 * recall)}, DATA, {"python": "3", HOSTILE: HOSTILE}, MACHINE,
        {} if reason else figures, reason, date="2026-01-01T00:00:00+00:00", key=f"{engine}{recall}{speed}{reason}",
    )  # fmt: skip


def curve(engine: str, scale: float) -> list[Record]:
    return [record(engine, recall, scale * (1.02 - recall)) for recall in (0.6, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0)]


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """Twenty engines: one line each, some beaten points, one that failed."""
    found = [each for place, name in enumerate(ENGINES) for each in curve(name, 1e5 / (place + 1))]
    slow = [record("exact", 0.97, 3.0, M=4), record("exact", 0.2, 9.0)]
    return [*found, *curve(HOSTILE, 70.0), *slow, record("faiss", 0, 1, reason=f"it crashed {HOSTILE}")]


class Tags(HTMLParser):
    """Every tag with its attributes, and the text outside of style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "polyline", "path", "line", "circle"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words += data

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def shown(records: list[Record]) -> tuple[str, Tags]:
    text = page.page(Report(records, [Absent(HOSTILE, HOSTILE)], f"imagekin bench {HOSTILE}", [HOSTILE]))
    return text, Tags(text)


# -- the page ----------------------------------------------------------------------------------------------------------


def test_every_tag_is_closed_and_no_name_becomes_one(shown: tuple[str, Tags]) -> None:
    text, tags = shown
    assert tags.open == []
    assert len(tags.named("script")) == 1
    assert "alert(1)" in tags.words
    assert "\u202e" not in text
    assert "\x1b" not in text
    known = {"html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "p", "section", "div", "button",
             "figure", "svg", "line", "text", "polyline", "g", "path", "circle", "ul", "li", "span", "table", "thead",
             "tbody", "tr", "th", "td", "code", "details", "summary", "pre", "b", "script"}  # fmt: skip
    assert {tag for tag, _ in tags.tags} <= known


def test_the_page_needs_nothing_else(shown: tuple[str, Tags]) -> None:
    text, tags = shown
    assert not re.search(r"https?:|@import|url\(", text)
    assert not any({"src", "href", "onclick", "onload", "onerror"} & attributes.keys() for _, attributes in tags.tags)
    policy = next(each["content"] for each in tags.named("meta") if each.get("http-equiv"))
    assert re.fullmatch(r"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-[\w+/]{43}='", str(policy))


def test_the_page_says_what_was_measured_and_what_was_not(shown: tuple[str, Tags], records: list[Record]) -> None:
    words = shown[1].words
    assert "8,000 vectors of 64 elements, cosine distance; 500 queries that are not among them, 10 hits each" in words
    assert "imagekin bench " in words
    assert f"All {len(records) - 1} measurements" in words
    assert "it crashed" in words
    assert "up and to the right is better" in words
    for name in ENGINES:
        assert f"{name}(M=16, ef=950000)" in words


def test_each_recall_has_one_row_an_engine_the_quickest_first(shown: tuple[str, Tags], records: list[Record]) -> None:
    text = shown[0]
    engines = len({each.engine for each in records if not each.failed})
    for recall in page.RECALLS:
        body = text.partition(f'<tbody data-recall="{recall}"')[2].partition("</tbody>")[0]
        assert body.count("<tr") == engines
        firsts = re.findall(r"<code>([\w-]+)\(", body)
        assert firsts[0] == next(iter(ENGINES))
        found = [float(value) for value in re.findall(r'<th[^>]*>.*?</th><td data-value="([\d.e+-]+)"', body)]
        assert min(found) >= recall


def test_a_page_of_nothing_is_a_page(records: list[Record]) -> None:
    assert "no engine could be measured" in Tags(page.page(Report([], [Absent("annoy", "not installed")]))).words
    failed = [each for each in records if each.failed]
    assert "it crashed" in Tags(page.page(Report(failed))).words


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("recall", 0.98765, "0.9877"), ("disk_bytes", 12_345_678.0, "12.3"), ("single_qps", 12_345.6, "12,346"),
     ("open_s", 0.0123, "12.3"), ("p50_ms", 0.12345, "0.123"), ("build_s", 12.345, "12.35"),
     ("batch_qps", math.nan, "-")],
)  # fmt: skip
def test_figures_have_the_unit_of_their_heading(name: str, value: float, text: str) -> None:
    assert page.shown(name, value) == text


def test_an_uneven_machine_is_told() -> None:
    steady = [record("exact", 1, 5, pace=1.0), record("exact", 0.9, 6, pace=1.2), record("exact", 0.8, 7, pace=1.0)]
    assert page.uneven(steady) is None
    assert page.uneven([]) is None
    told = page.uneven([*steady, record("exact", 0.7, 8, pace=3.3)])
    assert told is not None
    assert "took up to 3.0 times its median" in told  # the median of 1, 1, 1.2 and 3.3 is 1.1


def test_markdown_has_one_row_an_engine_and_the_front_in_bold() -> None:
    records = [
        *curve("exact", 1e3),
        *curve("faiss", 1e5),
        record("a|`b", 0.9, 3.0),
        record("x", 0, 1, reason="it crashed"),
    ]
    lines = markdown(records, recall=0.95).splitlines()
    assert lines[0].startswith("| engine | recall | 1-R@1 | search ms | p99 ms | queries/s | in batches | build s |")
    assert lines[1].count("---") == lines[0].count("|") - 1
    assert lines[2] == (
        "| **`faiss(M=16, ef=950000)`** | 0.9500 | 0.9500 | 0.143 | 0.286 | 7,000 | 21,000 | 1.50 | 2.5 | 1.0 | 2.0 |"
    )
    assert [line.split("`")[1] for line in lines[3:]] == ["exact(M=16, ef=950000)", r"a\|'b(M=16, ef=900000)"]


# -- what is drawn -----------------------------------------------------------------------------------------------------


def test_the_recall_axis_rises_and_keeps_nines_apart() -> None:
    places = [chart.across(recall) for recall in (0, 0.5, 0.9, 0.99, 0.999, 1)]
    assert places == sorted(places)
    assert places[3] - places[2] == pytest.approx(1, abs=0.05)  # a tenth of the misses is one unit
    assert chart.across(1.2) == chart.across(1)
    assert math.isfinite(places[-1])


def test_lines_are_the_records_that_none_of_their_engine_beats(records: list[Record]) -> None:
    drawn = chart.chart(records)
    exact = next(line for line in drawn.lines if line.engine == "exact")
    assert [each.figure("recall") for each in exact.best] == [0.6, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0]
    assert [each.parameters["M"] for each in exact.others] == [4]  # recall 0.2 is below the plot
    assert [line.engine for line in drawn.lines][:3] == list(ENGINES)[:3]  # the quickest first
    assert {each.engine for each in drawn.front} == {"exact"}
    assert drawn.recalls == (0.5, 1.0)
    assert drawn.speeds[0] < 70 * 0.02 < 1e5 * 0.42 < drawn.speeds[1]


def test_where_nothing_has_a_good_recall_the_bad_ones_are_shown() -> None:
    drawn = chart.chart([record("exact", 0.12, 5), record("exact", 0.31, 4)])
    assert (drawn.recalls, len(drawn.lines[0].best)) == ((0.1, 1.0), 2)
    assert chart.chart([]).lines == []


def test_no_two_engines_look_alike(records: list[Record]) -> None:
    looks = {(line.colour, line.marker) for line in chart.chart(records).lines if line.engine in ENGINES}
    assert len(looks) == len(ENGINES)
    assert len(set(chart.COLOURS)) == len(chart.COLOURS)


def test_svg_points_lie_where_their_figures_say(records: list[Record]) -> None:
    text = svg.draw(chart.chart(records))
    place = r'class="point" transform="translate\(([\d.]+) ([\d.]+)\)"'
    found = re.findall(place + r'[^>]*data-tip="([^|]*) \| recall ([\d.]+) \| ([\d,]+) queries', text)
    places = np.array([[float(x), float(y), float(r), float(q.replace(",", ""))] for x, y, _, r, q in found])
    assert len(places) == 7 * (len(ENGINES) + 1)
    assert (0 < places[:, 0]).all() and (places[:, 0] < svg.WIDTH).all()
    assert (0 < places[:, 1]).all() and (places[:, 1] < svg.HEIGHT).all()
    assert np.array_equal(np.argsort(places[:7, 0]), np.argsort(places[:7, 2]))  # to the right = more recall
    assert np.array_equal(np.argsort(-places[:7, 1]), np.argsort(places[:7, 3]))  # up = quicker
    assert text.count('class="ring"') == 7


# -- matplotlib --------------------------------------------------------------------------------------------------------


def test_the_figure_has_a_line_an_engine_a_log_scale_and_the_front(records: list[Record]) -> None:
    made = figure(records)
    axes = made.axes[0]
    assert axes.get_yscale() == "log"
    assert axes.get_xlabel().startswith("recall@10")
    assert "one at a time" in axes.get_ylabel()
    labels = [text.get_text() for text in axes.get_legend().get_texts()]  # type: ignore[union-attr]
    assert labels[0] == "exact   7,000"  # 1e5 * (1.02 - 0.95)
    assert labels[-1] == "Pareto front: none better"
    assert len(labels) == len(ENGINES) + 2
    line = next(each for each in axes.get_lines() if str(each.get_label()).startswith("exact"))
    assert np.asarray(line.get_ydata()).tolist() == [each.figure("single_qps") for each in curve("exact", 1e5)]
    assert np.asarray(line.get_xdata()).tolist() == [
        chart.across(each.figure("recall")) for each in curve("exact", 1e5)
    ]
    assert any("up and to the right is better" in str(text.get_text()) for text in axes.texts)
    assert "in batches" in figure(records, speed="batch_qps").axes[0].get_ylabel()


def test_names_do_not_act_on_matplotlib_either(records: list[Record], tmp_path: Path) -> None:
    strange = [record("$\\frac{$", 0.9, 5.0), record("_hidden", 0.95, 4.0), *records]
    saved = figures.save(figure(strange, title="$x_1 \u202e"), tmp_path / "plot.png")
    assert saved.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [saved]


def test_what_cannot_be_plotted_is_one_sentence(records: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no record has figures"):
        figure([each for each in records if each.failed])
    with pytest.raises(InputError, match="speed must be one of single_qps, batch_qps, not 'fast'"):
        figure(records, speed="fast")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackageError, match=r'\(matplotlib\); install it with: pip install "imagekin\[bench\]"'):
        figure(records)


def test_without_matplotlib_there_is_a_page_still(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    files = write(Report(records), tmp_path)
    assert files.png is None
    assert "pip install" in files.missing
    assert files.html.read_text("utf-8").startswith("<!doctype html>")


def test_both_files_are_written(records: list[Record], tmp_path: Path) -> None:
    files = write(Report(records), tmp_path)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "report.html", tmp_path / "report.png"] == [files.html, files.png]


def test_a_plot_that_cannot_be_written_is_one_sentence(records: list[Record], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        figures.save(figure(records), tmp_path / "absent" / "x.png")
    with pytest.raises(InputError, match="cannot write"):
        figures.save(figure(records), tmp_path / "x.docx")
