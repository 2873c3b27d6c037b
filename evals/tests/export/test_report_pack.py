"""`report-pack`: copies and marked blocks, and nothing else of an article."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.cli.main import run as cli
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.export import report_pack

TABLE = "\\begin{tabular}{lr}\\toprule a & 0.696 $\\pm$ 0.026 \\\\ \\bottomrule\\end{tabular}\n"


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Return an export of a table, one within a folder with a space, and a figure with its data."""
    folder = tmp_path / "exports"
    inner = folder / "aggregate_reports" / "my models"
    (inner / "figures").mkdir(parents=True)
    (folder / "logs").mkdir()
    (folder / "logs" / "x.csv").write_text("a\n", encoding="utf-8")
    (folder / "main.tex").write_text(TABLE, encoding="utf-8")
    (folder / "main.csv").write_text("a,b\n", encoding="utf-8")
    (folder / "exported_summary.json").write_text("{}", encoding="utf-8")
    (inner / "models.tex").write_text("% 60 models\n" + TABLE, encoding="utf-8")
    for suffix, content in ((".png", b"\x89PNG"), (".pdf", b"%PDF-1.4"), (".csv", b"x,y\n")):
        (inner / "figures" / f"accuracy{suffix}").write_bytes(content)
    return folder


@pytest.fixture
def article(tmp_path: Path) -> Path:
    """Return an empty article's folder."""
    folder = tmp_path / "article"
    folder.mkdir()
    return folder


def write(article: Path, text: str | bytes, name: str = "paper.tex") -> Path:
    """Write a .tex file."""
    path = article / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def pack(export: Path, article: Path, *options: str) -> int:
    """Run the verb."""
    return cli(["report-pack", "--from", str(export), "--to", str(article), *options])


def test_tables_and_figures_are_copied_and_blocks_filled(export: Path, article: Path) -> None:
    r"""A table stands in its block, a figure as its \includegraphics; files lie in tables/ and figures/."""
    path = write(
        article, "A\n% exaid:begin main\nold\n% exaid:end\nB\n  %exaid:begin accuracy\n  % exaid:end accuracy\nC"
    )
    assert pack(export, article) == 0
    figure = "\\includegraphics[width=\\linewidth]{figures/aggregate_reports/my_models/accuracy.pdf}\n"
    assert path.read_text(encoding="utf-8") == (
        f"A\n% exaid:begin main\n{TABLE}% exaid:end\nB\n  %exaid:begin accuracy\n{figure}  % exaid:end accuracy\nC"
    )
    copied = sorted(item.relative_to(article).as_posix() for item in article.rglob("*") if item.is_file())
    assert copied == [
        "figures/aggregate_reports/my_models/accuracy.csv",
        "figures/aggregate_reports/my_models/accuracy.pdf",
        "figures/aggregate_reports/my_models/accuracy.png",
        "paper.tex",
        "tables/aggregate_reports/my_models/models.tex",
        "tables/main.csv",
        "tables/main.tex",
    ]


