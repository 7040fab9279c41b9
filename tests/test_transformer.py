"""Pictures in scikit-learn's pipelines: a collection's vectors, however they are given, and scikit-learn's rules."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin import embed, transformer
from imagekin.embed.pixels import PixelEmbedder
from imagekin.errors import ImageError, InputError, MissingPackageError, UnknownNameError
from tests.pictures import folder, picture

NAMES = ["a.png", "b.jpg", "sub/c.webp", "sub/d.png", "e.bmp"]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    folder(tmp_path / "p", NAMES)
    return [str(tmp_path / "p" / name) for name in NAMES]


def pixels(**parameters: Any) -> imagekin.ImageEmbedder:
    return imagekin.ImageEmbedder("pixels", **parameters)


def test_the_vectors_are_those_of_a_collection(files: list[str], tmp_path: Path) -> None:
    for model in ("pixels", embed.DEFAULT):
        vectors = imagekin.ImageEmbedder(model).transform(files)
        assert vectors.dtype == np.float32
        with imagekin.open(tmp_path / model, model=model) as photos:
            photos.index(tmp_path / "p")
            np.testing.assert_array_equal(vectors, photos.embed(files))
            at = {item.path: item.id for item in photos.items()}
            _, stored = photos.store.vectors([at[path] for path in files])
        np.testing.assert_allclose(vectors, stored, atol=2**-11)


def test_pictures_may_be_given_in_many_ways(files: list[str]) -> None:
    pandas = pytest.importorskip("pandas")
    expected = pixels().transform(files)
    ways: list[Any] = [
        tuple(files),
        (path for path in files),
        [Path(path) for path in files],
        [Path(path).read_bytes() for path in files],
        np.array(files),
        np.array(files, object)[:, None],
        pandas.Series(files, index=[5, 5, 1, 0, 9]),
        pandas.DataFrame({"path": files}),
        pandas.DataFrame({"path": pandas.array(files, dtype="string")}),
    ]
    for way in ways:
        np.testing.assert_array_equal(pixels().fit_transform(way), expected)
    images = [picture(seed) for seed in range(4)]
    arrays = np.stack([np.asarray(image) for image in images])
    for each in (images, list(arrays), arrays):
        np.testing.assert_array_equal(pixels().transform(each), pixels().transform(images))
    assert pixels().transform([]).shape == (0, 193)


def test_grey_pictures_are_a_stack_without_channels() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (6, 28, 28), dtype=np.uint8)
    expected = pixels().transform(np.repeat(grey[..., None], 3, axis=3))
    np.testing.assert_array_equal(pixels().transform(grey), expected)
    np.testing.assert_array_equal(pixels().transform(grey[..., None]), expected)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("a.png", "put a single one into brackets"),
        (Path("a.png"), "put a single one into brackets"),
        (b"\x89PNG", "put a single one into brackets"),
        (picture(0), "put a single one into brackets"),
        (np.zeros((8, 8, 3), np.uint8), r"must have shape \(n, height, width\)"),
        (np.zeros((8, 8)), r"uint8, not \(8, 8\), float64; or give a list of paths"),
        (np.zeros((2, 8, 8, 3), np.float32), "uint8, not .*float32"),
        (np.array([["a", "b"]]), r"in one column, not as an array of shape \(1, 2\)"),
        (7, "not as int"),
        ([7], "picture 0: an image is given as a path"),
        (["a", ["b"]], "picture 1: an image is given as a path"),
        (["https://example.org/a.jpg"], "picture 0: .* is an address; fetch it first"),
    ],
)
def test_what_is_no_list_of_pictures_is_one_sentence(given: Any, message: str, tmp_path: Path) -> None:
    if isinstance(given, list) and "a" in given:
        given = [str(folder(tmp_path, ["a.png"]) / "a.png"), *given[1:]]
    with pytest.raises(InputError, match=message):
        pixels().transform(given)


def test_an_unreadable_picture_is_named_or_a_row_of_nan(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "half.jpg").write_bytes(Path(files[1]).read_bytes()[:300])
    given = [files[0], str(tmp_path / "half.jpg"), files[2], str(tmp_path / "nowhere.png"), b"no picture"]
    with pytest.raises(ImageError, match=r"half.jpg.*truncated"):
        pixels().transform(given)
    vectors = pixels(errors="nan").transform(given)
    assert np.isnan(vectors).all(axis=1).tolist() == [False, True, False, True, True]
    np.testing.assert_array_equal(vectors[[0, 2]], pixels().transform([files[0], files[2]]))
    assert np.isnan(pixels(errors="nan").transform([b""])).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"errors": "skip"}, "errors is 'skip'; give 'raise', or 'nan'"),
        ({"batch_size": 0}, "batch_size is 0; give a whole number"),
        ({"batch_size": 2.5}, "batch_size is 2.5"),
        ({"workers": True}, "workers is True"),
    ],
)
def test_a_parameter_without_sense_is_refused_by_fit_and_by_transform(
    parameters: dict[str, Any], message: str, files: list[str]
) -> None:
    for call in (pixels(**parameters).fit, pixels(**parameters).transform):
        with pytest.raises(InputError, match=message):
            call(files)
    with pytest.raises(UnknownNameError, match="no model is called 'pixel'"):
        imagekin.ImageEmbedder("pixel").fit(files)


def test_batches_have_the_size_that_was_asked_for(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = PixelEmbedder._embed

    def counted(self: PixelEmbedder, batch: Any) -> Any:
        sizes.append(len(batch))
        return real(self, batch)

    monkeypatch.setattr(PixelEmbedder, "_embed", counted)
    expected = pixels().transform(files * 20)
    assert max(sizes) == PixelEmbedder.batch_size == 32
    for size in (1, 7, 64):
        sizes.clear()
        np.testing.assert_array_equal(pixels(batch_size=size, workers=1).transform(files * 20), expected)
        assert (max(sizes), sum(sizes)) == (size, 100)
    assert pixels().transform(files).shape == (5, 193)


def test_a_model_file_that_is_replaced_is_loaded_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def create(spec: str, **_: Any) -> PixelEmbedder:
        made.append(spec)
        return PixelEmbedder()

    monkeypatch.setattr(embed, "create", create)
    path = tmp_path / "model.onnx"
    for content in (b"one", b"other one"):
        path.write_bytes(content)
        for _ in range(2):
            imagekin.ImageEmbedder(str(path)).transform([picture(0)])
    assert made == [str(path)] * 2


def test_it_travels_without_its_model(files: list[str]) -> None:
    ours = imagekin.ImageEmbedder().set_output(transform="default")
    before = ours.transform(files)
    data = pickle.dumps(ours)
    assert len(data) < 500
    np.testing.assert_array_equal(pickle.loads(data).transform(files), before)


def test_it_needs_no_scikit_learn(files: list[str]) -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None; import imagekin; "
        "print(imagekin.ImageEmbedder('pixels').fit_transform(sys.argv[1:]).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, check=True)
    assert done.stdout == "(5, 193)\n"


# -- by scikit-learn's rules -------------------------------------------------------------------------------------------


def test_copies_parameters_and_tags(files: list[str]) -> None:
    base = pytest.importorskip("sklearn.base")
    utils = pytest.importorskip("sklearn.utils")
    ours = pixels(batch_size=4).set_output(transform="pandas")
    copy = base.clone(ours)
    assert copy.get_params() == ours.get_params()
    assert repr(copy) == "ImageEmbedder(model='pixels', precision=None, batch_size=4, errors='raise', workers=None)"
    assert list(copy.transform(files).columns) == [f"imageembedder{number}" for number in range(193)]
    with pytest.raises(InputError, match="ImageEmbedder has no parameter 'size'; it has model, precision"):
        copy.set_params(size=3)
    tags = utils.get_tags(ours)
    assert tags.estimator_type == "transformer"
    assert not tags.requires_fit and tags.input_tags.string and not tags.target_tags.required


def test_it_passes_the_checks_that_ask_nothing_of_numbers() -> None:
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    chosen = (
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_get_params_invariance",
        "check_set_params",
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_valid_tag_types",
        "check_mixin_order",
    )
    for name in chosen:
        getattr(checks, name)("ImageEmbedder", imagekin.ImageEmbedder())
    with pytest.warns(UserWarning, match="Can't test estimator ImageEmbedder which requires input"):
        checks.check_estimator(imagekin.ImageEmbedder())


def test_data_frames_come_out_where_they_are_asked_for(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pandas, sklearn = pytest.importorskip("pandas"), pytest.importorskip("sklearn")
    table = pandas.DataFrame({"path": files, "label": list("aabba")}, index=list("vwxyz"))
    frame = pixels().set_output(transform="pandas").transform(table["path"])
    assert frame.index.tolist() == list("vwxyz")
    np.testing.assert_array_equal(frame.to_numpy(), pixels().transform(files))
    with sklearn.config_context(transform_output="pandas"):
        assert list(pixels().transform(files).index) == [0, 1, 2, 3, 4]
    with pytest.raises(InputError, match="is one of default, pandas, polars, not 'arrow'"):
        pixels().set_output(transform="arrow")
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingPackageError, match="not installed; install it with: pip install polars"):
        pixels().set_output(transform="polars").transform(files)
    compose = pytest.importorskip("sklearn.compose")
    for column in ("path", ["path"]):
        both = compose.ColumnTransformer([("picture", pixels(), column)]).set_output(transform="pandas")
        assert both.fit_transform(table).shape == (5, 193)


def test_pipelines_and_grids(files: list[str], tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline

    pictures = np.stack([np.asarray(picture(seed % 3)) for seed in range(30)])
    pictures ^= np.random.default_rng(0).integers(0, 8, pictures.shape, dtype=np.uint8)
    labels = [seed % 3 for seed in range(30)]
    model = make_pipeline(pixels(workers=1), KNeighborsClassifier(), memory=str(tmp_path / "memory"))
    assert cross_val_score(model, pictures, labels, cv=3).tolist() == [1, 1, 1]
    grid = {"imageembedder__model": ["pixels", "pixels(side=2)"], "imageembedder__batch_size": [4, None]}
    found = GridSearchCV(model, grid, cv=3).fit(pictures, labels)
    assert found.best_score_ == 1
    assert len(found.cv_results_["params"]) == 4
    assert "ImageEmbedder" in found.best_estimator_._repr_html_()


def test_faces_are_told_apart(shared_data: Path) -> None:
    pytest.importorskip("sklearn")
    from sklearn.model_selection import GridSearchCV
    from sklearn.neighbors import KNeighborsClassifier

    faces = imagekin.datasets.load(shared_data / "orl_faces")
    few = [row for row in range(len(faces)) if int(str(faces.labels[row]).strip("s")) <= 10]
    paths, people = [faces.images[row] for row in few], [faces.labels[row] for row in few]
    vectors = imagekin.ImageEmbedder().transform(paths)
    search = GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [1, 7]}, cv=5).fit(vectors, people)
    assert search.best_params_ == {"n_neighbors": 1}
    assert search.best_score_ > 0.9


def test_a_single_column_is_found_in_what_it_is_given() -> None:
    assert transformer.pictures(np.array([["a"], ["b"]])) == ["a", "b"]
    assert transformer.pictures(("a", "b")) == ["a", "b"]
    with pytest.raises(InputError, match="not as int"):
        transformer.pictures(3)
