"""Training a network end to end: parts of it, the loop, interruptions, and the model that comes of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from imagekin import embed, train
from imagekin.cli.app import app
from imagekin.errors import InputError, LockedError, ModelError
from imagekin.train import learning, pictures, runs
from imagekin.train.plan import Plan
from tests import stripes
from tests.torch_networks import lively, need, saved, unit

QUICK: dict[str, Any] = {
    "unfreeze": None, "epochs": 8, "batch": 8, "lr": 0.003, "backbone": 1.0, "augment": "none", "device": "cpu"
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def torch() -> Any:
    return need("torch", "timm", "safetensors")[0]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stripes.folder(tmp_path_factory.mktemp("photos"), 24)


@pytest.fixture(scope="module")
def learned(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> train.Learned:
    """A small network that has learned to see patterns."""
    return train.finetune(photos, "cnn(fc2=16, side=32)", out=tmp_path_factory.mktemp("runs") / "first", **QUICK)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A little ResNet of timm with weights that spread its answers."""
    timm = pytest.importorskip("timm")
    file = saved(lively(timm.create_model("test_resnet")), tmp_path_factory.mktemp("weights") / "tiny.safetensors")
    return f"timm:test_resnet.r160_in1k(weights={str(file)!r}, size=64)"


def made(spec: str, seed: int = 0) -> Any:
    from imagekin.train.network import network

    return network(spec, seed=seed)


def two(photos: Path) -> tuple[pictures.Pictures, pictures.Pictures]:
    return pictures.held_out(pictures.of_folder(photos), 0.3, seed=0)


def fed(network: Any, photos: Path, **plan: Any) -> Any:
    from imagekin.train import feeds

    asked = Plan(**{**QUICK, **plan})
    network.unfreeze(asked.unfreeze)
    return feeds.feed(network, *two(photos), asked)


def fit(network: Any, feed: Any, objective: Any = None, **how: Any) -> Any:
    from imagekin.train import loop

    objective = objective or learning.objective_of(feed.plan, network.dim, 4)
    return loop.fit(network, objective, feed, **how)


# the network


def test_the_built_in_network_gives_its_vectors_in_pytorch_too() -> None:
    from imagekin.embed import probe, torch_network

    network = made("efficientnet-lite0")
    shown = probe.pictures(3, network.size, seed=5)
    wanted = embed.create("efficientnet-lite0", precision="fp32").embed_prepared(shown)
    assert np.allclose(unit(torch_network.answer(network.module, shown)), wanted, atol=1e-5)
    assert network.pretrained
    assert [name for name, _ in network.stages] == [
        "conv_stem", "blocks.0.0", "blocks.1", "blocks.2", "blocks.3", "blocks.4", "blocks.5", "blocks.6"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ("cnn(fc2=8)", ["conv1", "conv2", "fc1.1", "fc2"]),
        ("timm:test_resnet(weights='random')", ["conv1.0", "layer1.0", "layer2.0", "layer3.0", "layer4.0"]),
        ("torchvision:resnet18(weights='random')", ["conv1", "layer1", "layer2", "layer3", "layer4"]),
    ],
)
def test_stages_go_from_input_to_output_and_hold_every_parameter_once(spec: str, names: list[str]) -> None:
    if spec.startswith("torchvision"):
        need("torchvision")
    network = made(spec)
    assert [name for name, _ in network.stages] == names
    counted = sum(each.numel() for _, some in network.stages for each in some)
    assert counted == sum(each.numel() for each in network.module.parameters())
    assert network.unfreeze(2) == tuple(names[-2:])
    frozen = [each.requires_grad for _, some in network.stages[:-2] for each in some]
    assert not any(frozen)
    assert all(each.requires_grad for _, some in network.stages[-2:] for each in some)
    with pytest.raises(InputError, match=f"has {len(names)} stages to unfreeze .* and not 99"):
        network.unfreeze(99)


