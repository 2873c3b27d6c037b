"""Texts and ratings of people, logs per item, and articles."""

from __future__ import annotations

from pathlib import Path

from exaid_evals.export.report_pack import plan
from remedies.rows import Row, file

NOTE = '{"id": "a", "summary": "Fever.", "source": "He has fever."}\n'
RATINGS = "item,rater,rating\n" + "".join(
    f"i{n},r{r},{'yes' if (n * r) % 3 else 'no'}\n" for n in range(8) for r in (1, 2)
)
AGREEMENT = "agreement --human ratings.csv"
LONG = [
    file(
        'write {"id": …, "summary": "…", "source": "…", "reference": "…"} on each line; '
        "one of the last two may be absent",
        "notes notes.jsonl",
        "notes.jsonl",
        '{"id": "a"}\n',
        NOTE,
    ),
    file(
        'write {"id": …, "text": "…"} on each line',
        "concepts t.jsonl",
        "t.jsonl",
        '{"id": "a"}\n',
        '{"id": "a", "text": "Fever."}\n',
    ),
    Row(
        'write its texts into one file, {"id": …, "text": "…"} on each line; - reads standard input',
        "concepts notes",
        "concepts notes.jsonl",
        files={"notes/a.txt": "Fever.", "notes.jsonl": '{"id": "a", "text": "Fever."}\n'},
    ),
    Row(
        "name a file that holds the text; a text itself goes to standard input: "
        "echo 'She denies fever.' | exaid-evals concepts --format table",
        "concepts 'she denies fever'",
        "concepts note.txt",
        files={"note.txt": "Fever."},
    ),
    Row(
        "name a file of JSON Lines; a record itself goes to standard input: "
        """echo '{"summary": "No fever.", "source": "He has a fever."}' | exaid-evals notes --format table""",
        "notes nothing.jsonl",
        "notes notes.jsonl",
        files={"notes.jsonl": NOTE},
    ),
    file("save it as UTF-8", "concepts note.txt", "note.txt", b"Fi\xe8vre.", "Fever."),
    Row(
        "{}known are {}; your own goes by `module:attribute`",
        "concepts --extractor lexcon note.txt",
        "concepts --extractor lexicon note.txt",
        files={"note.txt": "Fever."},
    ),
]

PEOPLE = [
    file(
        "give columns item, rater, rating; or item and one column a rater",
        AGREEMENT,
        "ratings.csv",
        "a,b\n1,2\n",
        RATINGS,
    ),
    file("keep one of them", AGREEMENT, "ratings.csv", RATINGS + "i0,r1,yes\n", RATINGS),
    file("save it as UTF-8", AGREEMENT, "ratings.csv", RATINGS.encode() + b"\xe9", RATINGS),
    Row(
        "write numbers for {}, or leave out --level",
        f"{AGREEMENT} --level interval",
        AGREEMENT,
        files={"ratings.csv": RATINGS},
    ),
    Row(
        "write numbers for {}, or leave out --level",
        f"{AGREEMENT} --level interval",
        files={"ratings.csv": RATINGS},
        then={"ratings.csv": RATINGS.replace("yes", "1").replace("no", "0")},
    ),
    Row(
        "write numbers for {}, or leave out --measures",
        f"{AGREEMENT} --measures m.csv",
        AGREEMENT,
        files={"ratings.csv": RATINGS, "m.csv": "id,m\ni0,1\n"},
    ),
]

PREDICTIONS = "index,label,pred,loss\n" + "".join(f"{n},{n % 2},{(n * 7) % 3 % 2},0.{n}\n" for n in range(8))
TABLE = "inputs,score\na,1\nb,0\n"
COMPARED = "compare-logs one.csv two.csv"
LOGS = [
    file(
        "name logs of the same items",
        COMPARED,
        "two.csv",
        "index,label,pred,loss\n90,1,1,0.1\n91,0,1,0.1\n",
        PREDICTIONS,
        before=lambda: Path("one.csv").write_text(PREDICTIONS),
    ),
    Row("there are {}", f"{COMPARED} --metric f9", COMPARED, files={"one.csv": PREDICTIONS, "two.csv": PREDICTIONS}),
    Row(
        "check the path",
        "compare-logs one.csv nothing.csv",
        COMPARED,
        files={"one.csv": PREDICTIONS, "two.csv": PREDICTIONS},
    ),
    file(
        "known are {}",
        COMPARED,
        "two.csv",
        "a\n1\n",
        PREDICTIONS,
        before=lambda: Path("one.csv").write_text(PREDICTIONS),
    ),
    file(
        "there are {}",
        COMPARED,
        "two.csv",
        "inputs,b\na,x\nb,y\n",
        TABLE,
        before=lambda: Path("one.csv").write_text(TABLE),
    ),
    file(
        "wait for its end, or leave it out",
        COMPARED,
        "two.csv",
        "inputs,score\n",
        TABLE,
        before=lambda: Path("one.csv").write_text(TABLE),
    ),
]


def packed() -> object:
    """Plan what of an export goes into an article."""
    return plan(Path("export"), Path("article"))


def article(remedy: str, wrong: str | bytes, right: str = "% exaid:begin main\n% exaid:end\n") -> Row:
    """Return the row of an article whose markers are at fault."""
    return Row(
        remedy,
        packed,
        files={"export/tables/main.tex": "a & b\n", "article/a.tex": wrong},
        then={"article/a.tex": right},
    )


ARTICLES = [
    article("save it as UTF-8", "x".encode("utf-16")),
    article("end the one before the other begins", "% exaid:begin main\n% exaid:begin other\n% exaid:end\n"),
    article("remove one of them", "% exaid:begin main\n% exaid:end\n" * 2),
    article("remove the line, or write `% exaid:begin NAME` above", "% exaid:end\n"),
    article("end each block before the next", "% exaid:begin main\n% exaid:end other\n"),
    article("write `% exaid:begin NAME` or `% exaid:end`", "% exaid:start main\n"),
    article("write `% exaid:end` below it", "% exaid:begin main\n"),
    article("there are {}", "% exaid:begin mian\n% exaid:end\n"),
    Row(
        "name the article's folder",
        lambda: plan(Path("export"), Path("export")),
        packed,
        files={"export/tables/main.tex": "a\n", "article/a.tex": "x\n"},
    ),
    Row(
        "check the path",
        lambda: plan(Path("export"), Path("nothing")),
        packed,
        files={"export/tables/main.tex": "a\n", "article/a.tex": "x\n"},
    ),
    Row(
        "name the folder that `exaid-evals export` wrote, or a campaign's",
        packed,
        files={"export/x": "", "article/a.tex": "x\n"},
        then={"export/tables/main.tex": "a\n"},
    ),
    Row(
        "write the whole name",
        packed,
        files={
            "export/tables/one/main.tex": "a\n",
            "export/tables/two/main.tex": "a\n",
            "article/a.tex": "% exaid:begin main\n% exaid:end\n",
        },
        then={"article/a.tex": "% exaid:begin one/main\n% exaid:end\n"},
    ),
    Row(
        "give the command without --check",
        "report-pack --from export --to article --check",
        "report-pack --from export --to article",
        files={"export/tables/main.tex": "a\n", "article/a.tex": "% exaid:begin main\n% exaid:end\n"},
    ),
]

ROWS = [*PEOPLE, *LOGS, *ARTICLES]
