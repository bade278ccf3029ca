"""Experiment files: what is accepted, and the exact words for what is not."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from jschon import JSON, JSONSchema, create_catalog
from yaml import safe_load

from analog_models.spiking import SpikingNeuronParameters
from analog_models.spiking_array import SpikingArrayParameters
from neuromix.config import (
    ExperimentConfig,
    ExperimentError,
    find_experiment,
    json_schema,
    load_experiment,
    shipped_experiments,
)

MINIMAL = """\
name: tiny
network: net.npz
data: {kind: digits}
back_ends: {parallel: {}}
"""

Load = Callable[..., ExperimentConfig]

uses_jschon = pytest.mark.filterwarnings("ignore:Please use rfc3986:DeprecationWarning")
"""jschon calls what its own dependency calls old."""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load text as the experiment file tiny.yaml of the current folder."""
    monkeypatch.chdir(tmp_path)

    def load(text: str | bytes, overrides: Mapping[str, object] | None = None) -> ExperimentConfig:
        Path("tiny.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_experiment(Path("tiny.yaml"), overrides or {})

    return load


@pytest.fixture
def problems(load: Load) -> Callable[..., list[str]]:
    """Load text that must be refused; return what is said about it."""

    def problems(text: str | bytes, overrides: Mapping[str, object] | None = None) -> list[str]:
        with pytest.raises(ExperimentError) as refusal:
            load(text, overrides)
        lines = str(refusal.value).split("\n")
        assert lines == [str(problem) for problem in refusal.value.problems]
        return lines

    return problems


def test_file_without_optional_keys_takes_defaults(load: Load, tmp_path: Path) -> None:
    config = load(MINIMAL)
    assert config.network == tmp_path / "net.npz"
    assert (config.title, config.seed, config.images, config.weight_bits) == ("", 1, "all", 8)
    assert (config.chip.mesh.width, config.chip.core.axons, config.chip.clock) == (2, 66, 100e6)
    assert config.back_ends.names == ("parallel",)
    assert config.cosim.simulators == ("verilator", "icarus")
    assert config.energy.table.name == "ptm65-gp.yaml"


def test_configuration_is_frozen(load: Load) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(MINIMAL).chip.queue_depth = 8


def test_empty_section_takes_defaults_and_empty_back_end_is_chosen(load: Load) -> None:
    config = load(MINIMAL.replace("{parallel: {}}", "{serial: , mixed_signal: }") + "chip:\nenergy:\n")
    assert config.back_ends.names == ("serial", "mixed_signal")
    assert config.chip.queue_depth == 4


def test_paths_count_from_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    file = tmp_path / "deep" / "tiny.yaml"
    file.write_text(MINIMAL.replace("net.npz", "../net.npz").replace("digits", "idx, path: mnist"))
    config = load_experiment(file)
    assert config.network == tmp_path / "deep" / ".." / "net.npz"
    assert config.data.model_dump() == {"kind": "idx", "path": tmp_path / "deep" / "mnist"}


def test_configuration_survives_json_exactly(load: Load) -> None:
    text = MINIMAL.replace("{parallel: {}}", "{mixed_signal: {neuron: {supply: 0.9 V, degeneration: inf}}}")
    config = load(text + "chip: {clock: 33.3 MHz}\n")
    assert ExperimentConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "chip:\n  quue_depth: 4\n",
            "tiny.yaml:6:3: chip.quue_depth: unknown key; did you mean queue_depth?",
        ),
        (
            "chip: {mesh: {tallness: 4}}\n",
            "tiny.yaml:5:15: chip.mesh.tallness: unknown key; known here: width, height",
        ),
        (
            "chip:\n  clock: 50\n",
            "tiny.yaml:6:3: chip.clock: must be a quantity in Hz, such as '100 MHz', got 50",
        ),
        (
            "chip: {clock: 50 mV}\n",
            "tiny.yaml:5:8: chip.clock: must be a quantity in Hz, such as '100 MHz', got '50 mV'",
        ),
        ("chip: {clock: 50 Hz}\n", "tiny.yaml:5:8: chip.clock: must be 1 kHz to 10 GHz, got '50 Hz'"),
        (
            "chip: {queue_depth: 17}\n",
            "tiny.yaml:5:8: chip.queue_depth: must be a whole number from 2 to 16, got 17",
        ),
        (
            "chip: {queue_depth: 2.5}\n",
            "tiny.yaml:5:8: chip.queue_depth: must be a whole number from 2 to 16, got 2.5",
        ),
        (
            "chip: {queue_depth: true}\n",
            "tiny.yaml:5:8: chip.queue_depth: must be a whole number from 2 to 16, got true",
        ),
        (
            "chip: {queue_depth: }\n",
            "tiny.yaml:5:8: chip.queue_depth: must be a whole number from 2 to 16, got nothing",
        ),
        (
            "chip: {core: {axons: 0}}\n",
            "tiny.yaml:5:15: chip.core.axons: must be a whole number from 1 to 4096, got 0",
        ),
        (
            "energy: {images: 0}\n",
            "tiny.yaml:5:10: energy.images: must be a whole number of at least 1, got 0",
        ),
        ("chip: fast\n", "tiny.yaml:5:1: chip: must be a mapping of keys, got 'fast'"),
        ("chip: [1]\n", "tiny.yaml:5:1: chip: must be a mapping of keys, got a list"),
        ("title: 5\n", "tiny.yaml:5:1: title: must be text, got 5"),
        ("title: {}\n", "tiny.yaml:5:1: title: must be text, got an empty mapping"),
        ("images: few\n", "tiny.yaml:5:1: images: must be a whole number of at least 1, or 'all', got 'few'"),
        ("images: 0\n", "tiny.yaml:5:1: images: must be a whole number of at least 1, or 'all', got 0"),
        (
            "cosim: {simulators: [verilator, vcs]}\n",
            "tiny.yaml:5:33: cosim.simulators[1]: must be 'verilator' or 'icarus', got 'vcs'",
        ),
        (
            "cosim: {simulators: icarus}\n",
            "tiny.yaml:5:9: cosim.simulators: must be a list, got 'icarus'",
        ),
        (
            "cosim: {simulators: []}\n",
            "tiny.yaml:5:9: cosim.simulators: must be a list of at least 1, got an empty list",
        ),
        (
            "cosim: {simulators: [icarus, icarus]}\n",
            "tiny.yaml:5:9: cosim.simulators: must be a list without repeats, got a list",
        ),
        (
            "cosim: {every_back_end: no}\n",
            "tiny.yaml:5:9: cosim.every_back_end: must be true or false, got 'no'",
        ),
        (
            "energy: {table: {}}\n",
            "tiny.yaml:5:10: energy.table: must be a shipped price table, one of ptm65-gp, ",
        ),
        ("seed: 1\nseed: 2\n", "tiny.yaml:6:1: seed: key must be given once, got it again after line 5"),
        ("seed: !!python/name:os.system\n", "tiny.yaml:5:1: seed: must be a plain value, got '' with tag "),
        ("seed: !!int one\n", "tiny.yaml:5:1: seed: must be a plain value, got 'one' with tag !!int"),
        ("? [seed]\n: 1\n", "tiny.yaml:5:3: key must be a word, got a list"),
        (
            f"title: [{'x' * 200}]\n".replace("[", "").replace("]", "") + f"seed: {'9' * 200}\n",
            f"tiny.yaml:6:1: seed: must be a whole number from 0 to 4294967295, got {'9' * 57}...",
        ),
    ],
)
def test_problem_is_said_in_one_line(problems: Callable[..., list[str]], text: str, expected: str) -> None:
    (line,) = problems(MINIMAL + text)
    assert line.startswith(expected) if expected.endswith(" ") else line == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("name: tiny\n", "", "tiny.yaml:1:1: name: must be given, got nothing"),
        (
            "name: tiny",
            "name: ../tiny",
            "tiny.yaml:1:1: name: must be lower-case letters, digits and hyphens, at most 60, got '../tiny'",
        ),
        (
            "kind: digits",
            "kind: cifar",
            "tiny.yaml:3:8: data.kind: must be one of 'digits', 'idx', 'cifar10', got 'cifar'",
        ),
        ("kind: digits", "", "tiny.yaml:3:1: data.kind: must be given, got nothing"),
        ("kind: digits", "kind: idx", "tiny.yaml:3:1: data.path: must be given, got nothing"),
        (
            "kind: digits",
            "kind: idx, path: 5",
            "tiny.yaml:3:19: data.path: must be a path, got 5",
        ),
        (
            "kind: digits",
            "kind: digits, digits: 1",
            "tiny.yaml:3:22: data.digits: unknown key; known here: kind, path",
        ),
        ("{kind: digits}", "digits", "tiny.yaml:3:1: data: must be a mapping of keys, got 'digits'"),
        (
            "{parallel: {}}",
            "{}",
            (
                "tiny.yaml:4:1: back_ends: must be at least one of parallel, serial, mixed_signal, "
                "got an empty mapping"
            ),
        ),
        (
            "parallel: {}",
            "serial: {lanes: 3}",
            "tiny.yaml:4:22: back_ends.serial.lanes: must be a power of two from 1 to 1024, got 3",
        ),
        (
            "parallel: {}",
            "mixed_signal: {settle_cycles: 2}",
            (
                "tiny.yaml:4:28: back_ends.mixed_signal.settle_cycles: "
                "must be a whole number from 3 to 1000, got 2"
            ),
        ),
        (
            "parallel: {}",
            "mixed_signal: {neuron: {topology: r2r}}",
            (
                "tiny.yaml:4:37: back_ends.mixed_signal.neuron.topology: "
                "must be 'full_binary', 'segmented', 'm2m' or 'c2c', got 'r2r'"
            ),
        ),
        (
            "parallel: {}",
            "mixed_signal: {neuron: {suply: 1 V}}",
            "tiny.yaml:4:37: back_ends.mixed_signal.neuron.suply: unknown key; did you mean supply?",
        ),
        (
            "parallel: {}",
            "mixed_signal: {neuron: {supply: 1}}",
            (
                "tiny.yaml:4:37: back_ends.mixed_signal.neuron.supply: "
                "must be a quantity in V, such as '1 V', got 1"
            ),
        ),
    ],
)
def test_problem_of_a_required_key_is_said_in_one_line(
    problems: Callable[..., list[str]], old: str, new: str, expected: str
) -> None:
    assert old in MINIMAL
    assert problems(MINIMAL.replace(old, new)) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: b: c\n", "tiny.yaml:1:5: must be valid YAML, got: mapping values are not allowed here"),
        ("name: 'tiny\n", "tiny.yaml:2:1: must be valid YAML, got: found unexpected end of stream"),
        ("a: 1\n---\nb: 2\n", "tiny.yaml:2:1: must be valid YAML, got: but found another document"),
        (
            "chip: &c {}\ncosim: *c\n",
            "tiny.yaml:2:8: must be valid YAML, got: an alias, which experiment files do without",
        ),
        ("", "tiny.yaml: must be a mapping of keys, got an empty file"),
        ("- name\n", "tiny.yaml:1:1: must be a mapping of keys, got a list"),
        ("name\n", "tiny.yaml:1:1: must be a mapping of keys, got a single value"),
        (b"name: \xff\n", "tiny.yaml: must be UTF-8 text, got: invalid start byte"),
        ("a: " + "[" * 5000, "tiny.yaml: must be an experiment file, got endless nesting"),
    ],
)
def test_file_that_is_no_mapping_is_refused(
    problems: Callable[..., list[str]], text: str | bytes, expected: str
) -> None:
    assert problems(text) == [expected]


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.yaml", "no such file or directory"), (tmp_path, "is a directory")):
        with pytest.raises(ExperimentError) as refusal:
            load_experiment(path)
        assert str(refusal.value) == f"{path}: must be a readable file, got: {reason}"


