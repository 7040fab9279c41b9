"""Tables and shortened paths: widths counted by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekin import ellipsis
from imagekin.cli import output
from imagekin.cli.table import Column, render
from imagekin.types import Item, Report, Skipped


def plain(line: str) -> str:
    return line.replace("\x1b[1m", "").replace("\x1b[0m", "")


def table(rows: list[list[str]], width: int | None, *columns: Column) -> list[str]:
    return [plain(line) for line in render(columns, rows, width)]


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("short", 5, "short"),
        ("abcdefghij", 7, "ab…ghij"),
        ("abcdefghij", 1, "…"),
        ("/home/someone/pictures/holiday/beach.jpg", 25, "/home/…/holiday/beach.jpg"),
        ("犬犬犬犬", 5, "…犬犬"),
        ("/a/name that is too long.jpg", 10, "/a/…ng.jpg"),
    ],
)
def test_the_middle_is_cut_out(text: str, width: int, shown: str) -> None:
    assert ellipsis.to_cells(text, width) == shown


@given(st.text(max_size=60), st.integers(1, 40))
def test_a_shortened_text_fits_and_what_fits_is_left_alone(text: str, width: int) -> None:
    shown = ellipsis.to_cells(text, width)
    assert ellipsis.cells(shown) <= width
    if ellipsis.cells(text) <= width:
        assert shown == text


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("犬", 2), ("e\u0301", 1), ("", 0)])
def test_cells_are_what_a_terminal_shows(text: str, columns: int) -> None:
    assert ellipsis.cells(text) == columns


def test_columns_line_up_and_the_last_one_gives_way() -> None:
    rows = [["1", "cat", "/a/very/long/path/to/a/picture.png"], ["20", "a dog", "/b.png"]]
    columns = Column("id", right=True), Column("label", most=4), Column("path")
    assert table(rows, 30, *columns) == [
        "id  label  path",
        " 1  cat    /…/to/a/picture.png",
        "20  a dog  /b.png",
    ]
    assert table(rows, None, *columns)[1] == " 1  cat    /a/very/long/path/to/a/picture.png"


def test_cells_are_escaped_before_they_are_measured() -> None:
    assert table([["\x1b[2J", "x"]], 40, Column("name"), Column("path")) == ["name   path", "\\e[2J  x"]


def test_no_line_of_a_hit_table_is_wider_than_the_terminal() -> None:
    item = Item(123_456, "/" + "long/" * 40 + "犬" * 30 + ".png", 10_000, 10_000, "label " * 20)
    for width in (60, 80, 200):
        for line in output.items([item], width):
            assert ellipsis.cells(plain(line)) <= width


def test_a_number_is_never_cut() -> None:
    rows = [["7", "x"]] * 500 + [["12345", "x"]]
    assert table(rows, 40, Column("id", right=True), Column("path"))[-1] == "12345  x"


def test_a_table_is_made_row_by_row() -> None:
    def endless() -> object:
        while True:
            yield ["1", "x"]

    lines = render([Column("id"), Column("path")], endless(), 40)  # type: ignore[arg-type]
    assert [plain(next(lines)) for _ in range(1_000)][-1] == "1   x"


def test_skipped_files_are_grouped_by_reason() -> None:
    skipped = [Skipped(f"/p/{number}.png", f"too large: {number} megapixels") for number in range(70, 90)]
    skipped += [Skipped("/p/x\n.jpg", "permission denied")]
    assert list(output.reasons(skipped)) == [
        "21 files could not be indexed:",
        "  20 x too large: 70 megapixels",
        "      /p/70.png",
        "      /p/71.png",
        "      /p/72.png",
        "      /p/73.png",
        "      /p/74.png",
        "  1 x permission denied",
        "      /p/x\\n.jpg",
        "  and 15 more; see --json or imagekin info --skipped.",
    ]


def test_a_hundred_different_reasons_stay_ten_rows() -> None:
    skipped = [Skipped("/p", f"reason {chr(65 + number // 26)}{chr(65 + number % 26)}") for number in range(100)]
    lines = list(output.reasons(skipped))
    assert len(lines) == 1 + 2 * 10 + 1
    assert lines[-1] == "  and 90 more; see --json or imagekin info --skipped."


def test_a_report_in_words() -> None:
    done = Report(added=1_200, unchanged=3, ignored={".txt": 2, "": 1}, seconds=4.0)
    assert list(output.report(done, 1_203)) == [
        "1,200 added, 3 unchanged in 4.0 s (300 images/s)",
        "The collection has 1,203 images.",
        "Ignored, as no image has such a name: 2 .txt, 1 without a suffix.",
    ]


def test_an_interrupted_report_says_how_to_go_on() -> None:
    lines = list(output.report(Report(interrupted=True, added=1, seconds=0.5), 1))
    assert lines[1:] == [
        "Stopped early; what is done is kept. The collection has 1 image.",
        "Run the same command again to go on.",
    ]


def test_many_faults_are_counted() -> None:
    faults = [f"fault {number}" for number in range(30)]
    assert output.first(faults) == [*faults[:20], "and 10 more; see --json."]
    assert output.first(faults[:20]) == faults[:20]


def test_only_real_changes_are_worth_a_line() -> None:
    assert not output.changed(Report(unchanged=5, missing=2), 2)
    assert output.changed(Report(unchanged=5, missing=2), 0)
    assert output.changed(Report(removed=1), 0)


def test_pairs_nest() -> None:
    values = {"name": "a\x1b", "count": 1_234, "none": None, "inside": {"on": True}, "list": ["x"]}
    assert list(output.pairs(values)) == [
        "name   a\\e",
        "count  1,234",
        "none   none",
        "inside",
        "  on  yes",
        "list",
        "  x",
    ]