def test_check_says_the_first_line_that_differs(
    export: Path, article: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--check writes nothing and exits 1 with file and line; after packing it exits 0; so does a dry run."""
    path = write(article, "A\n% exaid:begin main\nold\n% exaid:end\n")
    before = path.read_bytes()
    assert pack(export, article, "--check") == 1
    assert "paper.tex:3: has 'old', where '\\\\begin{tabular}" in capsys.readouterr().err
    assert pack(export, article, "--dry-run") == 0
    assert path.read_bytes() == before
    assert not (article / "tables").exists()
    assert pack(export, article) == 0
    assert pack(export, article, "--check") == 0
    (article / "tables" / "main.csv").write_text("changed\n", encoding="utf-8")
    capsys.readouterr()
    assert pack(export, article, "--check") == 1
    assert "main.csv:1: has 'changed', where 'a,b' belongs" in capsys.readouterr().err


def test_a_second_run_touches_nothing(export: Path, article: Path) -> None:
    """What is as it should be keeps even its inode and its time."""
    path = write(article, "% exaid:begin main\n% exaid:end\n")
    path.chmod(0o640)
    assert pack(export, article) == 0
    assert path.stat().st_mode & 0o777 == 0o640
    before = {item: (item.stat().st_ino, item.stat().st_mtime_ns) for item in article.rglob("*")}
    assert pack(export, article) == 0
    assert {item: (item.stat().st_ino, item.stat().st_mtime_ns) for item in article.rglob("*")} == before


lines = st.binary(max_size=30).map(
    lambda raw: raw.replace(b"exaid", b"").replace(b"\xff\xfe", b"").replace(b"\xfe\xff", b"")
)
outside = st.lists(st.tuples(lines, st.sampled_from([b"\n", b"\r\n", b"\r"])), max_size=6).map(
    lambda parts: b"".join(line + end for line, end in parts)
)


@given(outside, outside, outside, st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_everything_outside_blocks_stays_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, before: bytes, old: bytes, after: bytes, newline: bytes
) -> None:
    """Whatever bytes and line ends stand around a block, they stay; a block takes its line's end; twice is once."""
    root = tmp_path_factory.mktemp("p")
    (root / "from").mkdir()
    (root / "from" / "t.tex").write_text("one\ntwo\n", encoding="utf-8")
    if before and not before.endswith((b"\n", b"\r")):
        before += newline
    if before.endswith(b"\r"):
        before += b"x\n"  # else the opening's own line might begin with its half of a line end
    opening, closing = b"% exaid:begin t" + newline, b"% exaid:end"
    old = old.replace(b"\r", b"") if newline == b"\n" else old
    path = root / "to" / "p.tex"
    path.parent.mkdir()
    path.write_bytes(before + opening + b"old" + newline + old + b"x\n" + closing + b"\n" + after)
    report_pack.apply(report_pack.plan(root / "from", root / "to"))
    made = path.read_bytes()
    assert made == before + opening + b"one" + newline + b"two" + newline + closing + b"\n" + after
    assert report_pack.plan(root / "from", root / "to").changes == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n% exaid:begin nothing\n% exaid:end\n", r"paper\.tex:2: no table or figure is called 'nothing'; there are"),
        (
            "% exaid:begin main\n% exaid:begin models\n% exaid:end\n",
            r"paper\.tex:2: the block models begins within main",
        ),
        ("x\n% exaid:begin main\n", r"paper\.tex:2: the block main does not end"),
        ("% exaid:end\n", r"paper\.tex:1: a block ends that has not begun"),
        ("% exaid:begin main\n% exaid:end models\n", r"paper\.tex:2: the end of models stands in main"),
        ("% exaid:begin main\n% exaid:end\n" * 2, r"paper\.tex:3: the block main is a duplicate, first in line 1"),
        ("% exaid:begin\n% exaid:end\n", r"paper\.tex:1: no marker: exaid:begin"),
        ("% exaid:start main\n", r"paper\.tex:1: no marker: exaid:start main"),
    ],
)
def test_mistakes_in_markers_are_named_and_nothing_is_written(
    export: Path, article: Path, text: str, message: str
) -> None:
    """Each names file and line; no file is copied or changed before all are put right."""
    write(article, text)
    with pytest.raises(ConfigError, match=message):
        report_pack.plan(export, article)
    assert pack(export, article) == 2
    assert [item.name for item in article.rglob("*")] == ["paper.tex"]


def test_mistakes_of_all_files_are_named_at_once(export: Path, article: Path) -> None:
    """One broken file does not hide the next."""
    write(article, "% exaid:end\n", "chapters/one.tex")
    write(article, "% exaid:begin nothing\n% exaid:end\n")
    with pytest.raises(ConfigError, match=r"(?s)2 problems.*one\.tex:1.*paper\.tex:1"):
        report_pack.plan(export, article)


def test_a_name_of_two_things_must_say_which(export: Path, article: Path) -> None:
    """A table and a figure of one name are distinguished by `table:` and `figure:`."""
    (export / "main.pdf").write_bytes(b"%PDF")
    path = write(article, "% exaid:begin main\n% exaid:end\n")
    with pytest.raises(ConfigError, match="may be table:main, figure:main"):
        report_pack.plan(export, article)
    path.write_text("% exaid:begin figure:main\n% exaid:end\n", encoding="utf-8")
    report_pack.apply(report_pack.plan(export, article))
    assert "{figures/main.pdf}" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("head", "written", "expected"),
    [
        (b"", "é".encode(), "±".encode()),
        (b"\\usepackage[latin1]{inputenc}\n", b"\xe9", b"\xb1"),
        (b"\\usepackage[latin1]{inputenc}\n", b"e", b"\xb1"),
        (b"\xef\xbb\xbf", "é".encode(), "±".encode()),
    ],
)
def test_the_encoding_of_a_file_is_kept(
    export: Path, article: Path, head: bytes, written: bytes, expected: bytes
) -> None:
    """UTF-8 with and without a mark, and what inputenc declares."""
    (export / "main.tex").write_text("±\n", encoding="utf-8")
    path = write(article, head + written + b"\n% exaid:begin main\n% exaid:end\n")
    report_pack.apply(report_pack.plan(export, article))
    assert path.read_bytes() == head + written + b"\n% exaid:begin main\n" + expected + b"\n% exaid:end\n"


