"""Setting up a machine, with stand-ins for apt, sudo, pip and the tools: nothing is really installed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = ("iverilog", "yosys", "ngspice", "g++", "make")
NEEDED_BY_THE_SCRIPT = ("bash", "cat", "dirname", "env", "rm", "sha256sum", "tr", "mkdir", "cp", "chmod")

FAKE_PYTHON = """\
case "$*" in
  --version) echo Python 3.99 ;;
  "-m venv --clear .venv") rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
  "-m pip "*) [ ! -e "$MACHINE/no-network" ] ;;
esac
"""
FAKE_APT = """\
for package in "$@"; do
  case $package in
    iverilog | yosys | ngspice | g++ | make) cp "$MACHINE/bin/true" "$MACHINE/bin/$package" ;;
    python3) cp "$MACHINE/fake-python" "$MACHINE/bin/python3" ;;
  esac
done
"""


class Machine:
    """A folder with a copy of the project and a PATH of its own; every stand-in logs how it was called."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin, self.project = folder, folder / "bin", folder / "project"
        self.log = folder / "log"
        self.bin.mkdir()
        (self.project / "scripts").mkdir(parents=True)
        for name in ("scripts/setup.sh", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, self.project / name)
        for name in NEEDED_BY_THE_SCRIPT:
            (self.bin / name).symlink_to(shutil.which(name) or "")
        self.put("true", "")
        self.put("id", "echo ${FAKE_UID:-0}")
        self.put("apt-get", FAKE_APT)
        self.put("python3", FAKE_PYTHON)
        shutil.copy(self.bin / "python3", folder / "fake-python")
        for name in TOOLS:
            self.put(name, "")

    def put(self, name: str, script: str) -> None:
        file = self.bin / name
        file.write_text(f'#!{shutil.which("bash")}\necho "{name} $*" >>"$MACHINE/log"\n{script}')
        file.chmod(0o755)

    def remove(self, *names: str) -> None:
        for name in names:
            (self.bin / name).unlink()

    def setup(self, purpose: str = "run", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the script; afterwards ``calls`` are those of this run."""
        self.log.write_text("")
        return subprocess.run(
            [self.project / "scripts" / "setup.sh", purpose],
            env={"PATH": str(self.bin), "MACHINE": str(self.folder), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        """What was asked of the stand-ins that change something."""
        changing = ("apt-get ", "sudo ", "python3 -m ")
        return [line for line in self.log.read_text().splitlines() if line.startswith(changing)]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


VENV = "python3 -m venv --clear .venv"


def pip(target: str) -> str:
    quiet = "--quiet --disable-pip-version-check --no-input"
    return f"python3 -m pip install {quiet} --constraint constraints.txt --editable {target}"


def test_environment_is_made_once(machine: Machine) -> None:
    assert machine.setup().returncode == 0
    assert machine.calls == [VENV, pip(".")]
    second = machine.setup()
    assert (second.returncode, second.stdout, second.stderr, machine.calls) == (0, "", "", [])


def test_environment_of_a_run_is_extended_for_tests_and_serves_both(machine: Machine) -> None:
    machine.setup("run")
    machine.setup("test")
    assert machine.calls == [pip(".[test]")]
    for purpose in ("run", "test"):
        machine.setup(purpose)
        assert machine.calls == []


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_environment_is_made_anew_when_its_recipe_changed(machine: Machine, name: str) -> None:
    machine.setup()
    with (machine.project / name).open("a") as file:
        file.write("# changed\n")
    assert machine.setup().returncode == 0
    assert machine.calls == [VENV, pip(".")]


def test_environment_is_made_anew_when_the_folder_was_moved(machine: Machine) -> None:
    machine.setup()
    machine.project = machine.project.rename(machine.folder / "elsewhere")
    machine.setup()
    assert machine.calls == [VENV, pip(".")]


def test_half_made_environment_is_never_taken_for_complete(machine: Machine) -> None:
    (machine.folder / "no-network").touch()
    failed = machine.setup()
    assert failed.returncode == 2
    assert "run this again when the network is there" in failed.stderr
    (machine.folder / "no-network").unlink()
    assert machine.setup().returncode == 0
    assert machine.calls == [VENV, pip(".")]


def test_failed_extension_is_not_taken_for_complete(machine: Machine) -> None:
    machine.setup("run")
    (machine.folder / "no-network").touch()
    assert machine.setup("test").returncode == 2
    (machine.folder / "no-network").unlink()
    machine.setup("run")
    assert machine.calls == [VENV, pip(".")]


def test_only_missing_packages_are_installed(machine: Machine) -> None:
    machine.remove("iverilog", "yosys")
    assert machine.setup().returncode == 0
    assert machine.calls[:2] == [
        "apt-get -qq -o DPkg::Lock::Timeout=300 update",
        "apt-get -qq -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends iverilog yosys",
    ]


def test_ngspice_is_installed_for_tests_alone(machine: Machine) -> None:
    machine.remove("ngspice")
    machine.setup("run")
    assert not [call for call in machine.calls if "apt-get" in call]
    machine.setup("test")
    assert machine.calls[1].endswith("install --yes --no-install-recommends ngspice")


def test_python_is_installed_when_none_serves(machine: Machine) -> None:
    machine.put("python3", "exit 1")
    assert machine.setup().returncode == 0
    assert "install --yes --no-install-recommends python3 python3-venv libpython3-dev" in machine.calls[1]
    assert machine.calls[2:] == [VENV, pip(".")]


def test_python_that_still_does_not_serve_is_named(machine: Machine) -> None:
    machine.put("python3", 'case "$*" in --version) echo Python 3.10.1 ;; *) exit 1 ;; esac')
    machine.put("apt-get", "")
    failed = machine.setup()
    assert failed.returncode == 2
    assert failed.stderr.splitlines()[-1] == (
        "setup: Python must be 3.11 or newer with venv and its shared library, got Python 3.10.1; "
        "on Debian and Ubuntu the packages of version 3.11 are python3.11-venv and libpython3.11"
    )


def test_newer_python_is_found_beside_an_old_one(machine: Machine) -> None:
    shutil.move(machine.bin / "python3", machine.bin / "python3.12")
    machine.put("python3", "exit 1")
    assert machine.setup().returncode == 0
    assert not [call for call in machine.calls if "apt-get" in call]


def test_sudo_is_used_only_by_those_who_are_not_root(machine: Machine) -> None:
    machine.remove("g++")
    machine.put("sudo", '"${@:2}"')
    assert machine.setup(FAKE_UID="1000").returncode == 0
    assert machine.calls[0].startswith("sudo --non-interactive env DEBIAN_FRONTEND=noninteractive apt-get")
    assert (machine.bin / "g++").exists()


def test_missing_packages_are_named_where_they_cannot_be_installed(machine: Machine) -> None:
    machine.remove("iverilog", "g++")
    without_sudo = machine.setup(FAKE_UID="1000")
    assert without_sudo.returncode == 2
    assert without_sudo.stderr == ("setup: these must be installed, which takes root or sudo: iverilog g++\n")
    machine.remove("apt-get")
    without_apt = machine.setup()
    assert without_apt.returncode == 2
    assert without_apt.stderr == (
        "setup: these must be installed, and apt-get is not there to do it: iverilog g++\n"
    )


def test_failing_apt_is_reported(machine: Machine) -> None:
    machine.remove("yosys")
    machine.put("apt-get", "exit 100")
    failed = machine.setup()
    assert failed.returncode == 2
    assert failed.stderr.splitlines()[-1] == "setup: apt-get could not install: yosys"


def test_unknown_purpose_is_refused(machine: Machine) -> None:
    refused = machine.setup("fun")
    assert (refused.returncode, refused.stderr) == (2, "setup: purpose must be run or test, got 'fun'\n")


@pytest.mark.parametrize("name", ["scripts/setup.sh", ".ci/run"])
def test_script_is_executable(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)
