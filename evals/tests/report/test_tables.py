"""What no form of a table may leave out."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from collections.abc import Sequence

import pytest

from exaid_evals.metrics.records import MadeFrom, VariantMetrics
from exaid_evals.report.base import MISSING, STUB_NOTE, Column, Row, Table, build_table, column
from exaid_evals.report.cells import Digits, Mean, Number, PValue, Text, WithInterval
from exaid_evals.report.formats import csv_table, latex, markdown, plain
from exaid_evals.report.registry import TABLES
from exaid_evals.report.results import Results
from exaid_evals.report.stage import build_tables
from gold.examples import RESULTS, SIGNATURE, VARIANTS, comparison, estimate, variant

TEXTS = {"md": markdown.render, "tex": latex.render, "txt": plain.render}
LIVE = Results((variant("V3", (0, 0, 0, 0, 0), stub=False),), (comparison("V0", "coverage", 0.1, 0.5, stub=False),))


def table_of(name: str, results: Sequence[VariantMetrics] = RESULTS) -> Table:
    """Build a table."""
    table: Table = TABLES.find(name).build(results, "V3")
    return table


def words(text: str) -> str:
    """Return what a reader of a form reads: no LaTeX commands, one space between words."""
    for tex, read in {
        r"\textbar{}": "|",
        r"\allowbreak{}": "",
        r"\_": "_",
        r"\%": "%",
        r"\textless{}": "<",
        "$-$": "−",
        r"\<": "<",
        "`": "",
    }.items():
        text = text.replace(tex, read)
    return re.sub(r"\s+", " ", text.replace("$\\geq$", "≥"))


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("form", TEXTS)
def test_every_form_says_how_its_numbers_were_made(form: str, name: str) -> None:
    """The number of cases, failed cases, stub and signature stand beside each table."""
    text = words(TEXTS[form](table_of(name)))
    assert SIGNATURE in text
    assert STUB_NOTE in text
    left_out = "n = 39 cases; 1 of 40 failed and is left out."
    assert ("Left out: 1 case without a conversation;" if name == "comparisons" else left_out) in text


@pytest.mark.parametrize("form", TEXTS)
def test_what_is_undefined_is_counted(form: str) -> None:
    """Of each measure and variant: how many cases do not define it."""
    assert "Restated (V0 39, V3 3, V10_b 39)" in words(TEXTS[form](table_of("main")))


def test_csv_is_for_parsers() -> None:
    """One header, one line a variant, numbers unrounded, empty where undefined, signature as a column."""
    rows = list(csv.DictReader(io.StringIO(csv_table.render(table_of("main")))))
    assert [row["variant"] for row in rows] == ["V0", "V3", "V10_b"]
    assert {row["signature"] for row in rows} == {SIGNATURE}
    assert {row["stub"] for row in rows} == {"true"}
    assert rows[0]["time_to_first_update_ms_mean"] == "2345.678"
    assert (rows[0]["restated_mean"], rows[0]["restated_n_undefined"]) == ("", "39")


def test_csv_of_comparisons_names_measure_and_both_variants() -> None:
    """A row's keys are columns of their own, p-values are whole, and what does not exist is empty."""
    rows = list(csv.DictReader(io.StringIO(csv_table.render(table_of("comparisons")))))
    first = next(row for row in rows if row["measure"] == "coverage")
    assert (first["variant"], first["against"], first["wilcoxon_p"]) == ("V0", "V3", "0.0004")
    assert (first["mean_difference"], first["mean_difference_ci95_low"]) == ("-0.125", "-0.135")
    assert [row["wilcoxon_p"] for row in rows if row["variant"] == "V10_b"] == ["", "", "0.9999"]


@pytest.mark.parametrize("name", TABLES)
def test_rows_have_keys_of_their_own(name: str) -> None:
    """A key names one row, has a value per name, and finds its row; an unknown one does not."""
    table = table_of(name)
    assert len({row.key for row in table.rows}) == len(table.rows)
    assert {len(row.keys) for row in table.rows} == {len(table.key_names)}
    assert {len(row.cells) for row in table.rows} == {len(table.columns)}
    assert all(table.row(row.key) is row for row in table.rows)
    with pytest.raises(KeyError):
        table.row("no such row")


@pytest.mark.parametrize("form", TEXTS)
def test_mixed_signatures_are_not_passed_over(form: str) -> None:
    """Rows that were made differently: the table says so, and which is which."""
    other = SIGNATURE.replace("bbbbbbbb", "dddddddd")
    text = words(TEXTS[form](table_of("main", [VARIANTS[0], variant("V3", (0, 0, 0, 0, 0), signature=other)])))
    assert "Mixed signatures" in text
    assert f"V0: {SIGNATURE}" in text
    assert f"V3: {other}" in text


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("form", TEXTS)
def test_real_data_are_not_called_stub(form: str, name: str) -> None:
    """The stub note stands only where a row is of stub data."""
    assert "Stub" not in TEXTS[form](table_of(name, LIVE))


def test_variants_with_other_numbers_of_cases_are_distinguished() -> None:
    """Each n stands with its variants."""
    fewer = dataclasses.replace(VARIANTS[1], n_cases=3, n_failed=0)
    assert "n = 39 cases; 1 of 40 failed and is left out (V0). n = 3 cases (V3)." in plain.render(
        table_of("main", [VARIANTS[0], fewer])
    )