def test_all_problems_are_reported_in_the_order_of_the_file(problems: Callable[..., list[str]]) -> None:
    text = "name: tiny\nimages: -1\nchip: {clock: 5}\nbogus: 1\nchip: {}\nback_ends: {analog: {}}\n"
    assert problems(text, {"seed": -1}) == [
        "tiny.yaml:1:1: network: must be given, got nothing",
        "tiny.yaml:1:1: data: must be given, got nothing",
        "tiny.yaml:2:1: images: must be a whole number of at least 1, or 'all', got -1",
        "tiny.yaml:3:8: chip.clock: must be a quantity in Hz, such as '100 MHz', got 5",
        (
            "tiny.yaml:4:1: bogus: unknown key; known here: name, title, seed, network, data, images, "
            "weight_bits, chip, back_ends, cosim, energy"
        ),
        "tiny.yaml:5:1: chip: key must be given once, got it again after line 3",
        "tiny.yaml:6:13: back_ends.analog: unknown key; known here: parallel, serial, mixed_signal",
        "override: seed: must be a whole number from 0 to 4294967295, got -1",
    ]


def test_override_replaces_what_the_file_says(load: Load, tmp_path: Path) -> None:
    overrides = {"seed": 3, "chip.mesh.width": 5, "data": {"kind": "idx", "path": "/mnist"}}
    config = load(MINIMAL + "seed: wrong\nchip:\n", overrides)
    assert (config.seed, config.chip.mesh.width, config.chip.mesh.height) == (3, 5, 2)
    assert config.data.model_dump() == {"kind": "idx", "path": Path("/mnist")}


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"images": 0}, "override: images: must be a whole number of at least 1, or 'all', got 0"),
        ({"sed": 0}, "override: sed: unknown key; did you mean seed?"),
        ({"chp.clock": 0}, "override: chp: unknown key; did you mean chip?"),
        ({"chip.mesh.width": 0}, "override: chip.mesh.width: must be a whole number from 1 to 16, got 0"),
        ({"data": {"kind": "idx"}}, "override: data.path: must be given, got nothing"),
    ],
)
def test_problem_of_an_override_is_said_to_be_one(
    problems: Callable[..., list[str]], overrides: dict[str, object], expected: str
) -> None:
    assert problems(MINIMAL, overrides) == [expected]


