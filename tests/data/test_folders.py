"""How a folder of images is read, and what is said of one that is laid out otherwise."""

from __future__ import annotations

import os
import random
import unicodedata
from pathlib import Path

import pytest
import torch

from netspec.cache import Cache
from netspec.data import Division, Splits, open_data
from netspec.data.images.cache import DecodedCache
from netspec.data.layouts.folders import Skipped, images_below
from netspec.data.samples import MemoryColumn, ReadColumn
from netspec.diagnostics import Exit, NetspecError, Problem
from tests.data.pictures import RGB, encoded, noise, task, write_folder


def refused(path: Path, outputs: int = 2) -> tuple[str, str]:
    """The code and the message of the only error; every one of these exits with 3."""
    with pytest.raises(NetspecError) as caught:
        open_data(path, task(outputs))
    (found,) = [d for d in caught.value.diagnostics if d.is_error]
    assert caught.value.exit == Exit.DATA
    assert found.problem.help()
    return found.code, found.message


def names(splits: Splits) -> dict[str, list[tuple[str, int]]]:
    found = {}
    for split, samples in splits.sets().items():
        found[split] = [(samples.name(i), label) for i, label in enumerate(samples.target("output").tolist())]
    return found


def test_own_splits_are_taken_as_they_are(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train/b": 3, "train/a": 2, "valid/a": 1, "valid/b": 1, "test/b/deep/er": 1, "test/a": 2, "notes/x": 1})
    opened = open_data(tmp_path, task())
    assert opened.classes["output"] == ("a", "b")
    assert opened.counts() == {"train": 5, "val": 2, "test": 3}
    assert opened.own
    assert names(opened)["test"] == [
        (str(tmp_path / p), n) for p, n in (("test/a/0.png", 0), ("test/a/1.png", 0), ("test/b/deep/er/0.png", 1))
    ]
    assert [w.code for w in opened.warnings] == ["N720"]
    assert "notes" in opened.warnings[0].message()


def test_without_validation_nothing_is_held_out(tmp_path: Path) -> None:
    opened = open_data(write_folder(tmp_path, {"train/a": 4, "train/b": 4, "test/a": 1, "test/b": 1}), task())
    assert opened.counts() == {"train": 8, "test": 2}
    assert opened.val is None


def test_splits_by_their_other_names(tmp_path: Path) -> None:
    """They are not to be taken for two classes, which a net of two classes would learn without a word."""
    opened = open_data(write_folder(tmp_path, {"training/a": 2, "training/b": 1, "testing/a": 1, "testing/b": 1}), task())
    assert (opened.classes["output"], opened.counts(), opened.own) == (("a", "b"), {"train": 3, "test": 2}, True)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    opened = open_data(write_folder(tmp_path, {"train": 10, "bus": 10}), task())
    assert opened.classes["output"] == ("bus", "train")
    assert not opened.own


def test_shares_are_drawn_class_by_class_and_repeatably(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": 20, "b": 10, "c": 1})
    first = open_data(tmp_path, task(3))
    assert first.counts() == {"train": 25, "val": 3, "test": 3}
    assert first.train is not None
    assert 2 in first.train.target("output").tolist()
    assert names(first) == names(open_data(tmp_path, task(3)))
    assert names(first) != names(open_data(tmp_path, task(3), division=Division(seed=1)))
    every = [name for split in names(first).values() for name, _ in split]
    assert len(set(every)) == 31
    assert open_data(tmp_path, task(3), division=Division((1.0, 0.0, 0.0))).counts() == {"train": 31}
    assert open_data(tmp_path, task(3), division=Division(whole=True)).counts() == {"test": 31}


def test_order_does_not_depend_on_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path, {"a": 9, "b": 9})
    before = names(open_data(tmp_path, task()))
    real = os.scandir

    class Shuffled:
        def __init__(self, path: Path) -> None:
            with real(path) as entries:
                self.entries = list(entries)
            random.Random(1).shuffle(self.entries)

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self.entries

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr("netspec.data.layouts.folders.os.scandir", Shuffled)
    assert names(open_data(tmp_path, task())) == before


def test_hidden_entries_and_links_to_folders_are_ignored(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "data", {"a": 2, "b": 2, ".git/x": 1, "__MACOSX/a": 1})
    (root / "Thumbs.db").touch()
    (root / "a" / "._0.png").write_bytes(b"junk")
    (root / "a" / "loop").symlink_to(root)
    (root / "b" / "linked.png").symlink_to(root / "b" / "0.png")
    opened = open_data(root, task(), division=Division(whole=True))
    assert opened.counts() == {"test": 5}
    assert opened.hidden == 4
    assert [w.message() for w in opened.warnings] == [f"1 entry of {root} left out: a/loop"]


@pytest.mark.parametrize(
    ("counts", "code", "words"),
    [
        ({}, "N703", "no images"),
        ({"a": 0, "b": 0}, "N703", "no images"),
        ({"a": 2, "b": 0, "c": 0}, "N704", "2 classes without images in {root}: b and c"),
        ({"only": 3}, "N705", "has only only"),
        (
            {".": 7, "a": 1, "b": 1},
            "N706",
            "7 images beside the folders of classes in {root}: 0.png, 1.png, 2.png, 3.png, 4.png and 2 more",
        ),
        ({".": 2}, "N707", "are in no folder of a class"),
        (
            {"train/a": 1, "train/b": 1, "test/b": 1, "test/c": 1},
            "N708",
            "the classes of test in {root} are not those of train: it lacks a and has c",
        ),
        ({"Cat": 1, "cat": 1}, "N709", "Cat and cat"),
        ({"a": 1, "b": 1, "c": 1}, "N710", "the net tells apart 2 classes, and the data has 3: a, b and c"),
        ({"train/a": 1, "train/b": 1, "val/a": 1, "val/b": 1, "valid/a": 1}, "N716", "val and valid"),
        ({"train/a": 1, "train/b": 1, "training/a": 1}, "N716", "more than one split for training: train and training"),
        ({"val/a": 1, "val/b": 1, "test/a": 1}, "N724", "has test and val, and no folder train"),
    ],
)
def test_wrong_layouts(tmp_path: Path, counts: dict[str, int], code: str, words: str) -> None:
    found, message = refused(write_folder(tmp_path, counts), 3 if code == "N704" else 2)
    assert found == code
    assert words.format(root=tmp_path) in message


def test_names_that_differ_only_in_their_accents(tmp_path: Path) -> None:
    composed, apart = "caf\u00e9", unicodedata.normalize("NFD", "caf\u00e9")
    code, message = refused(write_folder(tmp_path, {composed: 1, apart: 1}))
    assert code == "N709"
    assert "caf\\xe9" in message
    assert "cafe\\u0301" in message


def test_names_that_are_odd_but_fine(tmp_path: Path) -> None:
    odd = ("-rf", "new\nline", "שלום", "🐈", "x" * 200)
    opened = open_data(write_folder(tmp_path, dict.fromkeys(odd, 1)), task(5), division=Division(whole=True))
    assert opened.classes["output"] == tuple(sorted(odd))


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": 1, os.fsdecode(b"\xff\xfe"): 1})
    assert refused(tmp_path)[0] == "N723"


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    assert refused(tmp_path / "absent")[0] == "N701"
    (tmp_path / "data.zip").write_bytes(b"PK")
    assert refused(tmp_path / "data.zip")[0] == "N702"
    os.mkfifo(tmp_path / "pipe.npz")
    assert refused(tmp_path / "pipe.npz")[0] == "N702"


def test_every_bad_image_is_named_at_once(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": 3, "b": 3})
    (tmp_path / "a" / "empty.jpg").touch()
    (tmp_path / "a" / "text.jpg").write_text("not a picture")
    (tmp_path / "b" / "cut.jpg").write_bytes(encoded(noise(0, 40), "JPEG")[:500])
    with pytest.raises(NetspecError) as caught:
        open_data(tmp_path, task())
    (found,) = [d for d in caught.value.diagnostics if d.is_error]
    assert found.message == "3 files cannot be read as images"
    notes = list(found.problem.notes())
    for note, (name, words) in zip(
        sorted(notes), [("a/empty.jpg", "empty"), ("a/text.jpg", "text"), ("b/cut.jpg", "damaged")], strict=True
    ):
        assert str(tmp_path / name) in note
        assert words in note


def test_doubles_are_reported(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train/a": 2, "train/b": 2, "test/a": 1, "test/b": 1}, first_seed=5)
    (tmp_path / "test/a/copy.png").write_bytes((tmp_path / "train/a/0.png").read_bytes())
    (tmp_path / "train/b/copy.png").write_bytes((tmp_path / "train/a/1.png").read_bytes())
    messages = {w.code: w.message() for w in open_data(tmp_path, task()).warnings}
    assert messages == {
        "N721": "1 image of test also in train, byte for byte: test/a/copy.png",
        "N722": "1 image in more than one class, byte for byte: train/a/1.png = train/b/copy.png",
    }


def test_decoding_again_gives_what_memory_holds(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train/a": 5, "train/b": 6, "test/a": 1, "test/b": 1})
    kept, streamed = open_data(tmp_path, task()).train, open_data(tmp_path, task(), budget=0).train
    assert kept is not None
    assert streamed is not None
    assert isinstance(kept.inputs["image"], MemoryColumn)
    assert isinstance(streamed.inputs["image"], ReadColumn)
    order = torch.randperm(11, generator=torch.Generator().manual_seed(0))
    bounds = [(0, 3), (3, 6), (6, 9), (9, 11)]
    for first, again in zip(kept.batches(order, bounds), streamed.batches(order, bounds), strict=True):
        assert first.inputs["image"].shape[1:] == RGB.shape
        assert torch.equal(first.inputs["image"], again.inputs["image"])
        assert torch.equal(first.targets["output"], again.targets["output"])


def test_a_file_that_vanishes_while_training(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train/a": 2, "train/b": 2, "test/a": 1, "test/b": 1})
    images = open_data(tmp_path, task(), budget=0).train
    assert images is not None
    gone = Path(images.name(2))
    gone.unlink()
    with pytest.raises(NetspecError, match=r"0\.png is not an image that can be read: No such file") as caught:
        list(images.batches(torch.arange(4), [(0, 2), (2, 4)]))
    assert caught.value.exit == Exit.DATA


def test_the_fingerprint_sees_every_change(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train/a": 2, "train/b": 2, "test/a": 1, "test/b": 1})
    seen = {open_data(tmp_path, task()).fingerprint}
    assert {open_data(tmp_path, task()).fingerprint} == seen
    (tmp_path / "train/a/0.png").rename(tmp_path / "train/a/9.png")
    seen.add(open_data(tmp_path, task()).fingerprint)
    (tmp_path / "train/a/9.png").write_bytes(encoded(noise(99)))
    seen.add(open_data(tmp_path, task()).fingerprint)
    (tmp_path / "train/a/9.png").rename(tmp_path / "train/b/9.png")
    seen.add(open_data(tmp_path, task()).fingerprint)
    assert len(seen) == 4


def test_a_class_that_is_missing_keeps_its_number(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train/a": 2, "train/b": 2, "train/c": 2, "val/c": 1, "val/a": 1, "test/b": 2, "test/c": 0})
    opened = open_data(tmp_path, task(3))
    assert opened.classes["output"] == ("a", "b", "c")
    assert [n for _, n in names(opened)["val"]] == [0, 2]
    assert [n for _, n in names(opened)["test"]] == [1, 1]
    assert [w.message() for w in opened.warnings] == [
        "val has no sample of 1 of the 3 classes: b",
        "test has no sample of 2 of the 3 classes: a and c",
    ]


def test_a_file_of_pictures_may_be_kept_on_disk(tmp_path: Path) -> None:
    """What memory does not hold is read from the cache, and is the same."""
    write_folder(tmp_path / "data", {"train/a": 5, "train/b": 6, "test/a": 1, "test/b": 2})
    told: list[Problem] = []
    cache = DecodedCache(Cache(tmp_path / "cache", 10**9), told.append)
    kept = open_data(tmp_path / "data", task())
    for _ in range(2):
        stored = open_data(tmp_path / "data", task(), budget=0, cache=cache)
        assert not told
        assert stored.fingerprint == kept.fingerprint
        for one, other in zip(stored.sets().values(), kept.sets().values(), strict=True):
            assert not isinstance(one.inputs["image"], MemoryColumn | ReadColumn)
            order = torch.arange(len(one)).flip(0)
            for first, second in zip(*(s.batches(order, [(0, 1), (1, len(one))]) for s in (one, other)), strict=True):
                assert torch.equal(first.inputs["image"], second.inputs["image"])
                assert torch.equal(first.targets["output"], second.targets["output"])


def test_some_splits_alone(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train/a": 2, "train/b": 2, "test/a": 1, "test/b": 1})
    (tmp_path / "train/a/broken.jpg").touch()
    opened = open_data(tmp_path, task(), only=("test",))
    assert (opened.counts(), opened.available) == ({"test": 2}, ("train", "test"))
    assert open_data(tmp_path, task(), only=("val",)).counts() == {}


def test_a_folder_to_predict_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said of training there."""

    def refuse(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("netspec.data.layouts.folders.os.scandir", refuse)
    with pytest.raises(NetspecError) as caught:
        images_below(tmp_path, Skipped())
    assert [(d.code, d.message) for d in caught.value.diagnostics] == [("N860", f"nothing to predict at {tmp_path}: Permission denied")]
