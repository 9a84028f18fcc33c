"""What is said to write where data does not hold what a net asks for, is right when it is written."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netspec.compiler import compile_source
from netspec.data import Division, open_data
from netspec.data.task import wanted_data
from netspec.diagnostics import NetspecError
from netspec.source import Source
from netspec.training.stages import lessons

NET = "net A {\nimage: input(3x8x8)\nflatten -> linear(%d)\n}\n%s\n"
TWO = "net B {\nimage: input(3x8x8)\nflatten -> all: identity\nall -> kind: linear(2)\nall -> age: linear(3)\noutput(kind, age)\n}\n%s\n"


def pictures(folder: Path) -> Path:
    for name in ("cat", "dog"):
        (folder / "pets" / name).mkdir(parents=True)
        for i in range(10):
            noise = np.random.default_rng(i + 10 * len(name)).integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / "pets" / name / f"{name}{i}.png")
    return folder / "pets"


def opened(text: str, data: Path) -> None:
    graph = compile_source(Source("a.net", text))[0]
    wanted = wanted_data(graph, (objective for lesson in lessons(graph) for objective in lesson.learned))
    open_data(data, wanted, division=Division((0.8, 0.1, 0.1), 0))


def refused(text: str, data: Path) -> tuple[str, str]:
    with pytest.raises(NetspecError) as caught:
        opened(text, data)
    problem = caught.value.diagnostics[0].problem
    return problem.code, problem.help() or ""


@pytest.mark.parametrize(("outputs", "loss", "cure"), [(2, "binary_cross_entropy", "cross_entropy"), (2, "mae", "cross_entropy"),
                                                       (1, "mse", "binary_cross_entropy")])  # fmt: skip
def test_the_loss_that_folders_of_classes_are_for_comes_first(tmp_path: Path, outputs: int, loss: str, cure: str) -> None:
    data = pictures(tmp_path)
    code, said = refused(NET % (outputs, f"train {{ loss = {loss} }}"), data)
    assert code == "N791"
    assert said.startswith(f"to learn the class that each folder is, write loss = {cure}; else give a .csv file")
    opened(NET % (outputs, f"train {{ loss = {cure} }}"), data)


def test_columns_that_were_asked_for_need_a_table(tmp_path: Path) -> None:
    code, said = refused(NET % (2, "data { target age = column(age) }\ntrain { loss = mae }"), pictures(tmp_path))
    assert code == "N791" and said.startswith("give a .csv file")


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("photo_file,label", "data { input image = column(photo_file) }"),
        ("image,the kind", 'data { target output = column("the kind") }'),
    ],
)
def test_a_column_that_is_named_can_be_pasted(tmp_path: Path, header: str, line: str) -> None:
    data = pictures(tmp_path)
    rows = [f"{path.parent.name}/{path.name},{path.parent.name}" for path in sorted(data.glob("*/*.png"))]
    (data / "pets.csv").write_text("\n".join([header, *rows]) + "\n")
    image = header.split(",")[0]
    first = f'data {{ input image = column("{image}x") }}' if "photo" in header else 'data { target output = column("kind x") }'
    code, said = refused(NET % (2, first), data / "pets.csv")
    assert code == "N748"
    found = re.search(r"data \{ (?:input|target) .* \}", said)
    assert found is not None and found[0].split(" = ")[0] == line.split(" = ")[0]
    opened(NET % (2, line), data / "pets.csv")