def test_rule_across_analog_parameters_is_reported_at_their_section(
    problems: Callable[..., list[str]],
) -> None:
    neuron = "{neuron: {supply: 0.5 V, node_full_scale: 0.8 V}}"
    assert problems(MINIMAL.replace("parallel: {}", f"mixed_signal: {neuron}")) == [
        (
            "tiny.yaml:4:28: back_ends.mixed_signal.neuron: "
            "node_full_scale must be at most the supply, 0.5 V, got 0.8 V"
        )
    ]


@uses_jschon
@pytest.mark.parametrize("name", shipped_experiments())
def test_shipped_experiment_loads_and_fits_the_schema(name: str) -> None:
    path = find_experiment(name)
    config = load_experiment(path)
    assert config.name == name
    assert config.network.is_file()
    create_catalog("2020-12")
    schema = JSONSchema(json_schema())
    assert schema.validate().valid
    assert schema.evaluate(JSON(safe_load(path.read_text()))).valid


@uses_jschon
def test_schema_refuses_what_loading_refuses() -> None:
    create_catalog("2020-12")
    schema = JSONSchema(json_schema())
    good = safe_load(MINIMAL)
    assert schema.evaluate(JSON(good)).valid
    for wrong in ({"seed": -1}, {"sede": 1}, {"chip": {"clock": 50}}, {"data": {"kind": "cifar"}}):
        assert not schema.evaluate(JSON(good | wrong)).valid, wrong


