"""The bulk snapshot: every line becomes a record or a named line, however the file is packed."""

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any, Literal

import pytest
from arxiv_server import make_truth, write_snapshot

from survey_tools.errors import DataError
from survey_tools.harvest import snapshot
from survey_tools.harvest.page import MalformedEntry
from survey_tools.harvest.record import ArxivRecord, Version
from survey_tools.harvest.snapshot import SnapshotLine, read_snapshot

RECORD: dict[str, Any] = {
    "id": "2501.00042",
    "submitter": "Q. Example",
    "authors": "\\'Ana M\\\"uller (Nowhere University),\n  Q. Example Jr",
    "title": 'Hidden lattices\n  after Schr\\"odinger',
    "comments": "7 pages",
    "journal-ref": None,
    "doi": "10.1000/invented.42 10.1000/invented.43",
    "report-no": None,
    "categories": "cs.DL cs.IR",
    "license": None,
    "abstract": "  Nothing here is\ntrue.\n",
    "versions": [
        {"version": "v1", "created": "Wed, 1 Jan 2025 08:00:00 GMT"},
        {"version": "v2", "created": "Mon, 3 Feb 2025 10:11:12 GMT"},
    ],
    "update_date": "2025-02-04",
    "authors_parsed": [["Müller", "Ána", ""], ["Example", "Q.", "Jr"]],
}


def line(**changes: Any) -> str:
    """Write a line of the snapshot, all in order but for the changes."""
    return json.dumps(RECORD | changes)


def numbered(n: int) -> list[str]:
    """Write n lines of n papers."""
    return [line(id=f"2501.{i:05}") for i in range(1, n + 1)]


def read(path: Path, *lines: str, n_skipped: int = 0) -> list[SnapshotLine]:
    """Write lines to a plain file and read them."""
    path.write_text("".join(f"{text}\n" for text in lines), encoding="utf-8")
    return list(read_snapshot(path, n_skipped=n_skipped))


def ids(lines: list[SnapshotLine]) -> list[str | None]:
    """Return the ids of the records, None for lines that are none."""
    contents = [each.content for each in lines]
    return [c.arxiv_id if isinstance(c, ArxivRecord) else None for c in contents]


