import dataclasses
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import numpy as np
import pytest

from neuromix.report import figures
from neuromix.report.summary import Raster, Report

DRAW: dict[str, Callable[[Report], str]] = {
    "accuracy": lambda report: figures.accuracy_figure(report.back_ends, report.network),
    "confusion": lambda report: figures.confusion_figure(report.back_ends),
    "raster": lambda report: figures.raster_figure(report.raster),
    "trace": lambda report: figures.trace_figure(report.trace),
    "energy-stack": lambda report: figures.energy_stack_figure(report.back_ends),
    "energy-by-component": lambda report: figures.energy_item_figure(
        "component", {result.name: result.components for result in report.back_ends}
    ),
}

LABELS = {
    "accuracy": {
        "parallel digital",
        "mixed-signal",
        "97.3 % (94.8 to 98.6), 292 of 300 images",
        "97.8 %, in software",
    },
    "confusion": {
        "parallel digital: 8 errors",
        "mixed-signal: 13 errors",
        "predicted class",
        "true class",
        "30",
    },
    "raster": {"input", "64 neurons", "output", "10 neurons", "time step", "40", "51", "a 3"},
    "trace": {"reset", "evaluate", "convert", "hidden 17", "code 158", "code 0", "120 ns", "250 mV"},
    "energy-stack": {"serial digital", "17,800 pJ", "2,590 pJ", "MDAC array", "smaller ones", "29 %"},
    "energy-by-component": {"MDAC array", "412 pJ", "8,540 pJ", "0 pJ", "mixed-signal", "1,000"},
}


def texts_of(svg: str) -> set[str]:
    return {
        "".join(element.itertext()).strip()
        for element in ElementTree.fromstring(svg).iter()
        if "text" in element.tag
    }


@pytest.fixture(params=DRAW)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def svg(name: str, drawn: dict[str, str]) -> str:
    return drawn[name]


@pytest.fixture(scope="module")
def drawn(report: Report) -> dict[str, str]:
    return {name: draw(report) for name, draw in DRAW.items()}


def test_figure_says_what_it_shows(svg: str, name: str) -> None:
    assert svg.startswith("<svg")
    assert svg.endswith("</svg>")
    assert texts_of(svg) >= LABELS[name]
    assert len(re.findall("<(path|use|image)", svg)) > 10


def test_figure_is_the_same_twice(svg: str, name: str, report: Report) -> None:
    assert DRAW[name](report) == svg


def test_figure_is_closed_in_itself(svg: str, name: str) -> None:
    identifiers = re.findall(r'\bid="([^"]+)"', svg)
    references = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg)
    assert all(identifier.startswith(f"{name}-") for identifier in identifiers)
    assert len(set(identifiers)) == len(identifiers)
    assert {first or second for first, second in references} <= set(identifiers)
    assert not re.search(r'(href|src)="(?!#|data:)', svg)


def test_large_population_is_pooled_without_losing_an_event() -> None:
    event = Raster(
        populations={"input": 784},
        first_step=0,
        n_steps=2,
        payload_max=255,
        step=(1,),
        row=(500,),
        payload=(9,),
    )
    silent = dataclasses.replace(event, step=(), row=(), payload=())
    svg = figures.raster_figure(event)
    assert "(largest of 3)" in texts_of(svg)
    assert svg != figures.raster_figure(silent)


def test_binary_raster_needs_no_scale() -> None:
    raster = Raster(
        populations={"out": 2}, first_step=0, n_steps=1, payload_max=1, step=(0,), row=(1,), payload=(1,)
    )
    assert "payload [LSB], white: no event" not in texts_of(figures.raster_figure(raster))


def test_small_items_are_added_up_and_not_lost() -> None:
    energies = {f"block {index}": float(index) for index in range(20)}
    texts = texts_of(figures.energy_item_figure("block", {"parallel": energies}))
    kept = {f"block {index}" for index in range(20 - figures.MAX_ITEMS, 20)}
    assert kept | {"smaller ones", "6.00 pJ"} <= texts
    assert "block 3" not in texts


def test_components_of_a_frugal_back_end_keep_their_names(report: Report) -> None:
    parallel, _, mixed = report.back_ends
    frugal = dataclasses.replace(
        mixed,
        components={name: energy / 1000 for name, energy in mixed.components.items()},
        by_block={},
        energy_per_inference_pj=mixed.energy_per_inference_pj / 1000,
    )
    assert texts_of(figures.energy_stack_figure([parallel, frugal])) >= {
        "MDAC array",
        "ADC",
        "28 %",
        "2.59 pJ",
    }


def test_confusion_is_drawn_with_true_classes_downwards(report: Report) -> None:
    """One image of class 0 taken for class 1 stands in the top row, right of the diagonal."""
    counts = np.array([[5, 1], [0, 6]])
    result = dataclasses.replace(
        report.back_ends[0], confusion=counts.tolist(), accuracy={"correct": 11, "total": 12}
    )
    places = {}
    for element in ElementTree.fromstring(figures.confusion_figure([result])).iter():
        if element.tag.endswith("}text") and element.text in {"5", "1", "6"}:
            found = re.search(r"translate\(([\d.]+) ([\d.]+)\)", element.attrib.get("transform", ""))
            x, y = (
                map(float, found.groups())
                if found
                else (float(element.attrib["x"]), float(element.attrib["y"]))
            )
            places.setdefault(element.text, []).append((x, y))
    (x_hit, y_hit), (x_last, y_last) = places["5"][0], places["6"][0]
    assert any(x == pytest.approx(x_last, abs=1) and y == pytest.approx(y_hit, abs=1) for x, y in places["1"])
    assert x_hit < x_last
    assert y_hit < y_last
