"""A chip that does not do what the golden model says."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from typer.testing import Result

import neuromix.flow
from rtl_gen.chip import ChipParameters
from rtl_gen.emit import RtlBundle, emit_chip

pytestmark = [pytest.mark.cosim, pytest.mark.icarus, pytest.mark.verilator, pytest.mark.yosys]

SUM = "$signed(accumulator) * "


def emit_faulty_chip(
    parameters: ChipParameters, folder: Path, black_boxes: Mapping[str, str] | None = None
) -> RtlBundle:
    """Emit a chip whose neurons take their sums with the wrong sign."""
    bundle = emit_chip(parameters, folder, black_boxes)
    (path,) = (path for path in bundle.sources if SUM in path.read_text())
    path.write_text(path.read_text().replace(SUM, f"-{SUM}"))
    return bundle


@pytest.fixture(scope="module")
def build(build_folder: Path, quick: Path) -> Path:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(neuromix.flow, "emit_chip", emit_faulty_chip)
        yield build_folder


@pytest.fixture(scope="module")
def differing(neuromix: Callable[..., Result], quick: Path, build: Path) -> Result:
    return neuromix("run", quick, "--build", build)


def test_differences_are_located_on_stderr(differing: Result) -> None:
    assert differing.exit_code == 1
    _, _, located = differing.stderr.partition("writing report: 1 of 1\n")
    head, first, *_ = located.splitlines()
    assert re.fullmatch(r"serial on icarus: (?!0 )\d+ differences in \d+ events, 0 lost, 0 duplicated", head)
    assert re.fullmatch(
        r"  sample \d, step \d, core \(\d, \d\), neuron \d, to axon \d+ of core \(\d, \d\): "
        r"golden model (\d+|no event), chip (\d+|no event)",
        first,
    )


def test_report_tells_what_the_chip_did(differing: Result, build: Path) -> None:
    assert differing.stdout.splitlines()[-1] == str(build / "tiny" / "report.html")
    report = json.loads((build / "tiny" / "report.json").read_text())
    (run,) = report["agreement"]
    assert run["differences"] > 0
    assert run["events_sent"] == run["events_received"] != run["events_compared"] > 100
    golden, chip = 4, report["accuracy"]["serial"]["correct"]
    assert chip < golden, "accuracy must be that of the chip"
    page = (build / "tiny" / "report.html").read_text()
    assert "DISAGREES" in page


def test_json_of_a_differing_chip_is_whole(
    neuromix: Callable[..., Result], differing: Result, quick: Path, build: Path
) -> None:
    result = neuromix("cosim", quick, "--build", build, "--json")
    assert result.exit_code == 1
    (run,) = json.loads(result.stdout)
    assert run["differences"] > 0
    assert run["accuracy"] < 0.8
    assert f"{run['differences']} differences in {run['events_compared']} events" in result.stderr