def test_a_sign_that_the_encoding_lacks_is_an_error(export: Path, article: Path) -> None:
    """Bytes of no known encoding take only ASCII, and latin1 has no check mark: nothing is guessed."""
    (export / "main.tex").write_text("✓\n", encoding="utf-8")
    for head in (b"\xe9\n", b"\\usepackage[latin1]{inputenc}\n"):
        write(article, head + b"% exaid:begin main\n% exaid:end\n")
        with pytest.raises(ConfigError, match=r"paper\.tex:2: (ascii|latin-1) has no '✓'"):
            report_pack.plan(export, article)


def test_links_are_not_written_through(export: Path, article: Path, tmp_path: Path) -> None:
    """A link in the article's folder, for a file or a folder, is refused by name and what it leads to stays."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (article / "tables").symlink_to(elsewhere)
    with pytest.raises(DataError, match="tables: is a link"):
        report_pack.plan(export, article)
    (article / "tables").unlink()
    outside_file = write(elsewhere, "% exaid:begin main\n% exaid:end\n", "shared.tex")
    (article / "paper.tex").symlink_to(outside_file)
    with pytest.raises(ConfigError, match=r"paper\.tex:1: a block stands in a link"):
        report_pack.plan(export, article)
    (article / "paper.tex").unlink()
    (article / "loop").symlink_to(article)
    (article / "figures").mkdir()
    (article / "figures" / "aggregate_reports").symlink_to(elsewhere)
    with pytest.raises(DataError, match="aggregate_reports: is a link"):
        report_pack.plan(export, article)
    assert [item.name for item in elsewhere.iterdir()] == ["shared.tex"]


def test_a_campaign_is_packed_too(tmp_path: Path, article: Path) -> None:
    """Of a campaign the metrics' tables and figures, and the exports beside them."""
    data = tmp_path / "data"
    for name in (
        "metrics/tables/main.tex",
        "metrics/figures/curve.pdf",
        "metrics/figures/curve.csv",
        "exports/main.tex",
    ):
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n", encoding="utf-8")
    paper = write(article, "% exaid:begin main\n% exaid:end\n% exaid:begin exports/main\n% exaid:end\n")
    report_pack.apply(report_pack.plan(data, article))
    assert paper.read_text(encoding="utf-8").splitlines()[1::3] == ["metrics/tables/main.tex", "exports/main.tex"]
    assert (article / "figures" / "curve.csv").is_file()


def test_wrong_folders_are_refused(export: Path, article: Path, tmp_path: Path) -> None:
    """A missing folder, a file, one folder for both, and a folder with nothing in it."""
    assert pack(export, tmp_path / "missing") == 2
    assert pack(export / "main.tex", article) == 2
    assert pack(export, export) == 2
    (tmp_path / "empty").mkdir()
    assert pack(tmp_path / "empty", article) == 1


def test_an_export_within_the_article_is_no_chapter(export: Path, article: Path) -> None:
    """Whoever keeps exports beside the article has no blocks filled in them."""
    inner = article / "exports"
    shutil.copytree(export, inner)
    (inner / "odd.tex").write_text("% exaid:end\n", encoding="utf-8")
    write(article, "% exaid:begin main\n% exaid:end\n")
    report_pack.apply(report_pack.plan(inner, article))
    assert (inner / "odd.tex").read_text(encoding="utf-8") == "% exaid:end\n"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everything")
def test_a_locked_article_is_reported(export: Path, article: Path) -> None:
    """A folder that may not be written is an error with its name."""
    article.chmod(0o500)
    assert pack(export, article) == 1


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
def test_a_filled_article_compiles(article: Path, tmp_path: Path) -> None:
    """The golden model reports, exported and packed, make a document."""
    gold = Path(__file__).parents[1] / "gold" / "export" / "model_reports" / "models"
    assert cli(["export", "--run", str(gold), "--out", str(tmp_path / "out")]) == 0
    blocks = "".join(
        f"% exaid:begin {name}\n% exaid:end\n\n" for name in ("aggregate_model_reports", "accuracy_by_model")
    )
    head = "\\documentclass{article}\n\\usepackage{booktabs,graphicx}\n\\begin{document}\n"
    write(article, f"{head}{blocks}\\end{{document}}\n")
    assert pack(tmp_path / "out", article) == 0
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=article, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-1500:]
