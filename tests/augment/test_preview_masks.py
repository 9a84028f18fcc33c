"""A preview shows masks beside their pictures, turned with them as they are in training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from netspec.compiler import compile_source
from netspec.report.mistakes import colored
from netspec.source import Source
from netspec.training.preview import preview
from tests.training.several import mask_data

NET = """
net Masks {{
    image: input(1x12x12)
    {}
    preprocess {{ scale(1/255) }}
    conv(3, 3, padding=1)
}}
"""


def test_masks_go_with_their_pictures(tmp_path: Path) -> None:
    path = mask_data(tmp_path)
    data = np.load(path)
    graph = compile_source(Source("masks.net", NET.format("augment { flip(both) -> shift(0.3) }")))[0]
    found = preview(graph, path, images=6, epoch=1, epochs=4)
    moved = 0
    for number, tiles in zip(found.numbers, found.tiles, strict=True):
        mask = torch.from_numpy(colored(torch.from_numpy(data["y_train"][number]))).permute(2, 0, 1)
        assert all(tile.shape == (3, 12, 24) for tile in tiles)
        assert torch.equal(tiles[0][:, :, 12:], mask)
        assert torch.equal(tiles[0][0, :, :12], torch.from_numpy(data["x_train"][number]))
        for tile in tiles[1:]:
            square = tile[0, :, :12] >= 150  # what the mask marks, and what is marked
            marked = {tuple(c) for c in tile[:, :, 12:][:, square].T.tolist()}
            assert marked <= {tuple(c) for c in mask.flatten(1).T.tolist()}
            moved += not torch.equal(tile[:, :, 12:], mask)
    assert moved > 12


def test_flipped_alone_every_pixel_of_the_mask_is_where_its_picture_has_it(tmp_path: Path) -> None:
    path = mask_data(tmp_path)
    data = np.load(path)
    graph = compile_source(Source("masks.net", NET.format("augment { flip(both) }")))[0]
    found = preview(graph, path, images=5, epochs=3)
    for number, tiles in zip(found.numbers, found.tiles, strict=True):
        picture, mask = torch.from_numpy(data["x_train"][number]), torch.from_numpy(data["y_train"][number])
        ways = [[], [0], [1], [0, 1]]
        for tile in tiles[1:]:
            (way,) = [w for w in ways if torch.equal(tile[0, :, :12], picture.flip(w) if w else picture)]
            expected = torch.from_numpy(colored(mask.flip(way) if way else mask)).permute(2, 0, 1)
            assert torch.equal(tile[:, :, 12:], expected)


def test_without_augment_they_stand_beside_as_they_are(tmp_path: Path) -> None:
    found = preview(compile_source(Source("masks.net", NET.format("")))[0], mask_data(tmp_path), images=2, epochs=2)
    assert all(torch.equal(tiles[0], tile) for tiles in found.tiles for tile in tiles)