def only_malformed(path: Path, text: str) -> MalformedEntry:
    """Read a bad line between two good ones; return what is said of it."""
    first, bad, last = read(path, numbered(1)[0], text, numbered(2)[1])
    assert isinstance(first.content, ArxivRecord)
    assert isinstance(last.content, ArxivRecord)
    assert isinstance(bad.content, MalformedEntry)
    assert (bad.n_line, last.n_line) == (2, 3)
    return bad.content


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file for a snapshot."""
    return tmp_path / "snapshot.json"


def test_every_field_is_read(path: Path) -> None:
    """The example worked by hand; the last version is the one that counts."""
    (only,) = read(path, line())
    assert only == SnapshotLine(
        1,
        len(line()) + 1,
        ArxivRecord(
            arxiv_id="2501.00042",
            version=2,
            title="Hidden lattices after Schrödinger",
            abstract="Nothing here is true.",
            authors=("Ána Müller", "Q. Example Jr"),
            categories=("cs.DL", "cs.IR"),
            versions=(
                Version(number=1, submitted="2025-01-01T08:00:00Z"),
                Version(number=2, submitted="2025-02-03T10:11:12Z"),
            ),
            comment="7 pages",
            doi="10.1000/invented.42",
            as_of="2025-02-04",
            raw=(("title", RECORD["title"]), ("authors", RECORD["authors"])),
        ),
    )


@pytest.mark.parametrize("kind", ["plain", "gz", "zip"])
def test_all_packings_hold_the_same(path: Path, kind: Literal["plain", "gz", "zip"]) -> None:
    """What a file is, its first bytes say and not its name; its records are the truth."""
    truth = make_truth(80, seed=7)
    write_snapshot(truth, path, kind)
    lines = list(read_snapshot(path))
    assert [each.n_line for each in lines] == list(range(1, 81))
    for each, paper in zip(lines, truth, strict=True):
        assert isinstance(each.content, ArxivRecord)
        assert each.content.arxiv_id == paper.arxiv_id
        assert each.content.title == paper.title
        assert each.content.abstract == paper.abstract
        assert each.content.authors == paper.authors
        assert each.content.version == len(paper.versions)
        assert each.content.as_of == paper.datestamp.isoformat()


def test_lengths_of_lines_add_up_to_the_file(path: Path) -> None:
    """So that progress can be told."""
    lines = read(path, *numbered(3), "no JSON")
    assert sum(each.n_bytes for each in lines) == path.stat().st_size


def test_reading_goes_on_after_the_lines_that_are_stored(path: Path) -> None:
    """Blank lines count as lines, and give nothing."""
    text = [*numbered(2), "", *numbered(4)[2:]]
    assert ids(read(path, *text)) == ["2501.00001", "2501.00002", "2501.00003", "2501.00004"]
    rest = read(path, *text, n_skipped=3)
    assert ids(rest) == ["2501.00003", "2501.00004"]
    assert [each.n_line for each in rest] == [4, 5]
    assert read(path, *text, n_skipped=5) == []


def test_the_last_line_needs_no_end(path: Path) -> None:
    """A whole record at the end is a record."""
    path.write_text("\n".join(numbered(2)), encoding="utf-8")
    assert ids(list(read_snapshot(path))) == ["2501.00001", "2501.00002"]


def test_a_file_cut_off_in_a_line_says_so(path: Path) -> None:
    """After all that stands before the cut."""
    path.write_text("\n".join(numbered(3))[:-30], encoding="utf-8")
    lines: list[SnapshotLine] = []
    with pytest.raises(DataError, match=r"is cut off, or no snapshot \(line 3: no JSON"):
        lines.extend(read_snapshot(path))
    assert ids(lines) == ["2501.00001", "2501.00002"]


def test_a_bad_record_at_the_end_is_no_cut(path: Path) -> None:
    """Its line is whole JSON, with or without an end; else the import could never be complete."""
    path.write_text("\n".join([*numbered(2), line(title="")]), encoding="utf-8")
    assert ids(list(read_snapshot(path))) == ["2501.00001", "2501.00002", None]


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_cut_gzip_gives_what_stands_before_the_cut(path: Path, share: float) -> None:
    """Then it raises, so that nobody takes it for the end."""
    text = "".join(line(id=f"2501.{i:05}", abstract=f"a{i * 7919}") + "\n" for i in range(1, 3001))
    data = gzip.compress(text.encode(), mtime=0)
    path.write_bytes(data[: int(len(data) * share)])
    lines: list[SnapshotLine] = []
    with pytest.raises(DataError, match=r"cut off or damaged after line [0-9,]+ \(.*goes on there"):
        lines.extend(read_snapshot(path))
    assert 0 < len(lines) < 3000
    assert all(isinstance(each.content, ArxivRecord) for each in lines)


def test_a_flipped_bit_in_a_gzip_is_seen(path: Path) -> None:
    """At the latest by its checksum."""
    data = bytearray(gzip.compress("".join(f"{text}\n" for text in numbered(200)).encode()))
    data[-6] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="cut off or damaged after line 200"):
        list(read_snapshot(path))


def test_gzip_files_put_together_are_one(path: Path) -> None:
    """``cat a.gz b.gz`` is a gzip file."""
    parts = [gzip.compress(f"{text}\n".encode(), mtime=0) for text in numbered(3)]
    path.write_bytes(b"".join(parts))
    assert ids(list(read_snapshot(path))) == ["2501.00001", "2501.00002", "2501.00003"]


def test_a_cut_zip_is_refused(path: Path) -> None:
    """Its table of contents stands at its end."""
    write_snapshot(make_truth(50), path, "zip")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DataError, match="cut off or damaged"):
        list(read_snapshot(path))


@pytest.mark.parametrize("n_files", [0, 2])
def test_a_zip_of_another_kind_is_refused(path: Path, n_files: int) -> None:
    """Which of two files is meant is not guessed."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.mkdir("folder")
        for i in range(n_files):
            archive.writestr(f"folder/{i}.json", line())
    with pytest.raises(DataError, match=rf"holds {n_files} files; a snapshot holds one"):
        list(read_snapshot(path))