def test_numbers_are_shown_in_their_unit_and_without_negative_zero() -> None:
    """−1 ms is 0.0 s and not −0.0 s; a minus is a minus; thousands are divided; nothing is a dash."""
    seconds = Column("x", "x", unit="s", decimals=1, scale=0.001)
    shown = [seconds.shown(Mean(estimate(value))) for value in (-1.0, -1500.0, None)]
    assert shown == ["0.0", "−1.5", MISSING]
    assert Column("x", "x", decimals=0).shown(Mean(estimate(1234567.0))) == "1,234,567"
    assert (seconds.shown(None), seconds.below(None), seconds.below(Mean(estimate(None)))) == (MISSING, "", "")


def test_cells_of_every_kind_stand_beside_each_other() -> None:
    """Text, integers, p-values, numbers in digits of their own: shown as they are, and whole in CSV."""
    columns = (
        Column("what", "What", holds=Text),
        Column("n", "n", decimals=0, holds=Number),
        Column("p", "p", holds=PValue),
        Column("delay", "Delay", holds=WithInterval),
    )
    cells = (Text("words | more"), Number(12345), PValue(0.00042), WithInterval(1234.5, 1000, None, Digits(1, 0.001)))
    row = Row(("a", "b"), cells, stub=False, signature=SIGNATURE, group="Group")
    missing = Row(("a", "c"), (None,) * 4, stub=False, signature=SIGNATURE, label="Name", group="Group")
    table = Table("t", "T", columns, (row, missing), (), key_names=("one", "two"), row_heading="Row")
    assert "| a/b | words \\| more | 12,345 | \\< 0.001 | 1.2 |\n| Name | – | – | – | – |" in markdown.render(table)
    assert csv_table.render(table).splitlines()[1:] == [
        f"a,b,words | more,12345,0.00042,1234.5,1000,,false,{SIGNATURE}",
        f"a,c,,,,,,,false,{SIGNATURE}",
    ]


def test_columns_that_nobody_has_are_left_out() -> None:
    """Other budgets than the usual are shown by their own names; missing measures not at all."""
    measures = {"coverage_at_400": estimate(0.5), "coverage_at_900": estimate(0.5), "restated": estimate(0.5)}
    table = table_of("main", [dataclasses.replace(VARIANTS[0], measures=measures)])
    assert [one.heading for one in table.columns] == ["Coverage@400", "Restated"]


def test_tables_that_the_data_do_not_give_are_named_with_the_reason() -> None:
    """One variant is compared with nothing, and live conversations have no gold labels."""
    measures = {name: VARIANTS[0].measures[name] for name in ("trace_ctu", "coverage", "coverage_at_500", "llm_calls")}
    tables, left_out = build_tables(Results((dataclasses.replace(VARIANTS[0], measures=measures),)), "V3")
    assert set(tables) | set(left_out) == set(TABLES)
    assert set(left_out) == {"comparisons", "delays", "extractor_validity", "coverage_gold"}
    assert all(left_out.values())


def test_each_source_of_cases_is_described_by_itself() -> None:
    """Variants of other cases are not thrown together: the data set has rows for each source."""
    made = [dataclasses.replace(one, made_from=None) for one in VARIANTS]
    table = table_of("data_set", made)
    assert [row.key for row in table.rows] == [f"unknown/trace_{name}" for name in ("messages", "ctu", "concepts")]
    assert table.rows[1].cells[0] == Number(39, Digits(0))


def test_a_measure_of_ones_own_is_shown_by_its_name() -> None:
    """Nothing needs to be known about a measure to put it into a table."""
    table = build_table(
        "t", "T", [column("my_own")], [dataclasses.replace(VARIANTS[0], measures={"my_own": estimate(0.5)})], ""
    )
    assert "my_own" in plain.render(table)


@pytest.mark.parametrize("hostile", ["a|b", "*a*", "`a`", "<b>a</b>", "[a](javascript:x)", "a\n| b", "_a_", "\\|"])
def test_markdown_escapes_what_would_be_markup(hostile: str) -> None:
    """Whatever a label holds, the table keeps its columns and shows the text."""
    row = Row((hostile,), (Text(hostile),), stub=False, signature=SIGNATURE)
    rendered = markdown.render(Table("t", "T", (Column("x", "x", holds=Text),), (row,), ()))
    line = rendered.splitlines()[4]
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3
    assert not re.search(r"(?<!\\)[*`<]|(?<!\\)\]\(", line)


@pytest.mark.parametrize(
    ("seed", "held_out", "said"),
    [
        (2001, True, "Generator seed 2001 was not used while the extractor was built: this is a held-out test."),
        (42, False, "Generator seed 42 was in view while the extractor was built, so this is not a held-out test"),
        (7, None, "Generator seed 7; the extractor does not say whether"),
        (None, None, "Which seed generated the conversations is not recorded."),
    ],
)
def test_the_extractors_table_says_whether_its_seed_was_held_out(
    seed: int | None, held_out: bool | None, said: str
) -> None:
    """A reader learns from the table itself whether the numbers are a test on unseen conversations."""
    made_from = MadeFrom("sha256:t", "synthetic", "sha256:r", "V3", {}, seed, held_out)
    results = [dataclasses.replace(one, made_from=made_from) for one in RESULTS]
    assert said in " ".join(table_of("extractor_validity", results).notes)
