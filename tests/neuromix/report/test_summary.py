import csv
import dataclasses
import io
import json
import math

import numpy as np
import pytest

from neuromix.report.summary import (
    Accuracy,
    Agreement,
    BackEndResult,
    Raster,
    Report,
    Trace,
    from_json,
    to_csv,
    to_json,
)


def test_report_survives_json(report: Report) -> None:
    assert report.raster
    assert report.trace
    assert from_json(to_json(report)) == report


def test_report_without_pictures_survives_json(report: Report) -> None:
    digital = dataclasses.replace(report, raster=None, trace=None, analog=(), agreements=())
    assert from_json(to_json(digital)) == digital


def test_json_is_the_same_twice(report: Report) -> None:
    assert to_json(report) == to_json(report)


def test_json_holds_the_headline_under_stable_keys(report: Report) -> None:
    document = json.loads(to_json(report), parse_constant=pytest.fail)
    names = ["parallel", "serial", "mixed_signal"]
    assert list(document["accuracy"]) == names
    assert document["accuracy"]["mixed_signal"] == pytest.approx(
        {"fraction": 287 / 300, "low": 0.927283, "high": 0.974504, "correct": 287, "total": 300}, abs=1e-5
    )
    runs = {(run["back_end"], run["simulator"]): run for run in document["agreement"]}
    assert len(runs) == 6
    assert runs["serial", "icarus"]["events_compared"] == 9182
    assert runs["serial", "icarus"]["differences"] == 0
    assert list(document["energy_per_inference_pj"]) == names
    assert list(document["energy_per_mac_fj"]) == names
    assert document["events_sent"] == document["events_received"] == 6 * 21417
    assert document["events_lost"] == document["events_duplicated"] == 0


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, score method without continuity correction
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_interval_is_the_published_one(correct: int, total: int, low: float, high: float) -> None:
    assert Accuracy(correct=correct, total=total).interval == pytest.approx((low, high), abs=5e-5)


def test_interval_is_wilsons_formula() -> None:
    z, n, p = 1.959963984540054, 300, 287 / 300
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    accuracy = Accuracy(correct=287, total=300)
    assert accuracy.fraction == p
    assert accuracy.interval == pytest.approx((middle - half, middle + half))


def test_csv_has_one_row_per_metric_and_back_end(report: Report) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(report))))
    assert list(rows[0]) == ["metric", "back_end", "value", "unit"]
    cells = {(row["metric"], row["back_end"]): row for row in rows}
    assert len(cells) == len(rows)
    parallel = report.back_ends[0]
    energy = cells["energy_per_inference", "parallel"]
    assert float(energy["value"]) == parallel.energy_per_inference_pj
    assert energy["unit"] == "pJ"
    assert float(cells["energy_component.clock", "parallel"]["value"]) == parallel.components["clock"]
    assert int(cells["differences.icarus", "mixed_signal"]["value"]) == 0
    assert all(math.isfinite(float(row["value"])) for row in rows)


def test_numpy_values_are_taken(report: Report) -> None:
    result = report.back_ends[0]
    same = dataclasses.replace(
        result,
        confusion=np.array(result.confusion),
        cycles_per_inference=np.float32(122),
        accuracy=Accuracy(correct=np.int64(292), total=np.int64(300)),
    )
    assert same == result


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_back_end_is_refused_when_a_number_is_no_energy(report: Report, value: float) -> None:
    with pytest.raises(ValueError, match="energy_per_mac_fj"):
        dataclasses.replace(report.back_ends[0], energy_per_mac_fj=value)