def _zip_with(path: Path, method: int, change: str) -> None:
    """Write a zip, then flag its file as encrypted, of an unknown method, or break its data."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("s.json", "\n".join(numbered(50)))
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    if change == "encrypted":
        data[6] |= 1
        data[entry + 8] |= 1
    elif change == "method":
        data[8] = data[entry + 10] = 99
    else:
        data[60:80] = b"\xff" * 20
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("method", "change"),
    [
        (zipfile.ZIP_DEFLATED, "encrypted"),
        (zipfile.ZIP_DEFLATED, "method"),
        (zipfile.ZIP_DEFLATED, "data"),
        (zipfile.ZIP_BZIP2, "data"),
        (zipfile.ZIP_LZMA, "data"),
    ],
)
def test_a_zip_that_cannot_be_read_is_refused(path: Path, method: int, change: str) -> None:
    """With a sentence that names the file, whatever is wrong with it."""
    _zip_with(path, method, change)
    with pytest.raises(DataError, match=r"snapshot\.json"):
        list(read_snapshot(path))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "no JSON"),
        ("Not found", "no JSON"),
        ("[" * 5000, "no JSON"),
        (line().replace("Hidden", "\\ud800"), "no JSON"),
        ("{}", "lacks 'id'"),
        (json.dumps({"id": "2501.00042"}), "lacks 'update_date'"),
        (json.dumps({"id": "2501.00042", "update_date": "2025-02-04"}), "lacks 'title'"),
        (line(id=704.001), "id 704.001 is no text; was it once read as a number?"),
        (line(id=None), "id None is no text"),
        (line(id="2501.0042"), "needs 5 digits"),
        (line(title=" "), "no title"),
        (line(title=None), "no title"),
        (line(abstract=None), "no abstract"),
        (line(authors=None), "no author"),
        (line(versions=[]), "no version"),
        (line(versions=[{"version": "v1"}]), "lacks 'created'"),
        (line(versions=[{"version": "v1", "created": "soon"}]), "date 'soon' of version v1 is no"),
    ],
)
def test_a_bad_line_is_named_with_its_reason(path: Path, text: str, reason: str) -> None:
    """The lines around it are read."""
    malformed = only_malformed(path, text)
    assert reason in malformed.reason
    assert malformed.xml == f"{text}\n"[:2000]


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        '"text"',
        "5",
        "null",
        line(title=5),
        line(title=["t"]),
        line(abstract={"a": 1}),
        line(authors=["A. Alpha"]),
        line(categories=["cs.DL"]),
        line(comments=7),
        line(doi=10.1),
        line(license=["x"]),
        line(versions=None),
        line(versions="v1"),
        line(versions=[{"version": 1, "created": "Wed, 1 Jan 2025 08:00:00 GMT"}]),
        line(versions=[{"version": "v1", "created": None}]),
    ],
)
def test_a_value_of_another_type_is_malformed(path: Path, text: str) -> None:
    """JSON can hold anything; the import goes on."""
    assert only_malformed(path, text).reason


def test_a_malformed_line_is_known_by_its_id(path: Path) -> None:
    """So that it can be asked for elsewhere."""
    assert only_malformed(path, line(title="")).arxiv_id == "2501.00042"
    assert only_malformed(path, line(id="math.GT/0309136", title="")).arxiv_id == "math/0309136"
    assert only_malformed(path, line(id="x", title="")).arxiv_id is None


@pytest.mark.parametrize("day", [None, 5, "", "yesterday", "2025-99-99", "20250204"])
def test_a_line_without_its_day_is_malformed(path: Path, day: Any) -> None:
    """The day decides which of two records counts; the database wants one."""
    assert only_malformed(path, line(update_date=day)).reason


@pytest.mark.parametrize(
    "versions",
    [
        [{"version": f"v{'9' * 20}", "created": "Wed, 1 Jan 2025 08:00:00 GMT"}],
        [{"version": "v1", "created": f"Wed, 1 Jan {'9' * 20} 08:00:00 GMT"}],
    ],
    ids=["beyond all bounds", "beyond the calendar"],
)
def test_a_version_that_cannot_be_is_malformed(path: Path, versions: Any) -> None:
    """One line must not end the import of three million."""
    assert only_malformed(path, line(versions=versions)).reason


def test_a_version_named_twice_counts_once(path: Path) -> None:
    """Or makes the line malformed; the database holds it once, and refuses the batch else."""
    (only,) = read(path, line(versions=[RECORD["versions"][0]] * 2))
    if isinstance(only.content, ArxivRecord):
        assert [version.number for version in only.content.versions] == [1]


def test_a_byte_order_mark_costs_no_record(path: Path) -> None:
    """A file that Windows saved begins with one."""
    path.write_text("\ufeff" + line() + "\r\n", encoding="utf-8")
    assert ids(list(read_snapshot(path))) == ["2501.00042"]


def test_bytes_that_are_no_utf8_are_named(path: Path) -> None:
    """The line that holds them is malformed, no other is."""
    good = numbered(3)
    path.write_bytes("\n".join(good).encode().replace(b"2501.00002", b"2501.\xff0002"))
    assert ids(list(read_snapshot(path))) == ["2501.00001", None, "2501.00003"]


def test_a_line_of_any_length_takes_bounded_memory(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is passed over, counted and named, and the next line is read."""
    monkeypatch.setattr(snapshot, "_N_LINE_BYTES", 1000)
    long = line(abstract="x" * 5000)
    malformed = only_malformed(path, long)
    assert malformed.reason == f"line 2: {len(long) + 1:,} bytes; no record is as long"
    assert len(malformed.xml) <= 1000


def test_a_long_last_line_is_named_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it has no end it was cut off."""
    monkeypatch.setattr(snapshot, "_N_LINE_BYTES", 1000)
    long = line(abstract="x" * 5000)
    (only,) = read(path, long)
    assert isinstance(only.content, MalformedEntry)
    assert only.n_bytes == path.stat().st_size
    path.write_text(long, encoding="utf-8")
    with pytest.raises(DataError, match=r"is cut off, or no snapshot \(line 1: 5,[0-9]{3} bytes"):
        list(read_snapshot(path))


@pytest.mark.parametrize(
    ("name", "said"), [("none", "No such file or directory"), (".", "Is a directory")]
)
def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path, name: str, said: str) -> None:
    """What the system says about the path is passed on."""
    with pytest.raises(DataError, match=rf"cannot be read \({said}\)"):
        list(read_snapshot(tmp_path / name))
