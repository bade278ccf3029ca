import dataclasses
import html
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from neuromix.report import render
from neuromix.report.render import agreement_lines, load_report, render_html, summary_table, write_report
from neuromix.report.summary import Report, to_csv, to_json

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Collects ids and links; checks that elements close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in {"href", "src", "xlink:href", "action", "srcset"}:
                self.links.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page_text(report: Report) -> str:
    return render_html(report)


@pytest.fixture
def quick_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what stands around the figures, which take a second to draw."""
    names = ("accuracy", "confusion", "energy_stack", "energy_components", "energy_blocks", "raster", "trace")
    monkeypatch.setattr(
        render, "draw_figures", lambda report: {name: f"<svg id='{name}'></svg>" for name in names}
    )


def test_page_needs_nothing_but_itself(page_text: str) -> None:
    page = Page(page_text)
    assert page.open == []
    assert page.links
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert not re.search(r"@import|url\((?!#)", page_text)
    assert not page.tags & {"script", "link", "iframe", "img"}


def test_ids_are_unique_on_the_page(page_text: str) -> None:
    page = Page(page_text)
    assert len(set(page.ids)) == len(page.ids)


def test_page_shows_every_part_of_the_report(report: Report, page_text: str) -> None:
    text = html.unescape(page_text)
    for expected in (
        report.title,
        report.command,
        *report.limits,
        *report.versions.values(),
        *report.network.provenance.values(),
        *report.chip.lint,
        *(file.name for file in report.chip.verilog),
        *(parameter.value for parameter in report.analog),
        *(price.source for price in report.prices),
        *(name for result in report.back_ends for name in (*result.components, *result.by_block)),
        "97.3 % (94.8 to 98.6)",
        "18,364 equal (icarus, verilator)",
        "does what the golden model says",
    ):
        assert expected in text
    assert page_text.count("<svg") == 7


@pytest.mark.usefixtures("quick_figures")
def test_page_is_the_same_twice(report: Report) -> None:
    assert render_html(report) == render_html(report)


@pytest.mark.usefixtures("quick_figures")
def test_text_of_the_report_cannot_become_markup(report: Report) -> None:
    text = render_html(dataclasses.replace(report, title="a < b <script>"))
    assert "a &lt; b &lt;script&gt;" in text
    assert "<script>" not in text


@pytest.mark.usefixtures("quick_figures")
def test_disagreement_is_the_first_thing_said(report: Report) -> None:
    wrong = dataclasses.replace(report.agreements[0], differences=3, lost=1, events_received=21416)
    text = render_html(dataclasses.replace(report, agreements=(wrong, *report.agreements[1:])))
    assert "verdict bad" in text
    assert "DISAGREES: of 18,364 3 differ, 1 lost, 0 duplicated (icarus, verilator)" in text
    assert "does what the golden model says" not in text


def test_absent_parts_leave_no_empty_section(report: Report) -> None:
    bare = dataclasses.replace(
        report,
        raster=None,
        trace=None,
        analog=(),
        agreements=(),
        prices=(),
        back_ends=tuple(dataclasses.replace(result, by_block={}) for result in report.back_ends[:1]),
    )
    text = render_html(bare)
    page = Page(text)
    assert not {"activity", "trace", "analog", "agreement", "prices"} & set(page.ids)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert "was not compared with the golden model" in text
    assert text.count("<svg") == 4


@pytest.mark.usefixtures("quick_figures")
def test_written_report_is_read_back(report: Report, tmp_path: Path) -> None:
    folder = tmp_path / "build" / "quickstart"
    page = write_report(report, folder)
    assert page == folder / "report.html"
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.json", "summary.csv"]
    assert (folder / "report.json").read_text(encoding="utf-8") == to_json(report)
    assert (folder / "summary.csv").read_text(encoding="utf-8") == to_csv(report)
    assert load_report(folder) == report


@pytest.mark.usefixtures("quick_figures")
def test_old_files_stay_whole_when_writing_is_interrupted(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(report, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write_text = Path.write_text

    def stop_half_way(path: Path, text: str, **options: str) -> int:
        write_text(path, text[: len(text) // 2], **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", stop_half_way)
    with pytest.raises(KeyboardInterrupt):
        write_report(dataclasses.replace(report, seed=2), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.usefixtures("quick_figures")
def test_unwritable_folder_is_named(report: Report, tmp_path: Path) -> None:
    (tmp_path / "build").write_text("a file, not a folder")
    folder = tmp_path / "build" / "quickstart"
    with pytest.raises(
        OSError, match=rf"^{re.escape(str(folder))}: report folder must be writable, got Not a dir"
    ):
        write_report(report, folder)


def test_terminal_table_fits_80_columns_and_has_a_row_per_back_end(report: Report) -> None:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(summary_table(report))
    rows = [line for line in capture.get().splitlines() if re.search(r"digital|mixed-signal", line)]
    assert len(rows) == 3
    assert re.search(r"mixed-signal .* 95\.7 % .* 92\.7 to 97\.5 .* 2,590 .* 1,100 .* 148 ", rows[2])


def test_agreement_lines_count_every_event(report: Report) -> None:
    lines = agreement_lines(report.agreements)
    assert len(lines) == len(report.agreements)
    for line, run in zip(lines, report.agreements, strict=True):
        assert run.simulator in line
        assert f"{run.events_compared:,} events compared, {run.differences:,} differences" in line
        assert f"{run.events_sent:,} sent, {run.events_received:,} received" in line
