"""The page put together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

from netspec.report.page.inputs import Report
from netspec.report.page.making import data, environment, frozen, net, plan, settings
from netspec.report.page.markup import Markup, joined, tag
from netspec.report.page.results import classes, curves, figures, mistakes
from netspec.report.page.verdict import verdict
from netspec.report.progress import duration
from netspec.report.wording import kept_epochs, of_net

_STYLE: Final = Path(__file__).with_name("style.css")
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Nothing on the page may be fetched or run, whatever a name in it says."""
_PARTS: Final[tuple[tuple[str, str, Callable[[Report], Markup | None]], ...]] = (
    ("curves", "Learning curves", curves),
    ("figures", "Figures", figures),
    ("classes", "Classes", classes),
    ("mistakes", "Worst mistakes", mistakes),
    ("data", "Data", data),
    ("net", "The net", net),
    ("settings", "Settings", settings),
    ("frozen", "Frozen", frozen),
    ("plan", "Plan", plan),
    ("environment", "Environment", environment),
)


def write_report(report: Report) -> str:
    """The page of a run as HTML: it needs no other file, runs no script and fetches nothing. Equal inputs give equal pages."""
    parts = [(key, title, found) for key, title, write in _PARTS if (found := write(report)) is not None]
    record = report.record
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{record.name}: {record.net}"),
        tag("style", Markup(_STYLE.read_text("utf-8"))),
    )
    links = [tag("li", tag("a", title, href=f"#{key}")) for key, title, _ in parts]
    sections = [
        tag("section", tag("h2", title, id=f"{key}-title"), found, id=key, aria_labelledby=f"{key}-title") for key, title, found in parts
    ]
    body = tag(
        "body",
        tag("a", "To the contents", href="#contents", class_="skip"),
        _header(report),
        tag("main", tag("nav", tag("ul", *links), aria_label="Parts of this page"), *sections, id="contents"),
        tag(
            "footer", tag("p", f"Written by netspec {record.versions.netspec}. Shares are of the split that is named; losses are in nats.")
        ),
    )
    return "<!doctype html>\n" + tag("html", head, body, lang="en") + "\n"


def _header(report: Report) -> Markup:
    record, found = report.record, verdict(report.record)
    over = [tag("p", *_with_code(found.over), class_=f"state {record.status}", role="status")] if found.over else []
    return tag(
        "header",
        tag("p", f"{of_net(record)} · {_when(record.started)}", class_="eyebrow"),
        tag("h1", record.name),
        tag("p", tag("strong", found.figure), tag("span", f"{found.of}, {found.weights}"), class_="verdict"),
        *over,
        _tiles(report),
    )


def _when(started: str) -> str:
    """``2026-03-01 09:30 UTC`` of a time as the record has it; what is no time stays as it is."""
    try:
        time = datetime.fromisoformat(started).astimezone(UTC)
    except ValueError:
        return started
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _with_code(sentence: str) -> list[str]:
    return [tag("code", part) if i % 2 else part for i, part in enumerate(sentence.split("`"))]


def _tiles(report: Report) -> Markup:
    record, rows = report.record, report.rows
    tiles = {
        "epochs": f"{record.epochs_done} of {sum(stage.epochs for stage in record.train.in_turn)}",
        "time": duration(sum(row.seconds for row in rows)) if rows else "–",
        **_speeds(report),
        "parameters": f"{record.parameters:,}",
        "training images": f"{record.data.counts.get('train', 0):,}",
        "device": f"{record.versions.device}, {record.versions.precision}",
    }
    return tag("dl", joined(tag("div", tag("dt", name), tag("dd", value)) for name, value in tiles.items()), class_="tiles")


def _speeds(report: Report) -> dict[str, str]:
    """The median speed of epochs that computed the whole net, and that of those that read kept values of its frozen part, which is no
    speed of the net."""
    kept = kept_epochs(report.record)
    whole = [row.images_per_second for row in report.rows if row.epoch not in kept]
    behind = [row.images_per_second for row in report.rows if row.epoch in kept]
    found = {"images/s": whole, "images/s behind kept values": behind}
    return {name: f"{median(speeds):,.0f}" for name, speeds in found.items() if speeds} or {"images/s": "–"}
