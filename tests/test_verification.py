"""Calibration of collections, and verdicts, through Python and the command line."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin import verification
from imagekin.collection import Collection
from imagekin.errors import DamagedError, InputError
from imagekin.store.base import Batch
from imagekin.testing.oracle import synthetic_put
from imagekin.verification import kept, measured
from imagekin.verification.listed import of_file
from imagekin.verification.pairs import joined, of_labels
from tests.people import PEOPLE, PHOTOS, Run, opened, portrait, runner
from tests.pictures import folder

GENUINE = PEOPLE * PHOTOS * (PHOTOS - 1) // 2
IMPOSTORS = PEOPLE * PHOTOS * (PEOPLE * PHOTOS - 1) // 2 - GENUINE


photos, run = pytest.fixture(opened, name="photos"), pytest.fixture(runner, name="run")


def write(path: Path, lines: list[str], header: str = "a,b,same") -> Path:
    path.write_text("\n".join([header, *lines]) + "\n", "utf-8")
    return path


def slow_eer(genuine: list[float], impostor: list[float]) -> float:
    """The least of the larger of both errors, over all thresholds."""
    worst = [
        max(sum(d <= t for d in impostor) / len(impostor), sum(d > t for d in genuine) / len(genuine))
        for t in {*genuine, *impostor}
    ]
    return min(worst)


def test_all_pairs_of_a_small_collection_are_taken_and_their_error_rate_is_true(photos: Collection) -> None:
    found = verification.calibrate(photos)
    assert (found.genuine, found.kind().impostors, found.identities, found.pictures) == (
        GENUINE, IMPOSTORS, PEOPLE, PEOPLE * PHOTOS,
    )  # fmt: skip
    ids, vectors = photos.vectors()
    labels = [item.label for item in photos.get(ids)]
    near: dict[bool, list[float]] = {True: [], False: []}
    for one, other in combinations(range(len(ids)), 2):
        near[labels[one] == labels[other]].append(1 - float(vectors[one] @ vectors[other]))
    assert found.kind().eer == pytest.approx(slow_eer(near[True], near[False]), abs=0.02)
    assert 0 < found.kind().eer < 0.3
    assert found.kind().low <= found.kind().eer <= found.kind().high
    tenth = found.kind().rates[0]
    passed = sum(gap <= tenth.threshold + 1e-6 for gap in near[False]) / IMPOSTORS
    assert passed == pytest.approx(0.1, abs=2 / IMPOSTORS)
    assert tenth.tar == pytest.approx(sum(gap <= tenth.threshold + 1e-6 for gap in near[True]) / GENUINE, abs=0.02)
    assert 0.03 < (tenth.held_out or 0) < 0.3


def test_the_smallest_honest_rate_is_thirty_by_the_impostors(photos: Collection) -> None:
    found = verification.calibrate(photos)
    assert {rate.far: rate.honest for rate in found.kind().rates} == {0.1: True, 0.01: False, 0.001: False}
    assert any("1,650 random impostors can speak of a false accept rate of 0.018" in note for note in found.notes)
    assert list(verification.of(photos.store).thresholds) == [0.1]  # type: ignore[union-attr]


def test_identities_are_never_parted(photos: Collection) -> None:
    pairs = of_labels(photos)
    folds = measured.parted(pairs, seed=0)
    assert folds is not None
    for learn, test in measured.halved(pairs, folds):
        assert learn.any()
        assert test.any()
        seen = set(pairs.identities[pairs.rows[learn]].ravel().tolist())
        assert not seen & set(pairs.identities[pairs.rows[test]].ravel().tolist())


def test_the_same_seed_gives_the_same_calibration(photos: Collection) -> None:
    one, other = (verification.calibrate(photos, keep=False, seed=3) for _ in range(2))
    assert one.kinds == other.kinds
    assert verification.of(photos.store) is None


def test_probabilities_hold_on_held_out_people(photos: Collection) -> None:
    found = verification.calibrate(photos)
    assert found.scaling == min(found.losses, key=lambda name: found.losses[name])
    assert max(found.losses.values()) < 1
    assert found.error is not None
    assert found.error < 0.15


def test_verdicts(photos: Collection, people: Path) -> None:
    verification.calibrate(photos)
    same = verification.verify(photos, people / "p00/0.png", people / "p00/0.png")
    assert (same.same, round(same.similarity, 3), same.far <= 0.1) == (True, 1, True)
    assert verification.verify(photos, people / "p00/0.png", people / "p00/1.png", far=0.1).far == 0.1
    assert same.probability > 0.9
    other = verification.verify(photos, portrait(3, 50), portrait(4, 50))
    assert not other.same
    assert other.probability < 0.3
    rare = verification.verify(photos, portrait(3, 50), portrait(3, 51), prior=0.001)
    often = verification.verify(photos, portrait(3, 50), portrait(3, 51))
    assert rare.probability < often.probability
    ids = [item.id for item in photos.items(label="p01")][:2]
    by_id = verification.verify(photos, *ids)
    files = verification.verify(photos, *(photos.get([each])[0].path for each in ids))
    assert by_id.distance == pytest.approx(files.distance, abs=1e-3)


def test_a_collection_that_is_not_calibrated_gives_no_verdict(photos: Collection) -> None:
    with pytest.raises(InputError, match=r"the similarity is \d+\.\d%, but .* is not calibrated.*--from-labels"):
        verification.verify(photos, portrait(1, 50), portrait(1, 51))
    with pytest.raises(InputError, match="no item 12345"):
        verification.verify(photos, 12345, 1)


def test_options_that_make_no_sense(photos: Collection) -> None:
    for prior in (0, 1, -1, float("nan"), "x"):
        with pytest.raises(InputError, match="between 0 and 1"):
            verification.calibrate(photos, prior=prior)  # type: ignore[arg-type]
    verification.calibrate(photos)
    with pytest.raises(
        InputError, match=r"no threshold was calibrated for a false accept rate of 0.001; there are: 0.1"
    ):
        verification.verify(photos, 1, 2, far=0.001)


def test_collections_without_pairs_say_why(tmp_path: Path) -> None:
    cases = {
        "one class": (["a/1.png", "a/2.png"], "one class"),
        "one each": (["a/1.png", "b/1.png"], "one image only"),
    }
    for name, (names, sentence) in cases.items():
        with imagekin.open(tmp_path / name, model="pixels") as photos:
            photos.index(folder(tmp_path / f"{name} pictures", names))
            with pytest.raises(InputError, match=sentence):
                verification.calibrate(photos)
            assert verification.of(photos.store) is None


def test_copies_are_no_pairs(photos: Collection, people: Path, tmp_path: Path) -> None:
    shutil.copytree(people / "p00", tmp_path / "more" / "p00")
    photos.index(tmp_path / "more")
    found = verification.calibrate(photos)
    assert found.genuine == GENUINE + 2 * PHOTOS * PHOTOS - PHOTOS - PHOTOS * (PHOTOS + 1) // 2
    assert any(note.startswith(f"{PHOTOS} pairs of a picture and itself, or a copy") for note in found.notes)


# -- files of pairs -------------------------------------------------------------------------------------------------


def listed(people: Path, persons: range, kind: str = "") -> list[str]:
    """Pairs of two photographs each of some people, and of each with the next."""
    lines = []
    for person in persons:
        for one, other in combinations(range(3), 2):
            lines.append(f"{people}/p{person:02}/{one}.png,{people}/p{person:02}/{other}.png,1{kind}")
            lines.append(f"{people}/p{person:02}/{one}.png,{people}/p{(person + 1) % 12:02}/{other}.png,0{kind}")
    return lines


def test_pairs_of_a_file_give_what_their_labels_give(photos: Collection, people: Path, tmp_path: Path) -> None:
    everything = [sorted(people.glob(f"p{person:02}/*.png")) for person in range(PEOPLE)]
    flat = [(path, person) for person, paths in enumerate(everything) for path in paths]
    lines = [f"{a},{b},{int(p == q)}" for (a, p), (b, q) in combinations(flat, 2)]
    by_file = verification.calibrate(photos, write(tmp_path / "pairs.csv", lines), keep=False)
    by_label = verification.calibrate(photos, keep=False)
    assert by_file.kind().eer == pytest.approx(by_label.kind().eer)
    assert (by_file.identities, by_file.genuine) == (by_label.identities, by_label.genuine)


def test_skilled_forgeries_are_told_apart_and_guard_the_threshold(photos: Collection, tmp_path: Path) -> None:
    """Forgeries are photographs with a little more change than true ones."""
    lines = []
    for person in range(PEOPLE):
        for number in range(20):
            for name, seed, noise in (("a", number, 40), ("b", 30 + number, 40), ("f", 60 + number, 70)):
                path = tmp_path / f"{person}-{number}{name}.png"
                portrait(person, seed, noise).save(path)
            lines.append(f"{person}-{number}a.png,{person}-{number}b.png,same,")
            lines.append(f"{person}-{number}a.png,{person}-{number}f.png,different,skilled")
            lines.append(f"{person}-{number}a.png,{(person + 1) % PEOPLE}-{number}b.png,no,random")
    header = "a,b,same,kind"
    found = verification.calibrate(photos, write(tmp_path / "pairs.csv", lines, header))
    assert [kind.name for kind in found.kinds] == ["random", "skilled"]
    assert found.kind("skilled").eer > found.kind("random").eer + 0.05
    calibration = verification.of(photos.store)
    assert calibration is not None
    assert calibration.equal[1] == found.kind("skilled").threshold < found.kind("random").threshold
    assert calibration.eer == found.kind("skilled").eer


def test_a_forger_stays_with_the_forged(photos: Collection, people: Path, tmp_path: Path) -> None:
    lines = [
        f"{people}/p00/0.png,{people}/p00/1.png,1,",
        f"{people}/p00/0.png,{people}/p01/0.png,0,skilled",
        f"{people}/p00/0.png,{people}/p02/0.png,0,",
    ]
    pairs = of_file(photos, write(tmp_path / "pairs.csv", lines, "a,b,same,kind"))
    assert len(set(pairs.identities.tolist())) == 3
    assert len(set(pairs.groups.tolist())) == 2


def test_identities_may_be_named(photos: Collection, people: Path, tmp_path: Path) -> None:
    header, lines = "a,b,same,identity_a,identity_b", []
    for person in range(PEOPLE):
        for other in range(person, PEOPLE):
            names = f"{people}/p{person:02}/0.png,{people}/p{other:02}/1.png"
            lines.append(f"{names},{int(person == other)},p{person},p{other}")
    found = verification.calibrate(photos, write(tmp_path / "pairs.csv", lines, header), keep=False)
    assert found.identities == PEOPLE
    lines.append(f"{people}/p00/2.png,{people}/p00/3.png,1,p0,p1")
    with pytest.raises(InputError, match="says same = 1 of the identities 'p0' and 'p1'"):
        verification.calibrate(photos, write(tmp_path / "pairs.csv", lines, header))


def test_chains_of_pairs_are_one() -> None:
    assert (
        joined(6, [(0, 1), (1, 2), (4, 5)]).tolist() == [1, 1, 1, 2, 3, 3]
        or len({*joined(6, [(0, 1), (1, 2), (4, 5)]).tolist()}) == 3
    )
    numbers = joined(6, [(0, 1), (1, 2), (4, 5)]).tolist()
    assert numbers[0] == numbers[1] == numbers[2] != numbers[3] != numbers[4] == numbers[5]


def test_pictures_that_cannot_be_read_are_told(photos: Collection, people: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    lines = [*listed(people, range(PEOPLE)), "broken.png,gone.png,1"]
    found = verification.calibrate(photos, write(tmp_path / "pairs.csv", lines))
    assert [Path(skip.path).name for skip in found.skipped] == ["broken.png", "gone.png"]
    assert any(note.startswith("1 of 73 pairs were left out") for note in found.notes)
    with pytest.raises(InputError, match="none of the 1 pairs"):
        verification.calibrate(photos, write(tmp_path / "bad.csv", ["broken.png,gone.png,1"]))


def test_a_chain_of_the_same_contradicts_a_pair_that_is_different(
    photos: Collection, people: Path, tmp_path: Path
) -> None:
    one, two, three, other = (f"{people}/{name}.png" for name in ("p00/0", "p00/1", "p00/2", "p01/0"))
    chain = [f"{one},{two},1,", f"{two},{three},1,", f"{one},{other},0,"]
    path = write(tmp_path / "pairs.csv", [*chain, f"{three},{one},0,"], "a,b,same,kind")
    with pytest.raises(InputError, match="line 5 of .* says that .*2.png.* and .*0.png.* are different"):
        of_file(photos, path)
    forged = of_file(photos, write(path, [*chain, f"{three},{one},0,skilled"], "a,b,same,kind"))
    assert forged.kinds == ("random", "skilled")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no column 'a'"),
        ("a,b,same\n", "has no pair"),
        ("a,same\nx,1\n", "has no column 'b'"),
        ("a,b,same\nx.png,y.png,maybe\n", "line 2 of .* is no pair"),
        ("a,b,same\nx.png,,1\n", "line 2 of .* is no pair"),
        ("a,b,same\nx.png,y.png,1\ny.png,x.png,0\n", "lines 2 and 3 contradict each other"),
    ],
)
def test_files_of_pairs_that_make_no_sense(photos: Collection, tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match=sentence):
        verification.calibrate(photos, path)
    assert verification.of(photos.store) is None


def test_pairs_of_one_sort_or_of_a_picture_with_itself(photos: Collection, people: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the file of pairs"):
        verification.calibrate(photos, tmp_path / "none.csv")
    one = [f"{people}/p00/0.png,{people}/p00/1.png,1"]
    with pytest.raises(InputError, match="no pair that shows different things"):
        verification.calibrate(photos, write(tmp_path / "pairs.csv", one))
    itself = [f"{people}/p00/0.png,{people}/p00/0.png,1", f"{people}/p00/0.png,{people}/p01/1.png,0"]
    with pytest.raises(InputError, match="no pair that shows the same, of 2"):
        verification.calibrate(photos, write(tmp_path / "pairs.csv", itself))


def test_few_identities_give_rates_and_say_that_nothing_is_held_out(
    photos: Collection, people: Path, tmp_path: Path
) -> None:
    lines = [f"{people}/p00/{a}.png,{people}/p00/{b}.png,1" for a, b in combinations(range(4), 2)]
    lines += [f"{people}/p00/{a}.png,{people}/p01/{a}.png,0" for a in range(4)]
    found = verification.calibrate(photos, write(tmp_path / "pairs.csv", lines), keep=False)
    assert (found.scaling, found.losses, found.error) == ("platt", {}, None)
    assert found.kind().rates[0].held_out is None
    assert any("too few to hold some out" in note for note in found.notes)


# -- what is kept ---------------------------------------------------------------------------------------------------


def test_a_calibration_is_kept_with_the_collection_and_taken_away(photos: Collection) -> None:
    assert photos.info().get("calibration") is None
    verification.calibrate(photos)
    with imagekin.open(photos.location) as other:
        says = other.info()["calibration"]
        assert (says["genuine"], says["impostors"], says["stale"]) == (GENUINE, IMPOSTORS, False)
    assert verification.forget(photos.store)
    assert verification.of(photos.store) is None
    assert not verification.forget(photos.store)


def test_a_reducer_that_changes_distances_makes_it_stale_and_calibrates_anew(photos: Collection) -> None:
    verification.calibrate(photos)
    photos.reduce = "pca:10"  # only chooses candidates
    assert verification.of(photos.store) is not None
    photos.reduce = "lda:5"
    assert verification.of(photos.store) is None
    assert verification.is_stale(photos.store)
    with pytest.raises(InputError, match="was calibrated for other vectors"):
        verification.verify(photos, 1, 2)
    found = verification.calibrate(photos)
    assert any(
        "lda:5 made, which learned from its labels; so for these pairs it learned again" in note for note in found.notes
    )
    ids = [item.id for item in photos.items(label="p03")]
    near = photos.search(id=ids[0], k=1)[0]
    assert verification.verify(photos, ids[0], near.id).distance == pytest.approx(near.distance, abs=1e-3)
    photos.reduce = None
    assert verification.is_stale(photos.store)


@pytest.mark.parametrize("reducer", ["head", "lda"])
def test_what_learned_from_the_labels_is_tried_on_classes_that_it_did_not_learn(
    photos: Collection, reducer: str
) -> None:
    items = list(photos.items())
    codes = np.random.default_rng(0).permutation(np.repeat(np.arange(PEOPLE), PHOTOS))
    vectors = [photos.store.vectors([item.id])[1][0] for item in items]
    photos.remove([item.id for item in items])
    puts = [synthetic_put(at, one, label=f"p{codes[at]}") for at, one in enumerate(vectors)]
    photos.store.write(Batch(puts=puts))
    photos.reduce = reducer
    pairs = of_labels(photos)
    known = replace(pairs, seen=None).distances(photos.store)
    assert known[pairs.same].mean() < 0.5 * known[~pairs.same].mean()  # which it knows by heart
    found = verification.calibrate(photos)
    assert 0.35 < found.kind().eer < 0.65  # labels drawn at random say nothing
    assert any("learned again, 3 times, without the classes that the pairs are of" in note for note in found.notes)
    left, right = (pairs.identities[side] for side in pairs.rows.T)
    assert (left == right).sum() == GENUINE
    assert 0 < (left != right).sum() < IMPOSTORS / 2


def test_each_model_has_its_own(photos: Collection, people: Path) -> None:
    verification.calibrate(photos)
    with imagekin.open(photos.location, model="pixels(side=4)") as other:
        other.index()
        assert verification.of(other.store) is None
        verification.calibrate(other)
        assert verification.of(other.store) != verification.of(photos.store)
        verification.forget(other.store)
    assert verification.of(photos.store) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"prior": 0}, {"prior": 2.0}, {"prior": "x"}, {"eer": float("nan")}, {"eer": 7}, {"genuine": -1},
        {"scaling": {"name": "evil"}}, {"scaling": 3}, {"thresholds": [["a", 1]]}, {"thresholds": None},
        {"scaling": {"name": "platt", "slope": 5, "level": 1}}, {"identities": True},
        {"eer": 10**400}, {"thresholds": [[0.1, -(10**400)]]},
        {"scaling": {"name": "platt", "slope": -(10**400), "level": 1}},
        {"scaling": {"name": "isotonic", "places": [0, 10**400], "odds": [1, 0]}}, {"scaling": {"name": []}},
    ],
)  # fmt: skip
def test_a_calibration_from_a_stranger_is_checked(photos: Collection, change: dict[str, Any]) -> None:
    verification.calibrate(photos)
    says = photos.store.settings()[kept.SETTING]
    photos.store.set({kept.SETTING: {**says, **change}})
    with pytest.raises(DamagedError, match="not as imagekin writes it"):
        verification.of(photos.store)
    assert "fault" in photos.info()["calibration"]
    assert any("calibration" in fault for fault in photos.check())
    assert photos.search(id=1, k=2)


# -- the command line -----------------------------------------------------------------------------------------------


def test_calibrate_search_info_and_verify_from_the_shell(run: Run, people: Path, tmp_path: Path) -> None:
    plain = run("search", people / "p00/0.png", "-k", 3)
    assert "match" not in plain.stdout
    done = run("calibrate", "--from-labels", "--plot", tmp_path / "roc.png")
    assert done.exit_code == 0, done.output
    assert f"{GENUINE:,} pairs that show the same, and different ones: {IMPOSTORS:,} random" in done.stdout
    assert "equal error rate" in done.stdout
    assert (tmp_path / "roc.png").stat().st_size > 20_000
    assert "match" in run("search", people / "p00/0.png", "-k", 3).stdout.splitlines()[0]
    hits = json.loads(run("search", people / "p00/0.png", "-k", 3, "--json").stdout)
    assert [hit["match"] for hit in hits] == sorted((hit["match"] for hit in hits), reverse=True)
    assert "match" not in run("search", people / "p00/0.png", "--rerank", "k-reciprocal").stdout
    assert "calibrated" in run("info").stdout
    same = run("verify", people / "p00/0.png", people / "p00/0.png")
    assert (same.exit_code, same.stdout.split()[0]) == (0, "same")
    different = run("verify", people / "p00/0.png", people / "p05/1.png", "--json")
    assert (different.exit_code, json.loads(different.stdout)["same"]) == (1, False)
    assert run("calibrate", "--forget").exit_code == 0
    none = run("verify", people / "p00/0.png", people / "p00/1.png")
    assert (none.exit_code, "not calibrated" in none.stderr) == (2, True)


def test_calibrate_prints_json_and_keeps_nothing_when_dry(run: Run, photos: Collection) -> None:
    done = run("calibrate", "--from-labels", "--dry-run", "--json")
    says = json.loads(done.stdout)
    assert says["kinds"][0]["name"] == "random"
    assert says["kinds"][0]["rates"][2]["threshold"] is None or says["kinds"][0]["rates"][2]["tar"] >= 0
    assert verification.of(photos.store) is None


def test_wrong_usage(run: Run) -> None:
    assert run("calibrate").exit_code == 2
    assert run("calibrate", "pairs.csv", "--from-labels").exit_code == 2
    assert run("verify", "a.png").exit_code == 2
    assert run("calibrate", "--from-labels", "--plot", "x.txt").exit_code == 1


def test_real_faces(shared_data: Path, tmp_path: Path) -> None:
    """Ten people of the ORL faces: the pixels alone tell most pairs apart, and say how sure they are."""
    with imagekin.open(tmp_path / "faces", model="pixels") as photos:
        photos.index(*(shared_data / "orl_faces" / f"s{number}" for number in range(1, 11)))
        found = verification.calibrate(photos)
        assert (found.genuine, found.kind().impostors) == (450, 4500)
        assert found.kind().eer < 0.35
        assert found.error is not None
        assert found.error < 0.12
        shown = np.array([found.kind().far, found.kind().frr])
        assert (np.diff(shown[0]) >= 0).all()
        assert (np.diff(shown[1]) <= 0).all()