def test_schema_gives_every_value_a_description_and_quantities_their_unit() -> None:
    definitions = json_schema()["$defs"]
    assert definitions["ChipConfig"]["properties"]["clock"] == {
        "type": "string",
        "title": "Clock",
        "description": "Clock of the whole chip. Range: 1 kHz to 10 GHz.",
        "default": "100 MHz",
        "examples": ["100 MHz"],
        "unit": "Hz",
        "range": "1 kHz to 10 GHz",
        "pattern": definitions["ChipConfig"]["properties"]["clock"]["pattern"],
    }
    supply = definitions["MixedSignalNeuronParameters"]["properties"]["supply"]
    assert (supply["unit"], supply["default"]) == ("V", "1 V")
    undescribed = [
        f"{section}.{key}"
        for section, schema in definitions.items()
        for key, declared in schema["properties"].items()
        if not {"description", "$ref", "const", "anyOf"} & declared.keys() and section != "Process"
    ]
    assert undescribed == []


def test_find_experiment_takes_names_and_paths(tmp_path: Path) -> None:
    assert find_experiment("quickstart") == shipped_experiments()["quickstart"]
    assert find_experiment(f"{tmp_path}/any.yaml") == tmp_path / "any.yaml"


def test_find_experiment_suggests_what_is_shipped() -> None:
    with pytest.raises(ExperimentError) as refusal:
        find_experiment("quikstart")
    shipped = ", ".join(shipped_experiments())
    assert str(refusal.value) == (
        f"experiment: must be a shipped experiment ({shipped}) or a .yaml file, got 'quikstart'; "
        "did you mean quickstart?"
    )


