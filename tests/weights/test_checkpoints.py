"""The table of published checkpoints, its cache, and fetching into it; from a server of the test's own, as there may be no network."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from netspec.backends import checkpoints as module
from netspec.backends.checkpoints import Checkpoint, cache_folder, checkpoint, checkpoints, fetch, open_checkpoint
from netspec.backends.torch import build
from netspec.backends.torch.loading import load_weights, read_checkpoint
from netspec.compiler import load
from netspec.diagnostics import Exit, NetspecError
from netspec.resources import folder
from tests.weights.files import SPEC, command, net, save

CONTENT = bytes(range(256)) * 5000


class Handler(BaseHTTPRequestHandler):
    """Answers as the path says."""

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        if name == "missing.pth":
            self.send_error(404)
            return
        if name == "away.pth":
            self.send_response(302)
            self.send_header("Location", "ftp://elsewhere/w.pth")
            self.end_headers()
            return
        content = {"short.pth": CONTENT[:-1], "long.pth": CONTENT + bytes(2**21), "other.pth": bytes(len(CONTENT))}.get(name, CONTENT)
        self.send_response(200)
        if name != "endless.pth":
            self.send_header("Content-Length", str(len(CONTENT) if name == "cut.pth" else len(content)))
        self.end_headers()
        try:
            self.wfile.write(content[:1000] if name == "cut.pth" else content)
            while name == "endless.pth":
                self.wfile.write(bytes(2**16))
        except OSError:
            pass

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NETSPEC_CACHE", str(tmp_path / "cache"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def row(address: str, **changes: Any) -> Checkpoint:
    digest = hashlib.sha256(CONTENT).hexdigest()
    size = round(len(CONTENT) / 2**20, 3)
    return replace(Checkpoint("small", "small", "Small", address, digest[:8], size, None, "none", "none"), **changes)


def refused(wanted: Checkpoint, code: str, exit_: Exit) -> str:
    with pytest.raises(NetspecError) as caught:
        open_checkpoint(wanted)
    assert caught.value.exit is exit_
    assert [d.code for d in caught.value.diagnostics] == [code]
    return str(caught.value)


def test_a_file_is_fetched_once_and_placed_whole(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = row(f"{server}/models/small-{'0' * 8}.pth")
    with open_checkpoint(wanted) as file:
        assert file.read() == CONTENT
    assert wanted.path == cache_folder() / "small-00000000.pth"
    assert [p.name for p in cache_folder().iterdir()] == ["small-00000000.pth"]
    monkeypatch.setattr(module, "fetch", lambda _: pytest.fail("fetched twice"))
    open_checkpoint(wanted).close()


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("missing.pth", "N823", "Not Found"),
        ("away.pth", "N823", "it leads on to ftp://elsewhere"),
        ("cut.pth", "N824", "it has 1,000 bytes"),
        ("short.pth", "N824", "it has 1,279,999 bytes"),
        ("long.pth", "N824", "it has more than"),
        ("endless.pth", "N824", "it has more than"),
        ("other.pth", "N824", "its SHA-256 begins with"),
    ],
)
def test_what_is_not_the_published_file_never_reaches_its_place(server: str, name: str, code: str, words: str) -> None:
    wanted = row(f"{server}/{name}", bytes=len(CONTENT))
    text = refused(wanted, code, Exit.ENVIRONMENT if code == "N823" else Exit.MODEL_FILE)
    assert words in text
    assert not list(cache_folder().iterdir()), "neither the file nor a piece of it"


def test_offline_says_which_file_to_put_where(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = row("http://127.0.0.1:9/models/small-00000000.pth")
    text = refused(wanted, "N823", Exit.ENVIRONMENT)
    for words in (
        "Connection refused",
        "http://127.0.0.1:9/models/small-00000000.pth",
        str(cache_folder() / "small-00000000.pth"),
        wanted.sha256,
    ):
        assert words in text
    monkeypatch.setenv("NETSPEC_OFFLINE", "1")
    assert "NETSPEC_OFFLINE is set" in refused(row(f"{server}/a.pth"), "N823", Exit.ENVIRONMENT)
    cache_folder().mkdir(parents=True, exist_ok=True)
    wanted.path.write_bytes(CONTENT)
    open_checkpoint(wanted).close()


def test_a_file_in_the_cache_is_checked_each_time(server: str) -> None:
    wanted = row(f"{server}/small.pth")
    open_checkpoint(wanted).close()
    wanted.path.write_bytes(CONTENT[:-1] + b"\0")
    assert "its SHA-256 begins with" in refused(wanted, "N824", Exit.MODEL_FILE)
    wanted.path.write_bytes(CONTENT[:1000])
    assert "it has 1,000 bytes, and the published file 1.221 MiB" in refused(wanted, "N824", Exit.MODEL_FILE)
    wanted.path.unlink()
    wanted.path.mkdir()
    refused(wanted, "N801", Exit.MODEL_FILE)


def test_a_cache_that_cannot_be_written(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NETSPEC_CACHE", str(tmp_path / "file" / "cache"))
    assert "Not a directory" in refused(row(f"{server}/small.pth"), "N823", Exit.ENVIRONMENT)


def test_the_cache_is_where_the_system_has_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETSPEC_CACHE", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for platform, place in (("linux", ".cache/netspec"), ("darwin", "Library/Caches/netspec"), ("win32", "AppData/Local/netspec/cache")):
        monkeypatch.setattr("sys.platform", platform)
        assert cache_folder() == tmp_path / place
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x" / "netspec"


# --- the table --------------------------------------------------------------------------------------------------------------------


def test_every_row_is_what_torchvision_publishes() -> None:
    from tests.zoo.peer import models

    for known in checkpoints().values():
        name, _, version = known.name.partition("-")
        weights = next(w for w in models.get_model_weights(name) if w.name == known.data)
        assert (known.address, known.mebibytes) == (weights.url, weights.meta["_file_size"])
        assert known.data.endswith(version.upper() or "V1")
        assert known.file.removesuffix(".pth").endswith(known.sha256[:8]) or known.sha256 in known.file
        assert "license" not in weights.meta, "a licence of its own is to be said"


def test_every_row_fits_the_net_it_names() -> None:
    """The zoo's own tests hold that a net has the very keys and shapes of torchvision's model; here, that it is this model's."""
    from tests.zoo.peers import PEERS

    made = {(p.spec, p.net): p.make for p in PEERS}
    for known in checkpoints().values():
        make: Any = made[known.spec, known.net]
        while isinstance(make, partial):
            make = make.args[0] if make.func is partial else make.func
        assert make.__name__ in (known.name.partition("-")[0], known.spec)
        assert (folder("specs") / f"{known.spec}.net").is_file()