def test_random_weights_are_those_of_the_seed(torch: Any) -> None:
    first, again, other = made("cnn", 1).state(), made("cnn", 1).state(), made("cnn", 2).state()
    assert torch.equal(first["fc2.weight"], again["fc2.weight"])
    assert not torch.equal(first["fc2.weight"], other["fc2.weight"])


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("hub:somebody/something", "cannot be trained; what can is: efficientnet-lite0"),
        ("hog", "cannot be trained"),
        ("timm:", "cannot be trained"),
        ("cnn(fc3=1)", "cnn has no option 'fc3'; it takes: fc2, side, channels"),
        ("cnn(fc2=0)", "fc2 .* from 1 to 65536, not 0"),
        ("cnn(channels=2)", "channels"),
        ("efficientnet-lite0(depth=96)", "has no option 'depth'; it takes: size"),
    ],
)
def test_what_cannot_be_trained_is_said(spec: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        made(spec)


# two halves


def test_the_halves_of_a_chain_answer_as_the_whole_and_share_its_weights(torch: Any, tiny: str) -> None:
    from imagekin.embed import probe
    from imagekin.train import cut

    network = made(tiny)
    network.unfreeze(2)
    halves = cut.halves(network.module, network.size)
    assert halves is not None
    assert halves.shape == (48, 8, 8)
    seen = torch.from_numpy(probe.pictures(3, network.size, seed=9))
    between = halves.before(seen)
    assert between.shape == (3, halves.numbers)
    assert torch.allclose(halves.after(between), network.module(seen), atol=1e-5)
    assert not any(each.requires_grad for each in halves.before.parameters())
    with torch.no_grad():
        network.stages[-1][1][0].mul_(0)
    assert torch.allclose(halves.after(between), network.module(seen), atol=1e-5)


def test_a_network_that_is_no_chain_is_not_cut_nor_one_that_learns_from_its_first_part() -> None:
    from imagekin.train import cut

    transformer = made("timm:test_vit.r160_in1k(weights='random')")
    transformer.unfreeze(1)
    assert cut.halves(transformer.module, transformer.size) is None
    small = made("cnn")
    small.unfreeze(None)
    assert cut.halves(small.module, small.size) is None


def test_what_is_kept_of_a_frozen_half_is_what_it_gives(torch: Any, tiny: str, photos: Path) -> None:
    from imagekin.train import loop
    from imagekin.train.kept import Kept

    network = made(tiny)
    feed = fed(network, photos, unfreeze=2, augment="crop")
    assert isinstance(feed, Kept)
    assert feed.how == "6 views of each picture went through the frozen stages once"
    shown = np.stack([network.recipe.apply(Image.open(path)) for path in feed.check.pictures.paths])
    with torch.no_grad():
        wanted = network.module(torch.from_numpy(shown)).numpy()
    found = loop.features(feed.module, feed.check.batches())
    assert np.allclose(unit(found), unit(wanted), atol=2e-3)  # float16 lies between
    rows = [np.arange(8), np.arange(8, 12)]
    batches = list(feed.batches(rows, 1))
    assert [len(codes) for _, codes in batches] == [8, 4]
    again = next(iter(feed.batches(rows, 1)))
    assert torch.equal(batches[0][0], again[0])
    assert not torch.equal(batches[0][0], next(iter(feed.batches(rows, 2)))[0])
    assert batches[0][1].tolist() == feed.learn.codes[:8].tolist()


# the loop


def test_a_network_learns_to_see_what_tells_classes_apart(learned: train.Learned) -> None:
    change = learned.trial.precision
    assert learned.trial.learned + learned.trial.images < 96
    assert change.name == "precision@2"
    assert change.before < 0.7
    assert change.after > 0.9
    assert learned.best >= 1
    assert learned.history[-1].loss is not None
    assert learned.history[1].loss is not None
    assert learned.history[-1].loss < learned.history[1].loss < 2
    assert learned.run.facts["state"] == "done"


def test_the_result_is_a_model_like_any_other(torch: Any, learned: train.Learned, tmp_path: Path) -> None:
    from imagekin.embed import torch_network

    folder = str(learned.run.folder)
    model = embed.create(folder)
    again = made(folder)
    assert (model.dim, model.name, model.input_size) == (16, "first", (32, 32))
    shown = np.stack([model.prepare(stripes.striped("across", seed)) for seed in range(5)])
    assert np.allclose(model.embed_prepared(shown), unit(torch_network.answer(again.module, shown)), atol=1e-3)
    assert embed.create(model.spec, fingerprint=model.fingerprint).spec == model.spec
    assert embed.create(str(learned.run.model)).recipe == again.recipe
    shutil.copytree(folder, tmp_path / "moved")
    assert embed.create(str(tmp_path / "moved")).fingerprint == model.fingerprint


def test_only_what_is_unfrozen_changes(torch: Any, tiny: str, photos: Path) -> None:
    network = made(tiny)
    before = network.state()
    fit(network, fed(network, photos, unfreeze=1, epochs=2))
    after = network.state()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed <= {"layer4"}
    statistics = [name for name in before if "running" in name and not torch.equal(before[name], after[name])]
    assert statistics == []


def test_the_same_seed_gives_the_same_numbers(photos: Path) -> None:
    first, again, other = (_losses(photos, seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def _losses(photos: Path, seed: int) -> list[float | None]:
    network = made("cnn(side=32)", 0)
    return [epoch.loss for epoch in fit(network, fed(network, photos, epochs=2, seed=seed, augment="colour"))]


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(torch: Any, photos: Path, tmp_path: Path) -> None:
    whole = train.finetune(photos, "cnn(fc2=16, side=32)", out=tmp_path / "whole", **{**QUICK, "epochs": 3})

    def stop(moment: Any) -> None:
        if moment.epoch == 2 and moment.done == 2:
            raise KeyboardInterrupt

    again = {"out": tmp_path / "parts", **QUICK, "epochs": 3}
    with pytest.raises(KeyboardInterrupt):
        train.finetune(photos, "cnn(fc2=16, side=32)", watch=(None, stop), **again)
    stopped = runs.Run.open(tmp_path / "parts")
    assert stopped.facts["state"] == "stopped"
    assert [epoch.number for epoch in stopped.history] == [0, 1]
    assert 'http-equiv="refresh"' not in (stopped.folder / runs.CURVES).read_text("utf-8")
    with pytest.raises(InputError, match="holds a training already; go on with it by --resume"):
        train.finetune(photos, "cnn(fc2=16, side=32)", **again)
    with pytest.raises(InputError, match=r"was begun with lr=0.003, not 0.02"):
        train.finetune(photos, "cnn(fc2=16, side=32)", resume=True, **{**again, "lr": 0.02})
    with pytest.raises(InputError, match="was begun with model='cnn.fc2=16, side=32.', not 'cnn'"):
        train.finetune(photos, "cnn", resume=True, **again)
    parts = train.finetune(photos, "cnn(fc2=16, side=32)", resume=True, **again)
    assert [(epoch.loss, epoch.precision) for epoch in parts.history] == [
        (epoch.loss, epoch.precision) for epoch in whole.history
    ]
    one, other = (made(str(each.run.folder)).state() for each in (whole, parts))
    assert all(torch.equal(one[name], other[name]) for name in one)
    with pytest.raises(InputError, match="has come to its end"):
        train.finetune(photos, "cnn(fc2=16, side=32)", resume=True, **again)


def begun(photos: Path, out: Path, spec: str = "cnn(side=32)", **how: Any) -> runs.Run:
    """A training that was interrupted in its second epoch."""

    def stop(moment: Any) -> None:
        if moment.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.finetune(photos, spec, out=out, watch=(None, stop), **{**QUICK, "epochs": 3, **how})
    return runs.Run.open(out)


def test_the_time_of_an_interrupted_training_is_counted_once(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]

    def pass_by(moment: Any) -> None:
        now[0] += 100.0 * (moment.done == 1)

    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    begun(photos, tmp_path / "run")
    again = {**QUICK, "epochs": 3}
    found = train.finetune(photos, "cnn(side=32)", out=tmp_path / "run", resume=True, watch=(None, pass_by), **again)
    assert found.run.facts["seconds"] == found.history[-1].seconds == 200


def test_a_training_that_began_from_another_goes_on_from_no_other_weights(
    photos: Path, learned: train.Learned, tmp_path: Path
) -> None:
    run = begun(photos, tmp_path / "run", str(learned.run.folder))
    again: dict[str, Any] = {"out": run.folder, "resume": True, **QUICK, "epochs": 3}
    with pytest.raises(InputError, match="was begun with other weights"):
        train.finetune(photos, run.facts["model"], **again)
    assert len(train.finetune(photos, str(learned.run.folder), **again).history) == 4


def test_a_folder_takes_neither_a_networks_name_nor_options(
    learned: train.Learned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(learned.run.folder, tmp_path / "cnn")
    monkeypatch.chdir(tmp_path)
    assert (made("cnn").dim, made("./cnn").dim) == (128, 16)
    with pytest.raises(InputError, match=r"has its own layers already; leave out side, dims"):
        made("./cnn(side=64, dims=8)")


@pytest.mark.parametrize("plan", [[], {"loss": []}, {"epochs": "many"}, {"options": 5}, None])
def test_a_damaged_plan_is_said(photos: Path, learned: train.Learned, tmp_path: Path, plan: Any) -> None:
    folder = shutil.copytree(learned.run.folder, tmp_path / "run")
    (folder / "run.json").write_text(json.dumps({**learned.run.facts, "state": "stopped", "plan": plan}), "utf-8")
    with pytest.raises(InputError, match="the plan of .*run is damaged; train into another folder"):
        train.finetune(photos, "cnn(fc2=16, side=32)", out=folder, resume=True, **QUICK)


def test_options_that_were_wrong_leave_nothing_in_the_way(photos: Path, tmp_path: Path) -> None:
    for unfreeze in (9, None):
        how = {**QUICK, "epochs": 1, "unfreeze": unfreeze}
        if unfreeze is None:
            assert len(train.finetune(photos, "cnn(side=32)", out=tmp_path / "run", **how).history) == 2
        else:
            with pytest.raises(InputError, match="4 stages to unfreeze"):
                train.finetune(photos, "cnn(side=32)", out=tmp_path / "run", **how)


def test_pictures_to_judge_by_that_cannot_be_read_are_told_before_anything_is_learned(
    photos: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(photos, tmp_path / "photos")
    test = learning._Parts.of(pictures.of_folder(folder), 0.3, 0, False).test
    for number, path in enumerate(test.paths):
        if test.codes[number] in test.codes[:number]:  # so that one of each class is left
            Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * number)
    with pytest.raises(InputError, match="those to tell what was gained are not of two classes"):
        train.finetune(folder, "cnn(side=32)", out=tmp_path / "run", **QUICK)
    assert not (tmp_path / "run" / runs.CHECKPOINT).exists()


def test_a_training_stops_when_nothing_is_gained_any_more(photos: Path) -> None:
    network = made("cnn(side=32)")
    history = fit(network, fed(network, photos, epochs=50, patience=2, lr=1e-9))
    assert len(history) < 10
    best = max(epoch.number for epoch in history if epoch.best)
    assert history[-1].number == best + 2


def test_a_limit_of_time_ends_it(photos: Path) -> None:
    network = made("cnn(side=32)")
    history = fit(network, fed(network, photos, epochs=1000, patience=1000, minutes=0.01))
    assert 1 <= len(history) < 1000


def test_a_loss_that_is_no_number_is_said_at_once(torch: Any, photos: Path) -> None:
    class Broken(torch.nn.Module):  # type: ignore[misc]
        def forward(self, features: Any, codes: Any) -> Any:
            return features.sum() * float("nan")

    network = made("cnn(side=32)")
    before = network.state()
    with pytest.raises(ModelError, match=r"the loss became nan in epoch 1, .* lower rate than lr=0.003"):
        fit(network, fed(network, photos), Broken())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state().items() if "weight" in name)


def narrow(torch: Any, module: Any, room: int, always: bool = False) -> Any:
    """A module that has room for so many pictures only while it learns, or always, as on a graphics card."""

    class Full(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, given: Any) -> Any:
            if (self.training or always) and len(given) > room:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB")
            return self.inner(given)

    return Full()


def test_where_memory_is_full_the_batch_goes_through_in_parts(
    torch: Any, tiny: str, photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = []
    for room in (1000, 4):
        network = made(tiny)
        feed = fed(network, photos, unfreeze=1, epochs=1, augment="none")
        feed.module = narrow(torch, feed.module, room)
        history = fit(network, feed)
        found.append(history[1].loss)
        assert history[1].batch == min(room, 8)
    assert "from now on 4 pictures at once" in caplog.text
    assert found[0] == pytest.approx(found[1], rel=2e-3)  # sums in another order, and AdamW's small steps
    network = made(tiny)
    feed = fed(network, photos, unfreeze=1, epochs=1)
    feed.module = narrow(torch, feed.module, 1)
    with pytest.raises(ModelError, match="does not fit into the memory of cpu even with 2 pictures at once"):
        fit(network, feed)


def test_where_memory_is_full_vectors_are_made_in_parts_too(torch: Any, photos: Path) -> None:
    from imagekin.train import loop

    network = made("cnn(side=32)")
    feed = fed(network, photos)
    wanted = loop.features(feed.module, feed.check.batches())
    found = loop.features(narrow(torch, feed.module, 3, always=True), feed.check.batches())
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    with pytest.raises(ModelError, match="does not hold what the network makes of one picture"):
        loop.features(narrow(torch, feed.module, 0, always=True), feed.check.batches())


def test_parts_of_a_batch_keep_pairs_and_two_classes(torch: Any, photos: Path) -> None:
    network = made("cnn(side=32)")
    feed = fed(network, photos, loss="contrastive", order="few", classes=4, images=3, epochs=1)
    feed.module = narrow(torch, feed.module, 7)
    assert fit(network, feed)[1].batch == 6
    feed.module = narrow(torch, feed.module, 5)
    with pytest.raises(ModelError, match="does not fit into the memory of cpu even with 6 pictures at once"):
        fit(network, feed)


@pytest.mark.parametrize("unfreeze", [None, 3])
def test_norms_learn_only_where_the_whole_network_does(torch: Any, photos: Path, unfreeze: int | None) -> None:
    network, seen = made("cnn(side=32)"), []

    def look(moment: Any) -> None:
        seen.append(network.state()["conv2.1.running_mean"].abs().sum().item())

    fit(network, fed(network, photos, unfreeze=unfreeze, epochs=1), watch=look)
    assert (seen[-2] > 0) == (unfreeze is None)


# what comes in


def test_files_that_cannot_be_read_are_told_and_left_out(tiny: str, photos: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(photos, tmp_path / "photos")
    (folder / "down" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    for spec, unfreeze in (("cnn(side=32)", None), (tiny, 1)):
        found = train.finetune(folder, spec, out=tmp_path / spec[:3], **{**QUICK, "epochs": 1, "unfreeze": unfreeze})
        assert [Path(skip.path).name for skip in found.skipped] == ["broken.jpg"]
        assert "truncated" in found.skipped[0].reason
        counts = found.run.facts["images"]
        assert sum(counts.values()) == 96
        assert (counts["learn"], counts["test"]) == (found.trial.learned, found.trial.images)


def test_two_processes_do_not_train_into_one_folder(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"

    def second(moment: Any) -> None:
        with pytest.raises(LockedError, match="another process trains into"):
            train.finetune(photos, "cnn(side=32)", out=out, resume=True, **QUICK)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.finetune(photos, "cnn(side=32)", out=out, watch=(None, second), **QUICK)


def test_a_damaged_checkpoint_is_said(torch: Any, photos: Path, tmp_path: Path) -> None:
    def stop(moment: Any) -> None:
        if moment.epoch == 1 and moment.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.finetune(photos, "cnn(side=32)", out=tmp_path / "run", watch=(None, stop), **QUICK)
    kept = torch.load(tmp_path / "run" / runs.CHECKPOINT, weights_only=True)
    kept["network"] = {"network.other": torch.zeros(1)}
    torch.save(kept, tmp_path / "run" / runs.CHECKPOINT)
    with pytest.raises(InputError, match="cannot be gone on from .it is of another network.; train into another"):
        train.finetune(photos, "cnn(side=32)", out=tmp_path / "run", resume=True, **QUICK)
    (tmp_path / "run" / runs.CHECKPOINT).write_bytes(b"PK no such thing")
    with pytest.raises(InputError, match="cannot be gone on from"):
        train.finetune(photos, "cnn(side=32)", out=tmp_path / "run", resume=True, **QUICK)


def test_new_classes_can_be_held_out(photos: Path, tmp_path: Path) -> None:
    given = pictures.of_folder(stripes.folder(tmp_path / "many", 6, stripes.PATTERNS))
    learn, held = pictures.held_out(given, 0.5, seed=0, by_class=True)
    assert set(learn.codes) & set(held.codes) == set()


# the command


def command(*words: str) -> Result:
    return CliRunner().invoke(app, ["train", "finetune", *words])


def test_the_command_trains_tells_the_gain_and_where_the_model_is(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = [str(photos), "--model", "cnn(side=32)", "--unfreeze", "all", "--out", str(out), "--lr", "0.01"]
    done = command(*words, "--epochs", "2", "--batch", "16", "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert "68 images of 4 classes learned from, 2 epochs" in done.stdout
    assert "precision@2" in done.stdout
    assert f"--model {out}" in done.stdout
    lines = [line for line in done.stderr.splitlines() if line.startswith("epoch")]
    assert [line.split()[1] for line in lines] == ["0", "1", "2"]
    assert f"How it goes: {out}/curves.html" in done.stderr
    page = (out / "curves.html").read_text("utf-8")
    assert "cnn(side=32): done" in page
    assert 'http-equiv="refresh"' not in page


def test_the_command_says_what_is_wrong_in_a_sentence(photos: Path, tmp_path: Path) -> None:
    for words, says in (
        ([str(tmp_path / "nowhere")], "is not a folder"),
        ([str(photos / "across")], "are of one class, 'across'"),
        ([str(photos), "--resume"], "say which by --out FOLDER"),
        ([str(photos), "--unfreeze", "0.5"], "neither a number of stages"),
        ([str(photos), "--model", "cnn", "--unfreeze", "9", "--out", str(tmp_path / "x")], "4 stages to unfreeze"),
        ([str(photos), "--model", "nothing", "--out", str(tmp_path / "y")], "'nothing' cannot be trained"),
    ):
        done = command(*words)
        assert done.exit_code in (1, 2)
        assert says in done.output
        assert "Traceback" not in done.output


def test_the_figures_as_data(photos: Path, tmp_path: Path) -> None:
    words = ["--model", "cnn(side=32)", "--unfreeze", "all", "--epochs", "1", "--json", "--out", str(tmp_path / "run")]
    done = command(str(photos), *words)
    facts = json.loads(done.stdout)
    assert facts["plan"]["epochs"] == 1
    assert facts["plan"]["unfreeze"] is None
    assert len(facts["history"]) == 2
    assert facts["trial"]["changes"][0]["name"] == "precision@2"
