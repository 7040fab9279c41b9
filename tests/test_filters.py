from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekin.errors import InputError
from imagekin.store.filters import And, Compare, Contains, Filter, In, Not, Or, Under, build, metadata, parse
from imagekin.store.sql import Condition, basename

ODD = {"camera model": "Canon", "class": "k", "width": 3, "label": "b", 'a "quoted" one': 1, "back\\slash": 2}
ROWS: list[tuple[Any, ...]] = [
    # id, path, size, mtime ns, width, height, label, metadata
    (1, "/p/cat/a.jpg", 100, 1_000_000_000, 640, 480, "cat", '{"price": 5, "colour": "red"}'),
    (2, "/p/dog/b.jpg", 200, 2_000_000_000, 1024, 768, "dog", json.dumps(ODD)),
    (3, "/p/dog2/c.png", 300, 3_000_000_000, 2048, 100, None, '{"price": 7.5}'),
    (4, "/p/it's 100%_\\.jpg", 400, 4_000_000_000, 10, 10, "it's", '{"colour": "blue", "price": "n/a"}'),
]


def matching(condition: Filter | None) -> list[int]:
    database = apsw.Connection(":memory:")
    database.create_scalar_function("basename", basename, 1, deterministic=True)  # type: ignore[arg-type]
    database.execute(
        "CREATE TABLE item (id, path BLOB, size, mtime, width, height, label TEXT, metadata TEXT, missing DEFAULT 0)"
    )
    rows = [(row[0], os.fsencode(row[1]), *row[2:]) for row in ROWS]
    database.executemany("INSERT INTO item VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)", rows)
    compiled = Condition(condition)
    return [
        row[0] for row in database.execute(f"SELECT id FROM item WHERE {compiled.sql} ORDER BY id", compiled.values)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("width >= 1000", [2, 3]),
        ("width >= 1000 and label != 'dog'", [3]),  # an absent label is not 'dog'
        ("label == 'dog' or label == 'cat'", [1, 2]),
        ("label in ('dog', 'cat')", [1, 2]),
        ("label not in ('dog', 'cat')", [3, 4]),
        ("label == None", [3]),
        ("label is not None", [1, 2, 4]),
        ("not label == 'cat'", [2, 3, 4]),
        ("100 < width <= 1024", [1, 2]),
        ("1000 <= width", [2, 3]),
        ("pixels > 300000", [1, 2]),
        ("price > 5", [3]),  # text is not above a number
        ("price < 'o'", [4]),
        ("price > 'a' or price <= 5", [1, 4]),
        ("price >= 5 and colour == 'red'", [1]),
        ("colour != 'red'", [2, 3, 4]),
        ("not price > 5", [1, 2, 4]),  # a comparison with an absent value does not hold
        ("'dog' in path", [2, 3]),
        ("'.png' in name", [3]),
        ("name == 'a.jpg'", [1]),
        ("'%' in path", [4]),
        ('label == "it\'s"', [4]),
        ("id in (1, 4)", [1, 4]),
        ("id in ()", []),
        ("size > -1", [1, 2, 3, 4]),
        ("date >= '1970-01-01T00:00:03+00:00'", [3, 4]),
        ("unknown_column == 'x'", []),
        ("True == width", []),
        ("label in (None, 'cat')", [1, 3]),
        ("label not in (None, 'cat')", [2, 4]),
        ("label in (None,)", [3]),
        ("meta['price'] > 5", [3]),
        ("'red' == meta['colour']", [1]),
        ("meta['camera model'] == 'Canon'", [2]),
        ("'anon' in meta['camera model']", [2]),
        ("meta['class'] in ('k',)", [2]),
        ("meta['width'] == 3", [2]),  # a column that is called like a field
        ("width == 3", []),
        ("meta['label'] > 'a'", [2]),
        ("meta['a \"quoted\" one'] == 1", [2]),
        (r"meta['back\\slash'] == 2", [2]),
        ("date > '0001-01-01'", [1, 2, 3, 4]),
        ("date < '9999-12-31'", [1, 2, 3, 4]),
        ("missing == True", []),
    ],
)
def test_expressions_select_the_rows_that_python_would(text: str, expected: list[int]) -> None:
    assert matching(parse(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "width >=",
        "__import__('os').system('true')",
        "width.bit_length() > 3",
        "label == 'x'; DROP TABLE item",
        "(lambda: 1)() == width",
        "[x for x in label]",
        "width > height",
        "width",
        "1 == 1",
        "label > None",
        "label == b'x'",
        "width == 1j",
        f"width < {2**64}",
        "width > 1" + "0" * 400,
        "width > -1" + "0" * 400,
        "width > 1e400",
        "width < 'abc'",
        "width in ('abc',)",
        "'1' in width",
        "label == 5",
        "path in (1, 2)",
        "name > 1.5",
        "missing == 'yes'",
        "camera model == 'Canon'",
        "class == 'k'",
        "other['x'] == 1",
        "meta[0] == 1",
        "meta['a']['b'] == 1",
        "date > 'yesterday'",
        "f'{label}' == 'x'",
        "width if label else size",
        "width > 1 " + "and width > 1 " * 400,
        "w" * 5_000,
        "(" * 1_000 + "width > 1" + ")" * 1_000,
    ],
)
def test_anything_else_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("width < 'abc'", "give a number without quotes"),
        ("label == 5", "write it in quotes: '5'"),
        ("missing == 'yes'", "give True or False"),
        ("class == 'k'", "meta['camera model']"),
        ("width > 1" + "0" * 400, "give one below"),
    ],
)
def test_a_refusal_says_what_to_write(text: str, cure: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert cure in str(caught.value)


def test_the_metadata_columns_of_a_filter_are_those_that_are_no_fields() -> None:
    assert metadata(None) == set()
    text = "width > 1 and not (price > 2 or 'x' in colour) and meta['width'] == 1 and shop in ('a', 'b')"
    assert metadata(parse(text)) == {"price", "colour", "width", "shop"}
    assert metadata(build(under="/p", label="x")) == set()


def test_no_folder_holds_nothing_and_no_condition_joins_to_all_or_nothing() -> None:
    assert matching(Under(())) == []
    assert matching(build(under=[])) == []
    assert matching(Not(Under(()))) == [1, 2, 3, 4]
    assert matching(And(())) == [1, 2, 3, 4]
    assert matching(Or(())) == []


@pytest.mark.parametrize(
    "conditions",
    [
        {"under": ""},
        {"under": " "},
        {"under": ["/p", ""]},
        {"under": 5},
        {"under": b"/p"},
        {"under": [None]},
        {"under": "a\0b"},
        {"label": ["cat", "dog"]},
        {"label": 5},
        {"where": 5},
        {"where": b"width > 1"},
    ],
    ids=str,
)
def test_a_condition_that_is_no_text_or_no_folder_is_refused(conditions: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        build(**conditions)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_user_text_is_bound_and_never_part_of_the_sql() -> None:
    attack = "x' OR 1=1 --"
    compiled = Condition(And((Compare("label", "==", attack), Contains("path", attack), Compare('a"]', "==", attack))))
    assert attack not in compiled.sql
    assert compiled.values.count(attack) == 2
    assert compiled.values.count(attack.encode()) == 1
    assert matching(Compare("label", "==", attack)) == []
    assert matching(Compare("no\"such' field", "==", 1)) == []


def test_under_means_the_folder_itself_and_not_its_namesakes() -> None:
    assert matching(Under(("/p/dog",))) == [2]
    assert matching(Under(("/p/dog/",))) == [2]
    assert matching(Under(("/p/dog/b.jpg",))) == [2]
    assert matching(Under(("/p",))) == [1, 2, 3, 4]
    assert matching(Under(("/",))) == [1, 2, 3, 4]
    assert matching(Under(("/p/cat", "/p/dog2"))) == [1, 3]


def test_build_joins_the_conditions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert build() is None
    assert build(where="  ") is None
    assert build(label="cat") == Compare("label", "==", "cat")
    monkeypatch.chdir(tmp_path)
    joined = build(under="sub", label="cat", where="width > 5")
    assert joined == And((Under((str(tmp_path / "sub"),)), Compare("label", "==", "cat"), Compare("width", ">", 5)))


_leaves = st.one_of(
    st.builds(Compare, st.just("width"), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), st.integers(0, 2050)),
    st.builds(Compare, st.just("label"), st.sampled_from(["==", "!="]), st.sampled_from(["cat", "dog", None])),
    st.builds(In, st.just("id"), st.lists(st.integers(0, 5), max_size=3).map(tuple)),
    st.builds(Contains, st.just("path"), st.sampled_from(["cat", "dog", "jpg", "'"])),
)
_trees = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


def holds(node: Filter, row: tuple[Any, ...]) -> bool:
    """The slow, obvious meaning of a filter."""
    fields = {"id": row[0], "path": row[1], "width": row[4], "label": row[6]}
    match node:
        case And(parts):
            return all(holds(part, row) for part in parts)
        case Or(parts):
            return any(holds(part, row) for part in parts)
        case Not(part):
            return not holds(part, row)
        case In(field, values):
            return fields[field] in values
        case Contains(field, text):
            return text in str(fields[field])
        case Compare(field, operator, value):
            return bool(eval(f"a {operator} b", {"a": fields[field], "b": value}))
    raise AssertionError(node)


@given(_trees)
def test_sql_means_what_the_tree_means(tree: Filter) -> None:
    assert matching(tree) == [row[0] for row in ROWS if holds(tree, row)]
