"""CSV files as data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from netspec.data import Division, Wanted, open_data
from netspec.data.images.decode import ImageFormat
from netspec.data.task import WantedInput, WantedTarget
from netspec.diagnostics import Exit, NetspecError
from netspec.values import Choice
from tests.data.pictures import RGB, asked, encoded, noise

WHOLE = Division(whole=True)
CLASS = WantedTarget("kind", "class", 2)


def column(*names: str) -> Choice:
    return Choice("column", {"names": names})


def write(root: Path, text: str, encoding: str = "utf-8", images: int = 4) -> Path:
    (root / "pictures").mkdir(exist_ok=True)
    for number in range(images):
        (root / "pictures" / f"{number}.png").write_bytes(encoded(noise(number)))
    (root / "photos.csv").write_text(text, encoding, newline="")
    return root / "photos.csv"


def refused(path: Path, ask: Wanted) -> dict[str, str]:
    with pytest.raises(NetspecError) as caught:
        open_data(path, ask, division=WHOLE)
    assert caught.value.exit == Exit.DATA
    return {d.code: "\n".join([d.message, *d.problem.notes(), d.problem.help() or ""]) for d in caught.value.diagnostics if d.is_error}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_class_by_its_name(tmp_path: Path, delimiter: str, encoding: str, ending: str) -> None:
    rows = ["image,kind", "pictures/0.png,dog", '"pictures/1.png","cat"', "", "pictures/2.png, dog "]
    path = write(tmp_path, ending.join(rows).replace(",", delimiter), encoding)
    opened = open_data(path, asked(CLASS), division=WHOLE)
    assert opened.classes == {"kind": ("cat", "dog")}
    assert opened.test is not None
    assert opened.test.target("kind").tolist() == [1, 0, 1]
    assert opened.test.name(1) == str(tmp_path / "pictures/1.png")
    (batch,) = opened.test.batches(torch.arange(3), [(0, 3)])
    assert batch.inputs["image"].shape == (3, *RGB.shape)


@pytest.mark.parametrize("image", ["image", "path", "file", "filename", "FileName"])
@pytest.mark.parametrize("label", ["kind", "label", "class", "Category"])
def test_the_only_image_and_target_go_by_usual_names(tmp_path: Path, image: str, label: str) -> None:
    path = write(tmp_path, f"id,{image},{label}\n1,pictures/0.png,a\n2,pictures/1.png,b\n")
    assert open_data(path, asked(CLASS), division=WHOLE).classes == {"kind": ("a", "b")}


def test_a_quoted_cell_may_hold_anything(tmp_path: Path) -> None:
    path = write(tmp_path, 'image,kind\npictures/0.png,"a, ""b""\nc"\npictures/1.png,b\n')
    assert open_data(path, asked(CLASS), division=WHOLE).classes == {"kind": ('a, "b"\nc', "b")}


def test_splits_by_a_column(tmp_path: Path) -> None:
    path = write(
        tmp_path, "image,kind,split\npictures/0.png,a,train\npictures/1.png,b,Training\npictures/2.png,b,valid\npictures/3.png,a,test"
    )
    opened = open_data(path, asked(CLASS))
    assert (opened.counts(), opened.own) == ({"train": 2, "val": 1, "test": 1}, True)
    assert {w.code for w in opened.warnings} == {"N740"}
    assert opened.val is not None
    assert opened.val.target("kind").tolist() == [1]


def test_several_targets_and_kinds(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "image,age,left,top,tags,red,green,blue,digit\n"
        "pictures/0.png,3.5,1,2,sea|sky,1,0,true,10\npictures/1.png,-1e2,3,4,,0,1,False,9\npictures/2.png,7,5,6,sky; sun,1,1,1,2\n",
    )
    ask = asked(
        WantedTarget("age", "number", 1),
        WantedTarget("place", "number", 2, source=column("left", "top")),
        WantedTarget("tags", "labels", 3),
        WantedTarget("colours", "labels", 3, source=column("red", "green", "blue")),
        WantedTarget("digit", "class", 3),
    )
    opened = open_data(path, ask, division=WHOLE)
    assert opened.test is not None
    found = {name: opened.test.target(name).tolist() for name in ("age", "place", "tags", "colours", "digit")}
    assert found["age"] == [[3.5], [-100.0], [7.0]]
    assert found["place"] == [[1, 2], [3, 4], [5, 6]]
    assert opened.classes == {"tags": ("sea", "sky", "sun"), "colours": ("red", "green", "blue"), "digit": ("2", "9", "10")}
    assert found["tags"] == [[1, 1, 0], [0, 0, 0], [0, 1, 1]]
    assert found["colours"] == [[1, 0, 1], [0, 1, 0], [1, 1, 1]]
    assert found["digit"] == [2, 1, 0]


def test_several_inputs(tmp_path: Path) -> None:
    path = write(
        tmp_path, "left,right,weight,height,same\npictures/0.png,pictures/1.png,70,1.8,yes\npictures/2.png,pictures/0.png,60,1.7,no\n"
    )
    small = ImageFormat(1, 4, 4)
    inputs = (
        WantedInput("left", RGB.shape, RGB),
        WantedInput("other", small.shape, small, column("right")),
        WantedInput("body", (2,), None, column("weight", "height")),
        WantedInput("height", (1,), None),
    )
    opened = open_data(path, Wanted("Net", inputs, (WantedTarget("same", "class", 1),)), division=WHOLE)
    assert opened.test is not None
    (batch,) = opened.test.batches(torch.tensor([1]), [(0, 1)])
    assert {name: tuple(x.shape[1:]) for name, x in batch.inputs.items()} == {
        "left": (3, 8, 8), "other": (1, 4, 4), "body": (2,), "height": (1,),
    }  # fmt: skip
    assert batch.inputs["body"].tolist() == [[60.0, pytest.approx(1.7)]]
    assert batch.inputs["body"].dtype == torch.float32


def test_rows_without_an_image_go_by_their_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b,kind\n1,2,x\n\n3,4,y\n")
    ask = Wanted("Net", (WantedInput("code", (2,), None, column("a", "b")),), (CLASS,))
    opened = open_data(path, ask, division=WHOLE)
    assert opened.test is not None
    assert opened.test.name(1) == f"{path}:4"
    assert opened.test.inputs["code"].rows(torch.tensor([1])).tolist() == [[3.0, 4.0]]


def test_masks_by_their_paths(tmp_path: Path) -> None:
    path = write(tmp_path, "image,mask\npictures/0.png,m.png\n")
    values = np.arange(144, dtype=np.uint8).reshape(12, 12) % 2
    (tmp_path / "m.png").write_bytes(encoded(Image.fromarray(values)))
    opened = open_data(path, asked(WantedTarget("mask", "mask", 1, 12, 12), wanted=ImageFormat(3, 12, 12)), division=WHOLE)
    assert opened.test is not None
    assert np.array_equal(opened.test.target("mask")[0].numpy(), values)


@pytest.mark.parametrize(
    ("row", "place", "words"),
    [
        ("pictures/1.png,,4", 16, "kind is empty"),
        (",b,4", 1, "image is empty"),
        ("pictures/1.png,b,four", 18, "age is 'four', and must be a number"),
        ('"pictures/1.png","b,c",nan', 24, "age is 'nan', and must be a number"),
        ("pictures/1.png,b,", 18, "age is empty"),
    ],
)
def test_a_cell_that_cannot_be_used_is_located(tmp_path: Path, row: str, place: int, words: str) -> None:
    path = write(tmp_path, f"image,kind,age\npictures/0.png,a,1\n{row}\n")
    said = refused(path, asked(CLASS, WantedTarget("age", "number", 1)))
    assert f"{path}:3:{place}: {words}" in said["N749"]


def test_all_cells_and_all_images_are_said_together(tmp_path: Path) -> None:
    rows = ["pictures/0.png,a,1,train", "pictures/1.png,b,,train", "pictures/9.png,b,2,train", "pictures/3.png,b,3,never"]
    said = refused(write(tmp_path, "\n".join(["image,kind,age,split", *rows])), asked(CLASS, WantedTarget("age", "number", 1)))
    assert set(said) == {"N749", "N711"}
    assert "photos.csv:3:18: age is empty" in said["N749"]
    assert "photos.csv:5:20: split is 'never', and must be train, val or test" in said["N749"]
    assert "pictures/9.png is not an image that can be read: No such file" in said["N711"]


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "N790", "no rows below a header"),
        ("image,kind\n", "N790", "no rows"),
        ("image,kind,kind\na,b,c\n", "N790", "two of its columns are called kind"),
        ('image,kind\n"a,b\n', "N790", "unexpected end of data"),
        ("image,kind\na,b,c\nd\n", "N749", "photos.csv:2:1: the row has 3 cells, and the header 2"),
        ("images,kind\na,b\n", "N748", "has no column image, path, file or filename for image"),
        ("images,kind\na,b\n", "N748", "image = column(images)"),
        ("image,sort\na,b\n", "N748", "its columns are image and sort"),
        ("image,kind,split\npictures/0.png,b,test\n", "N724", "has test"),
    ],
)
def test_what_is_no_manifest(tmp_path: Path, text: str, code: str, words: str) -> None:
    said = refused(write(tmp_path, text), asked(CLASS))
    assert words in said[code]


def test_other_encodings(tmp_path: Path) -> None:
    assert "it is not UTF-8 (byte 29)" in refused(write(tmp_path, "image,kind\npictures/0.png,caf\xe9\n", "latin-1"), asked(CLASS))["N790"]


def test_numbers_have_a_column_each(tmp_path: Path) -> None:
    path = write(tmp_path, "image,left,top\npictures/0.png,1,2\n")
    said = refused(path, asked(WantedTarget("box", "number", 4, source=column("left", "top"))))
    assert "box is 4 numbers, and 2 columns" in said["N748"]


def test_classes_of_other_splits_are_known_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, "image,kind,split\npictures/0.png,a,train\npictures/1.png,b,train\npictures/2.png,c,val\n")
    assert "it lacks a and b and has c" in refused(path, asked(CLASS))["N708"]


def test_rows_of_wrong_length_hide_nothing_else(tmp_path: Path) -> None:
    rows = ["pictures/0.png,a,1,train", "pictures/1.png,b", "pictures/1.png,b,,train", "pictures/9.png,b,2,train", "x,a,3,train,more"]
    said = refused(write(tmp_path, "\n".join(["image,kind,age,split", *rows])), asked(CLASS, WantedTarget("age", "number", 1)))
    assert set(said) == {"N749", "N711"}
    for words in (
        "photos.csv:3:1: the row has 2 cells, and the header 4",
        "photos.csv:4:18: age is empty",
        "photos.csv:6:1: the row has 5 cells, and the header 4",
    ):
        assert words in said["N749"]
    assert "pictures/9.png is not an image that can be read" in said["N711"]


def test_rows_of_wrong_length_and_a_missing_column(tmp_path: Path) -> None:
    said = refused(write(tmp_path, "image,sort\npictures/0.png,a\npictures/1.png\n"), asked(CLASS))
    assert set(said) == {"N748", "N749"}


def test_nothing_follows_from_rows_that_are_left_out(tmp_path: Path) -> None:
    """Two of the three classes stand in rows whose split is unknown: that is all there is to say."""
    rows = ["pictures/0.png,a,train", "pictures/1.png,b,trian", "pictures/2.png,c,trian", "pictures/3.png,b,val"]
    said = refused(write(tmp_path, "\n".join(["image,kind,split", *rows])), asked(WantedTarget("kind", "class", 3)))
    assert set(said) == {"N749"}
    assert said["N749"].count("must be train, val or test") == 2


def test_more_classes_than_the_net_tells_apart_are_told_all_the_same(tmp_path: Path) -> None:
    rows = ["pictures/0.png,a,train", "pictures/1.png,b,train", "pictures/2.png,c,train", "pictures/3.png,b,never"]
    assert set(refused(write(tmp_path, "\n".join(["image,kind,split", *rows])), asked(CLASS))) == {"N749", "N710"}


@pytest.mark.parametrize(
    ("text", "code"),
    [("pictures/0.png,dog\npictures/1.png,cat\n", "N748"), ("5.1,3.5,1.4\n4.9,3.0,1.4\n", "N748"), ("a.png,1,1\nb.png,2,1\n", "N790")],
)
def test_a_header_that_is_missing(tmp_path: Path, text: str, code: str) -> None:
    assert "the header seems to be missing" in refused(write(tmp_path, text), asked(CLASS))[code]


def test_a_header_that_is_there(tmp_path: Path) -> None:
    said = refused(write(tmp_path, "id,2019,2020\n1,2,3\n"), asked(CLASS))
    assert "seems to be missing" not in said["N748"]


def test_a_table_without_rows_for_training(tmp_path: Path) -> None:
    said = refused(write(tmp_path, "image,kind,split\npictures/0.png,b,test\n"), asked(CLASS))["N724"]
    assert "has test, and no row of the split train" in said
    assert "folder" not in said
