"""The statistics keep their promises on simulated data, and docs/statistics.md says what comes out."""

from __future__ import annotations

import math
import re
from dataclasses import asdict
from types import ModuleType

import pytest

from scripts import script_module

Rows = list[list[float]]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """Return the script that makes the page."""
    return script_module("evals/bench/calibrate_statistics.py")


def numbers(lines: list[str]) -> Rows:
    """Return the numbers of each row of a table behind its first column, or of a line that is one number."""
    return [[float(cell) for cell in line.split("|")[2:-1] or [line]] for line in lines]


@pytest.fixture(scope="module")
def reported(script: ModuleType) -> dict[str, list[str]]:
    """Return the lines of each part of the page; all around them must be as the template has it."""
    template = re.escape(script.TEMPLATE.read_text(encoding="utf-8"))
    pattern = re.sub(r"\\{\\{\\ (\w+)\\ \\}\\}", r"(?P<\1>.*?)", template)
    found = re.fullmatch(pattern, script.PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None, "write the page anew: python evals/bench/calibrate_statistics.py"
    return {name: part.split("\n") for name, part in found.groupdict().items()}


def test_the_page_tells_of_promises_that_are_kept(script: ModuleType, reported: dict[str, list[str]]) -> None:
    """At n = 40 intervals cover 93–97 % and tests err in 4–6 %; where they do not, the page says so by name."""
    names = {
        part: [line.split("|")[1].strip() for line in lines] for part, lines in reported.items() if "|" in lines[0]
    }
    assert names["intervals"] == [population.name for population in script.POPULATIONS]
    for population, (covered, _) in zip(script.POPULATIONS, numbers(reported["intervals"]), strict=True):
        assert population.mild == (93 <= covered <= 97), f"{population.name}: {covered}"
    tested = dict(zip(names["false_positives"], numbers(reported["false_positives"]), strict=True))
    assert all(4 <= share <= 6 for name, (share,) in tested.items() if "n = 12" not in name), tested
    assert any("n = 12" in name for name in tested)
    bands = dict(zip(names["bands"], numbers(reported["bands"]), strict=True))
    assert all(93 <= bands[n][0] <= 97.5 for n in ("40", "100")), bands
    assert all(band > pointwise for band, pointwise in bands.values())
    assert numbers(reported["t_test"]) == [[pytest.approx(80, abs=1)]]
    for level, power, without_luck, theory, held in numbers(reported["logs"]):
        assert 4 <= level <= 6
        assert abs(power - theory) <= 2
        assert abs(without_luck - theory) <= 1
        assert 93 <= held <= 97
    assert all(corrected >= 93 and raw < 93 for corrected, raw in numbers(reported["corrections"]))
    assert all(corrected <= 97 for corrected, _ in numbers(reported["corrections"])[:3])  # the last is Wilson's
    seeds = numbers(reported["seeds"])
    assert all(crossed > pooled for _, crossed, _, pooled, _ in seeds)
    assert all(92 <= row[1] <= 97 for n, row in zip(names["seeds"], seeds, strict=True) if int(n) >= 5), seeds


@pytest.mark.slow
def test_the_page_tells_what_comes_out(script: ModuleType, reported: dict[str, list[str]]) -> None:
    """A part of the page's simulations, drawn again, gives its numbers but for four standard errors of that part."""
    n = script.DataSets(2_000, 1_000, 150, 250, 1_000, 700)
    sizes = {**asdict(n), "false_positives": n.tested}
    made = script.parts(script.simulate(n))
    assert made.keys() == reported.keys()
    for part, lines in made.items():
        assert [line.split("|")[1:2] for line in lines] == [line.split("|")[1:2] for line in reported[part]]
        for found, expected in zip(numbers(lines), numbers(reported[part]), strict=True):
            errors = [math.sqrt(share * (100 - share) / sizes.get(part, n.intervals)) for share in expected]
            assert all(abs(a - b) <= 4 * e for a, b, e in zip(found, expected, errors, strict=True)), (part, found)
