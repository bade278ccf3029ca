"""Register writes that load memories."""

import numpy as np
import pytest

from rtl_gen.boundary.calibration import Trim, TrimSearch
from rtl_gen.host.loader import AccessKind, MemoryImage, load_writes, search_accesses, trim_reads, writes
from rtl_gen.host.registers import HostAddress, chip_registers
from rtl_gen.signatures import LoadTarget


def image(**changes):
    arguments = {"x": 3, "y": 1, "target": LoadTarget.ROUTES, "row_width": 40, "rows": [1, 0xAB_12345678]}
    return MemoryImage(**arguments | changes)


def test_rows_become_words_low_word_first():
    assert list(load_writes([image(first_row=9)])) == [
        (HostAddress.LOAD_TILE, 1 << 8 | 3),
        (HostAddress.LOAD_TARGET, LoadTarget.ROUTES),
        (HostAddress.LOAD_ROW, 9),
        (HostAddress.LOAD_DATA, 1),
        (HostAddress.LOAD_DATA, 0),
        (HostAddress.LOAD_ROW, 10),
        (HostAddress.LOAD_DATA, 0x12345678),
        (HostAddress.LOAD_DATA, 0xAB),
    ]


def test_a_row_that_nothing_reads_is_left_out():
    found = list(load_writes([image(row_width=32, rows=[1, None, 3], first_row=4)]))
    assert [value for address, value in found if address == HostAddress.LOAD_ROW] == [4, 6]
    assert [value for address, value in found if address == HostAddress.LOAD_DATA] == [1, 3]


@pytest.mark.parametrize(("row_width", "n_words"), [(1, 1), (32, 1), (33, 2), (64, 2), (65, 3)])
def test_a_row_takes_as_many_words_as_it_needs(row_width, n_words):
    full = (1 << row_width) - 1
    words = [
        value
        for address, value in load_writes([image(row_width=row_width, rows=[full])])
        if address == HostAddress.LOAD_DATA
    ]
    assert len(words) == n_words
    assert sum(word << 32 * index for index, word in enumerate(words)) == full


def test_writes_are_plain_integers_when_rows_are_numpy_integers():
    rows = np.array([2**63, 5], dtype=np.uint64)
    writes = list(load_writes([image(row_width=64, rows=rows)]))
    assert (HostAddress.LOAD_DATA, 2**31) in writes
    assert all(type(value) is int for _, value in writes)


def test_what_tiles_hold_alike_is_written_to_all_of_them_at_once():
    images = (image(x=x, y=1 + x, rows=[row], row_width=32) for x, row in enumerate([7, 8, 7, 7]))
    assert list(load_writes(images)) == [
        (HostAddress.LOAD_TILE, 0x100),
        (HostAddress.LOAD_TILE, 0x1_03_02),
        (HostAddress.LOAD_TILE, 0x1_04_03),
        (HostAddress.LOAD_TARGET, LoadTarget.ROUTES),
        (HostAddress.LOAD_ROW, 0),
        (HostAddress.LOAD_DATA, 7),
        (HostAddress.LOAD_TILE, 0x201),
        (HostAddress.LOAD_TARGET, LoadTarget.ROUTES),
        (HostAddress.LOAD_ROW, 0),
        (HostAddress.LOAD_DATA, 8),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"target": LoadTarget.SYNAPSES},
        {"row_width": 41},
        {"first_row": 1},
        {"rows": [1]},
        {"rows": [1, 2]},
        {"rows": [1, None]},
    ],
)
def test_what_differs_in_anything_is_written_tile_by_tile(changes):
    found = list(load_writes([image(), image(x=0, **changes)]))
    tiles = [value for address, value in found if address == HostAddress.LOAD_TILE]
    assert tiles == [1 << 8 | 3, 1 << 8]
    assert [address for address, _ in found].count(HostAddress.LOAD_TARGET) == 2


def test_tiles_are_chosen_by_the_fields_of_the_register():
    registers = chip_registers(mesh_width=1, mesh_height=1, n_axons=4, n_neurons=4)
    pack = registers["LOAD_TILE"].pack
    found = list(load_writes([image(x=255, y=255), image(x=9, y=200)]))
    tiles = [value for address, value in found if address == HostAddress.LOAD_TILE]
    assert tiles == [pack(x=255, y=255), pack(x=9, y=200, also=1)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": 256}, r"^tile \(256, 1\), load target 1: x must be 0 to 255, got 256$"),
        ({"y": 0}, r"^tile \(3, 0\), load target 1: y must be 1 to 255, got 0$"),
        ({"target": 4}, r"^tile \(3, 1\), load target 4: target must be 0 to 3, got 4$"),
        ({"row_width": 0}, r"^tile \(3, 1\), load target 1: row_width must be 1 to 32768, got 0$"),
        ({"first_row": 1048575}, r"load target 1: first_row must be 0 to 1048574, got 1048575$"),
        (
            {"rows": [0, 1 << 40]},
            r"load target 1, row 1: value must fit 40 unsigned bits, got 0x10000000000$",
        ),
        ({"rows": [-1]}, r"load target 1, row 0: value must fit 40 unsigned bits, got -0x1$"),
    ],
)
def test_impossible_images_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        image(**changes)


def test_a_search_is_two_writes_and_a_wait():
    registers = chip_registers(mesh_width=1, mesh_height=1, n_axons=4, n_neurons=4)
    search = TrimSearch(trim=Trim.GAIN, threshold=9, repeats_log2=2, lowered_by=1)
    assert list(search_accesses(registers, search)) == [
        (AccessKind.WRITE, HostAddress.CALIBRATION, 0x010905),
        (AccessKind.WRITE, HostAddress.CONTROL, 0b100),
        (AccessKind.WAIT, HostAddress.STATUS, 0b1),
    ]


def test_trims_are_read_neuron_by_neuron():
    assert list(trim_reads(3, 1, 2)) == [
        (AccessKind.WRITE, HostAddress.LOAD_TILE, 0x103),
        (AccessKind.WRITE, HostAddress.LOAD_ROW, 0),
        (AccessKind.READ, HostAddress.TRIMS, 0),
        (AccessKind.WRITE, HostAddress.LOAD_ROW, 1),
        (AccessKind.READ, HostAddress.TRIMS, 0),
    ]
    assert list(writes([(4, 5)])) == [(AccessKind.WRITE, 4, 5)]
