"""The pages of docs/errors, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "errors"
_BLOCK = re.compile(r"^```(\w+)(?: ([\w.]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Page:
    """A page: ``sections`` are the texts under their headings, the empty one what stands before the first."""

    path: Path
    title: str
    sections: dict[str, str]

    @property
    def code(self) -> str:
        return self.path.stem

    def blocks(self, section: str, language: str) -> list[str]:
        return [text for found, file, text in _BLOCK.findall(self.sections.get(section, "")) if found == language and not file]

    def files(self, section: str) -> dict[str, str]:
        """The files beside the net of a section: blocks that begin with ```` ```net parts.net ````. What is right is right beside those
        of what is wrong, where it has none of its own.
        """
        found = {file: text for _, file, text in _BLOCK.findall(self.sections.get(section, "")) if file}
        return found or (self.files("Wrong") if section == "Right" else {})

    @property
    def wrong(self) -> str:
        return self.blocks("Wrong", "net")[0]

    @property
    def right(self) -> str:
        return self.blocks("Right", "net")[0]

    @property
    def output(self) -> str:
        return self.blocks("Wrong" if self.is_of_text else "When", "text")[0]

    @property
    def is_of_text(self) -> bool:
        """Whether the mistake is in the text of a net, so that the page shows one."""
        return "Wrong" in self.sections

    def rewrite_output(self, output: str) -> None:
        """Put another output in the place of the one that the page shows."""
        text = self.path.read_text("utf-8")
        self.path.write_text(_BLOCK.sub(lambda m: f"```text\n{output}```" if m[1] == "text" else m[0], text), "utf-8")


@cache
def pages() -> dict[str, Page]:
    """Every page by its code."""
    return {path.stem: _page(path) for path in sorted(FOLDER.glob("*.md"))}


def _page(path: Path) -> Page:
    title, _, body = path.read_text("utf-8").partition("\n")
    parts = re.split(r"^## (\w+)\n", body, flags=re.MULTILINE)
    return Page(path, title, {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))})
