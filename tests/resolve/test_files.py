"""Files that use files: found from where they are, read once, refused with the place of the `use` that leads to them."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from netspec.compiler import compile_source, diagnose, load
from netspec.diagnostics import Diagnostic, Exit, NetspecError
from netspec.diagnostics.render import render
from netspec.graph import Graph
from netspec.limits import MAX_BYTES, USE_DEPTH, USE_FILES
from netspec.resolve import files as reading
from netspec.source import Source
from netspec.syntax.read import read_source
from tests.errors.text import marked, position

LIB = """net Lib(width = 4) {
    image: input(3x16x16)
    features: { conv(width, 3) -> relu }
    global_avgpool -> flatten -> head: linear(2)
}
"""
MAIN = """use lib from "%s"
net Main {
    image: input(3x8x8)
    base: lib.features -> flatten -> linear(3)
}
"""


def written(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files; gives the path of the first."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / next(iter(files))


def said(path: Path) -> tuple[Diagnostic, ...]:
    return diagnose(read_source(path))


def only(path: Path) -> Diagnostic:
    found = said(path)
    assert len(found) == 1, render(found)
    return found[0]


def keys(graph: Graph) -> list[str]:
    return [key for key, _, _ in graph.weights()]


# ---- where files are


@pytest.mark.parametrize(
    ("use", "place"),
    [
        ("./lib.net", "lib.net"),
        ("lib.net", "lib.net"),
        ("parts/lib.net", "parts/lib.net"),
        ("./parts/../lib.net", "lib.net"),
        (".//lib.net", "lib.net"),
        ("a b, (c).net", "a b, (c).net"),
        ("größe.net", "größe.net"),
    ],
)
def test_a_path_is_seen_from_the_folder_of_the_file(tmp_path: Path, use: str, place: str) -> None:
    main = written(tmp_path, {"main.net": MAIN % use, place: LIB, "parts/other.net": LIB})
    assert keys(load(main)) == ["base.0.weight", "base.0.bias", "2.weight", "2.bias"]


def test_the_working_directory_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, {"specs/main.net": MAIN % "./lib.net", "specs/lib.net": LIB, "lib.net": "net Wrong { }"})
    expected = keys(load(tmp_path / "specs" / "main.net"))
    for folder, path in (
        ("specs", "main.net"),
        (".", "specs/main.net"),
        ("/", str(tmp_path / "specs" / "main.net")),
        ("specs", "../specs/main.net"),
    ):
        monkeypatch.chdir(tmp_path / folder)
        assert keys(load(path)) == expected


def test_a_used_file_uses_others_from_its_own_folder(tmp_path: Path) -> None:
    files = {
        "main.net": MAIN % "parts/lib.net",
        "parts/lib.net": 'use deep from "deep/block.net"\nuse near from "../near.net"\n' + LIB.replace("relu", "deep -> near"),
        "parts/deep/block.net": "block deep { conv(5, 1) }",
        "near.net": "block near { bn }",
    }
    graph = load(written(tmp_path, files))
    assert keys(graph)[:5] == ["base.0.weight", "base.0.bias", "base.1.0.weight", "base.1.0.bias", "base.2.0.weight"]
    assert list(graph.files) == ["parts/lib.net", "parts/deep/block.net", "near.net"]
    assert graph.files["near.net"] == "block near { bn }"


def test_an_absolute_path(tmp_path: Path) -> None:
    place = tmp_path.resolve() / "lib.net"
    main = written(tmp_path.resolve(), {"main.net": MAIN % place, "lib.net": LIB})
    assert list(load(main).files) == [str(place)]


def test_standard_input_and_texts_use_files_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, {"lib.net": LIB})
    monkeypatch.chdir(tmp_path)
    assert diagnose(Source("<stdin>", MAIN % "./lib.net")) == ()


@pytest.mark.parametrize("name", ["vgg", "resnet", "googlenet", "lenet5"])
def test_the_library_is_the_same_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (name_of_net,) = ({"vgg": "VGG16", "resnet": "resnet18", "googlenet": "google_net", "lenet5": "LeNet5"}[name],)
    channels = 1 if name == "lenet5" else 3
    text = f'use {name_of_net} from "netspec:{name}"\nnet Main {{ image: input({channels}x64x64)\n{name_of_net} }}'
    if name == "lenet5":
        text = text.replace("64x64", "28x28")
    (graph,) = compile_source(Source("main.net", text))
    assert list(graph.files) == [f"netspec:{name}"]


# ---- what a name means there


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Lib", LIB),
        ("lib", LIB),
        ("L_I_B", LIB),
        ("anything", LIB),
        ("anything", LIB + "block other { relu }"),
        ("lib", LIB + "net Other { image: input(3x2x2)\nrelu }"),
        ("lib_small", LIB + "net LibSmall = Lib(width=2)"),
    ],
)
def test_names_that_are_found(tmp_path: Path, name: str, file: str) -> None:
    text = MAIN.replace("lib", name) % "lib.net"
    assert said(written(tmp_path, {"main.net": text, "lib.net": file})) == ()


def test_the_exact_name_goes_before_one_of_another_case(tmp_path: Path) -> None:
    file = "block step { relu }\nblock Step { tanh }\nblock STEP { sigmoid }"
    text = 'use Step from "b.net"\nuse step from "b.net"\nnet Main { image: input(3x2x2)\nStep -> step }'
    assert [n.layer for n in load(written(tmp_path, {"main.net": text, "b.net": file})).layers] == ["tanh", "relu"]


@pytest.mark.parametrize(
    ("name", "file", "hint"),
    [
        ("libb", LIB + "net Other { image: input(3x2x2)\nrelu }", "did you mean Lib?"),
        ("zebra", LIB + "net Other { image: input(3x2x2)\nrelu }", "it has Lib and Other"),
        ("zebra", "block one { relu }\nblock two { relu }", "it has one and two"),
        ("zebra", "", "it defines none"),
        ("zebra", "# nothing but this\ntrain { epochs = 3 }", "it defines none"),
    ],
)
def test_names_that_are_not_found(tmp_path: Path, name: str, file: str, hint: str) -> None:
    found = only(written(tmp_path, {"main.net": MAIN.replace("lib", name) % "b.net", "b.net": file}))
    assert (found.code, marked(found), found.problem.help()) == ("N322", name, hint)


@pytest.mark.parametrize(
    ("text", "code", "mark"),
    [
        ('use conv from "lib.net"\n', "N305", "conv"),
        ('use residual from "lib.net"\n', "N305", "residual"),
        ('use lib from "lib.net"\nuse lib from "lib.net"\n', "N304", "lib"),
        ('use lib from "lib.net"\nblock lib { relu }\n', "N304", "lib"),
        ('net lib { image: input(3x2x2)\nrelu }\nuse lib from "lib.net"\n', "N304", "lib"),
    ],
)
def test_names_that_are_taken(tmp_path: Path, text: str, code: str, mark: str) -> None:
    found = only(written(tmp_path, {"main.net": text + "net Main { image: input(3x8x8)\nrelu }", "lib.net": LIB}))
    assert (found.code, marked(found)) == (code, mark)


@pytest.mark.parametrize("net", ["lib", "Lib"])
def test_a_net_may_be_called_as_one_that_the_used_file_has(tmp_path: Path, net: str) -> None:
    text = f'use other from "lib.net"\nnet {net} {{ image: input(3x16x16)\nother }}'
    assert said(written(tmp_path, {"main.net": text, "lib.net": LIB})) == ()


def test_a_net_may_be_made_from_a_used_one(tmp_path: Path) -> None:
    text = 'use lib from "lib.net"\nnet Wide = lib(width=8)\nexpect Wide { features = 8x14x14, parameters = 242 }'
    (graph,) = compile_source(read_source(written(tmp_path, {"main.net": text, "lib.net": LIB})))
    assert (graph.name, graph.expectations, graph.settings) == ("Wide", 2, {"width": 8})
    assert load(tmp_path / "main.net", settings={"width": "5"}).output_shapes() == {"head": (2,)}
    with pytest.raises(NetspecError, match="expected features = 9x14x14, and it is 8x14x14"):
        load(written(tmp_path, {"main.net": text.replace("8x14", "9x14"), "lib.net": LIB}))


def test_sections_of_a_used_file_are_its_own(tmp_path: Path) -> None:
    sections = "\ntrain { epochs = 99 }\nexpect { parameters = 1 }\n"
    graph = load(written(tmp_path, {"main.net": MAIN % "lib.net", "lib.net": LIB + sections}))
    assert not graph.train.present
    assert graph.expectations == 0


# ---- files that cannot be used


def test_a_circle_is_told_in_order(tmp_path: Path) -> None:
    files = {
        "a.net": 'use b from "b.net"\nnet A { image: input(3x2x2)\nb }',
        "b.net": '\n\nuse c from "./c.net"\nnet B { image: input(3x2x2)\nc }',
        "c.net": f'\nuse a from "../{tmp_path.name}/a.net"\nnet C {{ image: input(3x2x2)\na }}',
    }
    written(tmp_path, files)
    for first, chain in (("a", "a.net:1 -> b.net:3 -> c.net:2 -> a.net"), ("c", "c.net:2 -> a.net:1 -> b.net:3 -> c.net")):
        found = only(tmp_path / f"{first}.net")
        shown = found.message.replace(f"{tmp_path}/", "").replace(f"../{tmp_path.name}/", "")
        assert (found.code, shown) == ("N320", f"this file uses itself: {chain}")


@pytest.mark.parametrize("use", ["a.net", "./a.net", "b/../a.net", "hard.net"])
def test_a_file_that_uses_itself(tmp_path: Path, use: str) -> None:
    main = written(tmp_path, {"a.net": f'use a from "{use}"\nnet A {{ image: input(3x2x2)\nrelu }}', "b/c.net": ""})
    os.link(main, tmp_path / "hard.net")
    found = only(main)
    assert (found.code, position(found)) == ("N320", (1, 12))
    assert found.message.startswith("this file uses itself: ")


def test_files_that_use_one_another_in_part_are_a_circle_too(tmp_path: Path) -> None:
    files = {
        "a.net": 'use b from "b.net"\nblock a { relu }\nnet A { image: input(3x2x2)\nb }',
        "b.net": 'use a from "a.net"\nblock b { a }',
    }
    assert only(written(tmp_path, files)).code == "N320"


def chain(length: int) -> dict[str, str]:
    """Files each of which uses the next."""
    files = {f"f{i}.net": f'use f{i + 1} from "f{i + 1}.net"\nblock f{i} {{ f{i + 1} }}' for i in range(length)}
    files["f0.net"] = files["f0.net"].replace("block f0 {", "net A { image: input(3x2x2)\n")
    return files | {f"f{length}.net": f"block f{length} {{ relu }}"}


def test_a_chain_of_files_has_an_end(tmp_path: Path) -> None:
    assert said(written(tmp_path / "short", chain(USE_DEPTH))) == ()
    found = only(written(tmp_path / "long", chain(20)))
    assert (found.code, found.message) == ("N323", f"files use files more than {USE_DEPTH} deep")
    assert found.place is not None
    assert found.place.source.name.endswith(f"f{USE_DEPTH}.net")


def star(count: int) -> dict[str, str]:
    """A file that uses so many others."""
    uses = "\n".join(f'use b{i} from "b{i}.net"' for i in range(count))
    return {"main.net": f"{uses}\nnet A {{ image: input(3x2x2)\nb0 }}", **{f"b{i}.net": f"block b{i} {{ relu }}" for i in range(count)}}


def test_a_spec_uses_so_many_files(tmp_path: Path) -> None:
    assert said(written(tmp_path / "few", star(USE_FILES))) == ()
    found = said(written(tmp_path / "many", star(70)))
    assert {d.code for d in found} == {"N323"}
    assert [position(d)[0] for d in found] == [65, 66, 67, 68, 69, 70]


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        ("missing.net", "there is no such file"),
        ("nowhere/lib.net", "there is no such file"),
        ("folder.net", "it is a folder"),
        ("lib.net/lib.net", "Not a directory"),
        ("pipe.net", "it is a device or a pipe"),
        ("lib.txt", "a spec's name ends in .net"),
        ("lib", "a spec's name ends in .net"),
        ("", "a spec's name ends in .net"),
        ("lib.net/", "a spec's name ends in .net"),
        ("large.net", f"it has {MAX_BYTES + 1:,} bytes, and a spec has at most {MAX_BYTES:,}"),
        ("latin.net", "it is not UTF-8 at byte 2, and looks like Latin-1"),
        ("utf16.net", "it is not UTF-8 at byte 0, and looks like UTF-16"),
        ("LIB.net", "there is no such file"),
        ("https://example.org/lib.net", "nothing is fetched from the network"),
        ("netspec:nothing", "there is no such file"),
        ("netspec:../specs/vgg", "names of the library have letters, digits and underscores"),
        ("netspec:", "names of the library have letters, digits and underscores"),
        ("netspec:VGG", "there is no such file"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used(tmp_path: Path, use: str, reason: str) -> None:
    files = {"main.net": MAIN % use, "lib.net": LIB, "folder.net/x.net": LIB, "large.net": "#" * (MAX_BYTES + 1)}
    main = written(tmp_path, {**files, "latin.net": "# é".encode("latin-1") + b"\n", "utf16.net": LIB.encode("utf-16")})
    os.mkfifo(tmp_path / "pipe.net")
    began = time.monotonic()
    found = only(main)
    assert time.monotonic() - began < 5
    assert (found.code, found.message, marked(found)) == ("N321", f'"{use}" cannot be used: {reason}', f'"{use}"')
    assert found.problem.exit is Exit.SPEC


@pytest.mark.parametrize(
    ("use", "hint"),
    [
        ("./lbi.net", "there is lib.net"),
        ("LIB.net", "there is lib.net"),
        ("netspec:resnet_50", "there is netspec:resnet"),
        ("parts/x.net", 'write "./name.net" for a file beside this one, and "netspec:name" for one of the library'),
    ],
)
def test_what_is_there_instead(tmp_path: Path, use: str, hint: str) -> None:
    assert (only(written(tmp_path, {"main.net": MAIN % use, "lib.net": LIB})).problem.help() or "").startswith(hint)


def test_a_byte_order_mark_and_line_ends_of_a_used_file(tmp_path: Path) -> None:
    main = written(tmp_path, {"main.net": MAIN % "lib.net", "lib.net": b"\xef\xbb\xbf" + LIB.replace("\n", "\r\n").encode()})
    assert said(main) == ()


def test_a_file_that_may_not_be_read_is_a_matter_of_permissions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    main = written(tmp_path, {"main.net": MAIN % "lib.net", "lib.net": LIB})
    opened = os.open

    def refuse(path: str, *arguments: int, **more: int | None) -> int:
        if path == "lib.net":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **more)

    monkeypatch.setattr("netspec.syntax.read.os.open", refuse)
    source = read_source(main)
    with pytest.raises(NetspecError, match="cannot be used: Permission denied") as caught:
        compile_source(source)
    (found,) = caught.value.diagnostics
    assert (found.code, caught.value.exit, marked(found)) == ("N329", Exit.ENVIRONMENT, '"lib.net"')


# ---- links, and files that change


@pytest.mark.parametrize("use", ["link.net", "linked/lib.net", "linked/../lib.net", "deep/link.net"])
def test_symbolic_links_are_not_followed(tmp_path: Path, use: str) -> None:
    main = written(tmp_path, {"main.net": MAIN % use, "lib.net": LIB, "real/lib.net": LIB, "deep/x.net": ""})
    (tmp_path / "link.net").symlink_to("lib.net")
    (tmp_path / "deep" / "link.net").symlink_to("../lib.net")
    (tmp_path / "linked").symlink_to("real")
    found = only(main)
    assert (found.code, found.message) == ("N321", f'"{use}" cannot be used: a symbolic link, which is not followed, is on the way to it')


def test_the_spec_itself_may_be_reached_through_links(tmp_path: Path) -> None:
    written(tmp_path, {"real/main.net": MAIN % "lib.net", "real/lib.net": LIB})
    (tmp_path / "linked").symlink_to("real")
    assert said(tmp_path / "linked" / "main.net") == ()


def test_a_folder_exchanged_for_a_link_meanwhile_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "main.net": MAIN % "parts/lib.net",
        "parts/lib.net": 'use deep from "deep.net"\n' + LIB,
        "parts/deep.net": "block deep { relu }",
    }
    main = written(tmp_path, {**files, "evil/deep.net": "block deep { tanh }"})
    read = reading.read_used

    def exchanging(path: str, using: Source, max_bytes: int) -> Source:
        found = read(path, using, max_bytes)
        if path == "parts/lib.net":
            (tmp_path / "parts").rename(tmp_path / "gone")
            (tmp_path / "parts").symlink_to("evil")
        return found

    monkeypatch.setattr(reading, "read_used", exchanging)
    (found,) = diagnose(read_source(main))
    assert (found.code, found.message) == ("N321", '"deep.net" cannot be used: a symbolic link, which is not followed, is on the way to it')


def test_a_file_exchanged_meanwhile_is_still_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'use one from "b.net"\nuse two from "./b.net"\nnet Main { image: input(3x2x2)\none -> two }'
    main = written(tmp_path, {"main.net": text, "b.net": "block one { relu }\nblock two { tanh }"})
    read = reading.read_used

    def exchanging(path: str, using: Source, max_bytes: int) -> Source:
        found = read(path, using, max_bytes)
        written(tmp_path, {"new.net": "block one { sigmoid }\nblock two { sigmoid }"}).replace(tmp_path / "b.net")
        return found

    monkeypatch.setattr(reading, "read_used", exchanging)
    graph = compile_source(read_source(main))[0]
    assert [n.layer for n in graph.layers] == ["relu", "tanh"]
    assert graph.files == {"b.net": "block one { relu }\nblock two { tanh }"}


def test_one_file_under_several_names_is_read_once(tmp_path: Path) -> None:
    text = 'use one from "b.net"\nuse two from "c.net"\nnet Main { image: input(3x4x4)\none -> two -> one }'
    main = written(tmp_path, {"main.net": text, "b.net": "shared block one { conv(3, 1) }\nblock two { one }"})
    os.link(tmp_path / "b.net", tmp_path / "c.net")
    graph = load(main)
    assert keys(graph) == ["one.0.weight", "one.0.bias"]
    assert list(graph.files) == ["b.net", "c.net"]
    assert keys(load(main, files=graph.files)) == keys(graph)


def test_names_that_letter_case_tells_apart_are_two_files(tmp_path: Path) -> None:
    text = 'use one from "b.net"\nuse other from "B.net"\nnet Main { image: input(3x4x4)\none -> other }'
    main = written(tmp_path, {"main.net": text, "b.net": "block one { relu }", "B.net": "block other { tanh }"})
    if (tmp_path / "b.net").read_text() != "block one { relu }":
        pytest.skip("this file system does not tell letter case apart")
    assert [n.layer for n in load(main).layers] == ["relu", "tanh"]


def test_a_file_is_read_once_however_often_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uses = "\n".join(f'use n{i} from "lib.net"' for i in range(300))
    main = written(tmp_path, {"main.net": f"{uses}\nnet A {{ image: input(3x8x8)\nn0 }}", "lib.net": LIB})
    read, times = reading.read_used, []
    monkeypatch.setattr(reading, "read_used", lambda *a: times.append(a[0]) or read(*a))
    assert said(main) == ()
    assert times == ["lib.net"]


# ---- what is wrong in a used file


def test_a_mistake_is_told_where_it_is_and_once(tmp_path: Path) -> None:
    text = 'use Bad from "bad.net"\nuse worse from "bad.net"\nnet A { image: input(3x8x8)\nBad -> worse -> Bad }'
    bad = "net Bad { image: input(3x8x8)\n rleu }\nblock worse {\n conv(0, 1) }"
    found = said(written(tmp_path, {"main.net": text, "bad.net": bad}))
    assert [(d.code, position(d), Path(d.place.source.name).name) for d in found if d.place] == [
        ("N301", (2, 2), "bad.net"), ("N401", (4, 7), "bad.net"),
    ]  # fmt: skip
    shown = render(found).replace(f"{tmp_path}/", "")
    assert "in Bad, used at main.net:4:1" in shown
    assert "and at 1 more use of the same lines" in shown
    assert "in worse, used at main.net:4:8" in shown


def test_text_that_cannot_be_read_is_one_mistake(tmp_path: Path) -> None:
    text = 'use Bad from "bad.net"\nuse other from "bad.net"\nnet A { image: input(3x8x8)\nBad -> other -> relu }'
    found = only(written(tmp_path, {"main.net": text, "bad.net": "net Bad { image: input(3x8x8\nrelu }"}))
    assert (found.code, position(found)) == ("N104", (1, 23))


def test_a_net_that_nobody_uses_may_be_wrong(tmp_path: Path) -> None:
    bad = LIB + "net Other { image: input(3x8x8)\n rleu }"
    assert said(written(tmp_path, {"main.net": MAIN % "lib.net", "lib.net": bad})) == ()


def test_mistakes_of_several_files_are_in_their_order(tmp_path: Path) -> None:
    files = {
        "main.net": 'use b from "b.net"\nuse c from "c.net"\nnet A { image: input(3x8x8)\nrleu -> b -> c }',
        "b.net": "block b { tahn -> conv(0, 1) }",
        "c.net": "block c { sigmiod }",
    }
    found = said(written(tmp_path, files))
    assert [d.code for d in found] == ["N301", "N301", "N401", "N301"]
    assert [Path(d.place.source.name).name for d in found if d.place] == ["main.net", "b.net", "b.net", "c.net"]


def test_a_file_of_quite_another_name_is_no_hint(tmp_path: Path) -> None:
    found = only(written(tmp_path, {"main.net": MAIN % "foo.net", "14out.net": LIB}))
    assert "14out" not in (found.problem.help() or "")


@pytest.mark.parametrize("name", ["\x1b[31mred.net", "a\nb.net", "\u202enur.net"])
def test_names_of_files_are_shown_escaped(tmp_path: Path, name: str) -> None:
    asked = "".join(c for c in name if c.isprintable())
    main = written(tmp_path, {"main.net": MAIN % f"x/{asked}", f"x/{name}": LIB})
    hint = only(main).problem.help() or ""
    assert hint.startswith("there is ")
    assert hint.isprintable()


@pytest.mark.parametrize("name", ["%s{0.__class__}.net", "{lib}.net", "$(id).net", "../../../../etc/passwd.net"])
def test_a_path_is_text_and_no_template(tmp_path: Path, name: str) -> None:
    assert only(written(tmp_path, {"main.net": MAIN % name})).message == f'"{name}" cannot be used: there is no such file'


# ---- files that a run has kept


def test_kept_texts_stand_in_for_the_files(tmp_path: Path) -> None:
    files = {"main.net": MAIN % "parts/lib.net", "parts/lib.net": 'use deep from "../deep.net"\n' + LIB.replace("relu", "deep")}
    main = written(tmp_path, {**files, "deep.net": "block deep { conv(5, 1) }"})
    graph = load(main)
    (tmp_path / "deep.net").unlink()
    (tmp_path / "parts" / "lib.net").unlink()
    assert keys(load(main, files=graph.files)) == keys(graph)
    with pytest.raises(NetspecError, match="it was not kept with the spec"):
        load(main, files={"parts/lib.net": graph.files["parts/lib.net"]})