def test_network_name_that_is_nearly_right_is_suggested(problems: Callable[..., list[str]]) -> None:
    (line,) = problems(MINIMAL.replace("net.npz", "digits-64-32"))
    assert line.startswith("tiny.yaml:2:1: network: must be a shipped network, one of digits-64-32-10")
    assert "(did you mean digits-64-32-10?)" in line


SPIKING = MINIMAL.replace("{parallel: {}}", "{mixed_signal: {spiking: {refractory_time: 2 us}}}")


def test_spiking_neurons_stand_in_for_those_that_are_converted(load: Load) -> None:
    array = load(SPIKING).mixed_signal
    assert array.design == SpikingArrayParameters(neuron=SpikingNeuronParameters(refractory_time=2e-6))
    assert (
        load(SPIKING.replace("{refractory_time: 2 us}", "")).mixed_signal.spiking == SpikingNeuronParameters()
    )
    without = load(MINIMAL.replace("parallel", "mixed_signal")).mixed_signal
    assert without.spiking is None
    assert without.design == without.neuron


def test_spiking_neurons_survive_json_exactly(load: Load) -> None:
    config = load(SPIKING)
    assert ExperimentConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ("neuron: {}", "must be either neuron or spiking"),
        ("calibrate: true", "must be without calibrate where neurons are spiking, for these have no trims"),
    ],
)
def test_spiking_neurons_exclude_what_is_for_converters(
    problems: Callable[..., list[str]], added: str, message: str
) -> None:
    (problem,) = problems(SPIKING.replace("spiking:", f"{added}, spiking:"))
    assert problem == f"tiny.yaml:4:13: back_ends.mixed_signal: {message}, got a mapping"


def test_spiking_comparator_must_not_be_clocked(problems: Callable[..., list[str]]) -> None:
    (problem,) = problems(SPIKING.replace("refractory_time: 2 us", "clocked: true"))
    assert "must be spiking with clocked: false, so that a step may have many spikes" in problem


def test_commands_for_converters_say_what_they_need(load: Load) -> None:
    with pytest.raises(
        ValueError, match=r"^tiny: back_ends\.mixed_signal must have neurons with converters, got spiking$"
    ):
        _ = load(SPIKING).converting_neuron
    with pytest.raises(ValueError, match=r"^tiny: back_ends must name mixed_signal, got parallel$"):
        _ = load(MINIMAL).converting_neuron