@pytest.mark.parametrize("name", ["densenet121", "vit_b_16"])
def test_older_names_are_turned_into_todays(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = checkpoint(name)
    graph = load(f"netspec:{known.spec}", net=known.net)
    keys = [key for key, _, _ in graph.weights()]
    back = {new: old for old, new in known.renamed.items()}
    older = {key: _replaced(key, back) for key in keys}
    assert sum(key != old for key, old in older.items()) > 40
    assert [known.key(old) for old in older.values()] == keys
    monkeypatch.setenv("NETSPEC_CACHE", str(tmp_path))
    torch.save({older[key]: torch.ones(1) for key in keys}, known.path)
    content = known.path.read_bytes()
    same = replace(known, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr("netspec.backends.torch.loading.checkpoint", lambda _: same)
    assert list(read_checkpoint(f"netspec:{name}").tensors) == keys


def _replaced(key: str, pieces: dict[str, str]) -> str:
    for one, other in pieces.items():
        key = key.replace(one, other)
    return key


@pytest.mark.parametrize(
    "change", [{"sha256": "xyz"}, {"address": "http://a/b.pth"}, {"mebibytes": 0}, {"licence": "unknown"}, {"more": 1}]
)
def test_a_row_that_is_wrong_is_found(change: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    table = json.loads((folder("specs") / "checkpoints.json").read_text("utf-8"))
    table["checkpoints"] = [table["checkpoints"][0] | change]
    (tmp_path / "checkpoints.json").write_text(json.dumps(table))
    monkeypatch.setattr(module, "folder", lambda _: tmp_path)
    with pytest.raises((ValueError, KeyError, TypeError)):
        checkpoints.__wrapped__()


# --- the command ------------------------------------------------------------------------------------------------------------------


def test_the_command_lists_and_fetches(server: str, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = command(capsys)
    code, out, _ = run("fetch")
    assert code == 0
    assert "mobilenet_v2 " in out
    assert "b0353104" in out
    assert "BSD 3-clause" in out
    monkeypatch.setattr(module, "checkpoints", lambda: {"small": row(f"{server}/small.pth")})
    code, out, _ = run("fetch", "small")
    assert (code, out) == (0, f"small: {cache_folder() / 'small.pth'}\n")
    code, out, _ = run("fetch", "small", "--json")
    assert '"here": true' in out
    code, _, err = run("fetch", "smal")
    assert (code, "did you mean small?" in err) == (4, True)


def test_weights_by_name_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETSPEC_CACHE", str(tmp_path))
    graph = net(SPEC)
    state = build(graph).state_dict()
    save(state, tmp_path / "small.pth", "torch")
    content = (tmp_path / "small.pth").read_bytes()
    known = row("https://nowhere.invalid/small.pth", sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    monkeypatch.setattr(module, "checkpoints", lambda: {"small": known})
    assert all(torch.equal(t, state[k]) for k, t in load_weights(graph, "netspec:small").tensors.items())
    assert fetch.__doc__