def test_back_end_is_refused_when_its_parts_contradict_each_other(report: Report) -> None:
    result = report.back_ends[0]
    with pytest.raises(ValueError, match=r"parallel: images in confusion must be 299, got 300"):
        dataclasses.replace(result, accuracy=Accuracy(correct=292, total=299))
    with pytest.raises(ValueError, match=r"parallel: diagonal must be 291, got 292"):
        dataclasses.replace(result, accuracy=Accuracy(correct=291, total=300))
    with pytest.raises(ValueError, match=r"parallel: confusion must be square, got \[2, 1\]"):
        dataclasses.replace(result, confusion=((1, 0), (0,)))
    fewer = {name: energy for name, energy in result.components.items() if name != "leakage"}
    with pytest.raises(
        ValueError, match=r"parallel: sum of energy components must be 17817\.\d* pJ, got 17037"
    ):
        dataclasses.replace(result, components=fewer)
    with pytest.raises(ValueError, match=r"parallel: sum of energy blocks must be"):
        dataclasses.replace(result, by_block={"core": 1.0})


def test_back_end_may_lack_blocks(report: Report) -> None:
    assert dataclasses.replace(report.back_ends[0], by_block={}).by_block == {}


def test_report_is_refused_when_a_back_end_comes_twice(report: Report) -> None:
    with pytest.raises(ValueError, match="report: back ends must be named once"):
        dataclasses.replace(report, back_ends=report.back_ends[:1] * 2)


def test_raster_is_refused_when_an_event_lies_outside() -> None:
    def raster(**changes: object) -> Raster:
        event = {"step": (4,), "row": (2,), "payload": (255,)}
        return Raster(populations={"input": 3}, first_step=4, n_steps=1, payload_max=255, **(event | changes))

    assert raster().row == (2,)
    with pytest.raises(ValueError, match=r"raster: step must be 4 to 4, got \[5\]"):
        raster(step=(5,))
    with pytest.raises(ValueError, match=r"raster: row must be 0 to 2, got \[3\]"):
        raster(row=(3,))
    with pytest.raises(ValueError, match=r"raster: payload must be 1 to 255, got \[0\]"):
        raster(payload=(0,))
    with pytest.raises(ValueError, match=r"raster: step, row and payload must be equally long, got \[0, 1\]"):
        raster(payload=())
    with pytest.raises(ValueError, match=r"raster: number of captions must be 0 or 1, got 2"):
        raster(captions=("a", "b"))


def test_trace_is_refused_when_samples_are_missing(report: Report) -> None:
    trace = report.trace
    assert isinstance(trace, Trace)
    with pytest.raises(ValueError, match="trace: samples of each neuron must be"):
        dataclasses.replace(trace, node_voltage_v=trace.node_voltage_v[:2])
    with pytest.raises(ValueError, match="trace: codes of each conversion must be 1, got"):
        dataclasses.replace(trace, neurons=("one",), node_voltage_v=trace.node_voltage_v[:1])


def test_json_is_refused_when_it_is_no_report(report: Report) -> None:
    with pytest.raises(ValueError, match=r"report\.json: data must be present, got nothing"):
        from_json("{}")
    document = json.loads(to_json(report))
    document["data"]["sede"] = 3
    with pytest.raises(ValueError, match="sede"):
        from_json(json.dumps(document))


@pytest.mark.parametrize(
    "fault",
    [{"differences": 1}, {"lost": 1}, {"duplicated": 1}, {"events_received": 9}, {"events_compared": 0}],
)
def test_agreement_is_incomplete_when_anything_is_wrong(report: Report, fault: dict[str, int]) -> None:
    agreement = report.agreements[0]
    assert isinstance(agreement, Agreement)
    assert agreement.complete
    wrong = dataclasses.replace(agreement, **fault)
    assert not wrong.complete
    assert report.agreeing
    assert not dataclasses.replace(report, agreements=(*report.agreements[1:], wrong)).agreeing


def test_nothing_compared_is_no_agreement(report: Report) -> None:
    assert not dataclasses.replace(report, agreements=()).agreeing


def test_throughput_follows_from_clock_and_cycles(report: Report) -> None:
    result = report.back_ends[0]
    assert isinstance(result, BackEndResult)
    assert result.inferences_per_second == pytest.approx(100e6 / 122)
