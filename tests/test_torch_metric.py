"""``imagekin train metric``: networks that compare what they were never shown."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import imagekin
from imagekin import embed, train
from imagekin.errors import InputError, UnknownNameError
from imagekin.train import pictures
from imagekin.train.runs import Run
from tests import signed
from tests.people import PEOPLE, album
from tests.shell import invoke
from tests.torch_networks import need

SMALL = "cnn(fc2=16, side=16)"
TINY = "timm:test_resnet.r160_in1k(weights='random')"
QUICK: dict[str, Any] = {"classes": 4, "images": 3, "augment": "flip", "held": 0.5, "numbers": "fp32"}


@pytest.fixture(scope="module", autouse=True)
def torch() -> Any:
    return need("torch", "timm", "torchvision", "pytorch_metric_learning", "safetensors")[0]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return album(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def hands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return signed.folder(tmp_path_factory.mktemp("hands"), range(14), genuine=5, forged=4)


def test_a_torch_network_learns_what_tells_people_apart_that_it_never_saw(people: Path, tmp_path: Path) -> None:
    found = train.metric(people, SMALL, loss="contrastive", unfreeze=None, epochs=12, lr=0.01, backbone=1.0,
                         out=tmp_path / "run", margin=0.8, **QUICK)  # fmt: skip
    facts = found.run.facts
    assert facts["plan"]["loss"] == "contrastive" and facts["plan"]["options"] == {"margin": 0.8}
    assert len(facts["labels"]) == PEOPLE // 2 and facts["images"] == {"learn": 30, "check": 15, "test": 15}
    assert [change.name for change in found.trial.changes] == ["precision@4", "mAP@R", "R@1"]
    assert found.trial.changes[1].gain > 0
    losses = [epoch.loss for epoch in found.history if epoch.loss is not None]
    assert losses[-1] < losses[0]
    with imagekin.open(tmp_path / "c", model=str(tmp_path / "run")) as photos:
        photos.index(people)
        assert photos.embed([people / "p00" / "0.png"]).shape == (1, 16)


def test_a_torch_projection_begins_with_classes_equally_wide() -> None:
    from imagekin.train.projection import SHRINKAGE, whitened

    random = np.random.default_rng(0)
    codes = np.repeat(np.arange(10), 6)
    wide = np.where(np.arange(200) < 3, 2.0, 0.3)
    rows = (random.normal(size=(10, 200))[codes] + random.normal(size=(60, 200)) * wide).astype(np.float32)
    weight, bias = whitened(rows, codes, 8)
    made = (rows @ weight.T + bias).astype(np.float64)
    np.testing.assert_allclose(made.mean(axis=0), 0, atol=1e-4)
    gaps = made - np.stack([made[codes == code].mean(axis=0) for code in range(10)])[codes]
    found = np.linalg.eigvalsh(gaps.T @ gaps / len(gaps))
    # shrunk by half, the widest direction is at most twice the mean of what it would be without, and none is the widest
    axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)[2][:8]
    flat = (rows - rows.mean(axis=0)) @ axes.T
    own = flat - np.stack([flat[codes == code].mean(axis=0) for code in range(10)])[codes]
    values = np.linalg.eigvalsh(own.T.astype(np.float64) @ own / len(own))
    wanted = values / ((1 - SHRINKAGE) * values + SHRINKAGE * values.mean())
    np.testing.assert_allclose(found / found[-1], np.sort(wanted) / wanted.max(), rtol=2e-3)
    with pytest.raises(InputError, match="60 views of the pictures span fewer than 60 directions"):
        whitened(rows, codes, 60)


def test_a_torch_projection_is_a_model_like_any_other(people: Path, tmp_path: Path) -> None:
    found = train.metric(people, TINY, dims=12, loss="supcon", unfreeze=1, epochs=1, refit=True,
                         out=tmp_path / "run", **QUICK)  # fmt: skip
    assert found.run.facts["model"] == "timm:test_resnet.r160_in1k(weights='random', dims=12)"
    assert found.run.facts["stages"] == ["projection"]
    assert found.notes[-1].startswith("The model then learned from all 60 pictures")
    from imagekin.embed.torch_network import answer
    from imagekin.train.network import network

    again, model = network(str(tmp_path / "run")), embed.create(str(tmp_path / "run"))
    shown = people / "p03" / "1.png"
    with Image.open(shown) as picture:
        seen = np.array(again.recipe.apply(picture.convert("RGB")))[None]
        [vector] = model.embed([picture.convert("RGB")])
    [wanted] = answer(again.module, seen)
    np.testing.assert_allclose(vector / np.linalg.norm(vector), wanted / np.linalg.norm(wanted), atol=2e-3)
    further = train.metric(people, str(tmp_path / "run"), loss="supcon", unfreeze=1, epochs=1, lr=1e-9,
                           out=tmp_path / "further", **QUICK)  # fmt: skip
    assert further.trial.precision.before == pytest.approx(further.trial.precision.after)
    with Image.open(shown) as picture:
        [same] = embed.create(str(tmp_path / "further")).embed([picture.convert("RGB")])
    np.testing.assert_allclose(same, vector, atol=2e-3 * np.abs(vector).max())
    with pytest.raises(InputError, match="is a training that has its own layers already; leave out dims"):
        train.metric(people, str(tmp_path / "run"), dims=4)


def test_an_interrupted_torch_training_of_a_projection_goes_on(people: Path, tmp_path: Path) -> None:
    how: dict[str, Any] = {"dims": 10, "loss": "triplet", "unfreeze": 1, "epochs": 3, "patience": 9, **QUICK}

    def stop(moment: Any) -> None:
        if moment.epoch == 2:
            raise KeyboardInterrupt

    whole = train.metric(people, TINY, out=tmp_path / "whole", **how)
    with pytest.raises(KeyboardInterrupt):
        train.metric(people, TINY, out=tmp_path / "run", watch=(None, stop), **how)
    found = train.metric(people, TINY, out=tmp_path / "run", resume=True, **how)
    told = [[epoch.loss for epoch in each.history[1:]] for each in (whole, found)]
    assert len(told[0]) == 3 and told[1] == pytest.approx(told[0], rel=1e-4)
    assert found.trial.precision.after == pytest.approx(whole.trial.precision.after)


def test_torch_learns_signatures_from_some_writers_and_is_tried_on_others(hands: Path, tmp_path: Path) -> None:
    how = "--label-from signatures --unfreeze all --loss triplet --margin 0.3 --epochs 2 --augment none --json".split()
    done = invoke("train", "metric", hands, "--model", SMALL, "--out", tmp_path / "r", *how)
    assert done.exit_code == 0, done.output
    run = Run.open(tmp_path / "r")
    learned = {label.removesuffix(", forged") for label in run.facts["labels"]}
    assert len(learned) == 10 and len(run.facts["labels"]) == 20  # each writer with imitations, or not at all
    assert run.facts["images"] == {"learn": 90, "check": 18, "test": 18}
    with imagekin.open(tmp_path / "c", model=str(tmp_path / "r")) as photos:
        photos.index(hands, label_from="none")
        found = imagekin.verification.calibrate(photos, hands)
    assert [kind.name for kind in found.kinds] == ["random", "skilled"]


def test_writers_and_their_forgers_meet_in_torch_batches(hands: Path) -> None:
    from imagekin.train import metric_learning, optimizing
    from imagekin.train.plan import Plan

    given = metric_learning._of_folder(hands, "signatures")
    plan = Plan(loss="triplet", order="few", classes=4, images=3)
    rows = optimizing.order(plan, given)(1)[:12]
    names = [given.labels[code] for code in given.codes[rows]]
    writers = {name.removesuffix(", forged") for name in names}
    assert len(set(names)) == 4 and len(writers) == 2


def test_a_torch_training_that_cannot_be_says_why(people: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no loss is called 'hinge'"):
        train.metric(people, SMALL, loss="hinge")
    with pytest.raises(InputError, match=r"cnn gives no map of places for a layer of 8 numbers"):
        train.metric(people, SMALL, dims=8, out=tmp_path / "a")
    with pytest.raises(InputError, match="dims must be a whole number from 2 to 4,096, not 1"):
        train.metric(people, TINY, dims=1, out=tmp_path / "a")
    with pytest.raises(InputError, match="a batch of 16 classes cannot be made of 8"):
        train.metric(people, SMALL, classes=16, out=tmp_path / "a")
    with pytest.raises(InputError, match="2 classes are held out, and 4 are needed: half of them to see when to stop"):
        train.metric(people, SMALL, held=0.1, out=tmp_path / "a")
    with pytest.raises(InputError, match="must lie between 0 and 1, not nan"):
        train.metric(people, SMALL, held=float("nan"), out=tmp_path / "a")
    with pytest.raises(InputError, match="the loss supcon has no option 'margin'; it takes: temperature"):
        train.metric(people, SMALL, loss="supcon", margin=0.2, out=tmp_path / "a")
    done = invoke("train", "metric", people, "--margin", "0.2", "--out", tmp_path / "a")
    assert done.exit_code == 1 and "the loss multi-similarity has no option 'margin'" in done.output
    shutil.copytree(people / "p00", tmp_path / "one" / "p00")
    done = invoke("train", "metric", tmp_path / "one")
    assert done.exit_code == 1 and "are of one class" in done.output


def test_the_built_in_torch_network_takes_pictures_of_another_size() -> None:
    from imagekin.train.network import network

    found = network("efficientnet-lite0(size=96, dims=6)")
    assert (found.size, found.dim, found.recipe.mode) == ((96, 96), 6, "squash")
    assert found.module.network.layer.in_features == 320 * 3 * 3
    with pytest.raises(InputError, match="size must be"):
        network("efficientnet-lite0(size=0)")


def test_families_stay_together_when_classes_are_held_out_for_torch() -> None:
    names = [name for writer in "abcdef" for name in (writer, f"{writer}, forged") for _ in range(3)]
    given = pictures.of_files([f"{number}.png" for number in range(len(names))], names)
    learn, held = pictures.held_out(given, 0.34, seed=1, by_class=True)
    assert not set(learn.families().tolist()) & set(held.families().tolist())
    assert len(held) == 12
