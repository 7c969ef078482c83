"""Files of papers read batch by batch: the same papers as read whole, faults by line."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from condense_examples import make_papers, write_papers_to
from pyarrow import parquet

from survey_tools.condense.stream import stream_papers
from survey_tools.errors import DataError
from survey_tools.paper import Paper

PAPERS = make_papers(25)


def read(path: Path, n_at_once: int = 10) -> list[Paper]:
    return [paper for batch in stream_papers(path, n_at_once=n_at_once) for paper in batch.papers]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "csv", "tsv"])
def test_every_format_gives_the_papers_in_their_order(tmp_path: Path, suffix: str) -> None:
    """As the readers of whole files do."""
    assert read(write_papers_to(tmp_path / f"p.{suffix}", PAPERS)) == list(PAPERS)


def test_gzipped_lines_are_unpacked(tmp_path: Path) -> None:
    """The name ends in .jsonl.gz."""
    plain = write_papers_to(tmp_path / "p.jsonl", PAPERS)
    packed = tmp_path / "p.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read(packed) == list(PAPERS)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "csv"])
def test_batches_are_full_but_for_the_last(tmp_path: Path, suffix: str) -> None:
    """25 papers in tens, and the share read ends at 1."""
    path = write_papers_to(tmp_path / f"p.{suffix}", PAPERS)
    batches = list(stream_papers(path, n_at_once=10))
    assert [len(batch.papers) for batch in batches] == [10, 10, 5]
    assert batches[-1].share == 1.0
    assert 0 < batches[0].share <= 1


def test_a_text_may_hold_line_breaks_and_quotes_in_csv(tmp_path: Path) -> None:
    """White space becomes one blank, as in formats.table."""
    path = tmp_path / "p.csv"
    path.write_text('Key;Title;Abstract\na;"One; ""two""";"three\nfour"\n', encoding="utf-8")
    assert read(path) == [Paper(key="a", title='One; "two"', abstract="three four")]


def test_a_digest_is_read_and_other_columns_are_not(tmp_path: Path) -> None:
    """Only what the clustering uses is loaded."""
    path = tmp_path / "p.parquet"
    table = {"key": ["a"], "title": ["T"], "digest": ["ours"], "year": [2020]}
    parquet.write_table(pa.table(table), path)
    assert read(path) == [Paper(key="a", title="T", digest="ours")]


def test_faulty_rows_are_counted_and_the_first_named_by_line(tmp_path: Path) -> None:
    """Three of five lines: no JSON, no text, a second paper with one key."""
    lines = [
        json.dumps({"key": "a", "title": "one"}),
        "{not json",
        json.dumps({"key": "b"}),
        json.dumps({"key": "c", "title": "three"}),
        json.dumps({"key": "a", "title": "again"}),
    ]
    path = tmp_path / "p.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(
        DataError,
        match=r"p\.jsonl: 3 of 5 rows cannot be used: line 2: not valid JSON.*; line 3: paper 'b' "
        r"has neither title nor text; line 5: two papers with one key: 'a'$",
    ):
        read(path)


def test_a_second_key_in_a_later_batch_is_found(tmp_path: Path) -> None:
    """Keys are remembered beyond their batch."""
    path = tmp_path / "p.parquet"
    keys = [*(f"k{i}" for i in range(20)), "k3"]
    parquet.write_table(pa.table({"key": keys, "title": ["T"] * 21}), path)
    with pytest.raises(DataError, match=r"1 of 21 rows .*line 21: two papers with one key: 'k3'"):
        read(path, n_at_once=5)


def test_a_table_without_keys_is_refused(tmp_path: Path) -> None:
    """Papers are known by key, so none is made up here."""
    path = tmp_path / "p.parquet"
    parquet.write_table(pa.table({"id": ["a"], "title": ["T"]}), path)
    with pytest.raises(DataError, match="no column of keys; columns are id, title; name one 'key'"):
        read(path)


def test_fractions_as_keys_are_refused(tmp_path: Path) -> None:
    """2106.08250 as a number is 2106.0825, another paper."""
    path = tmp_path / "p.parquet"
    parquet.write_table(pa.table({"key": [2106.0825], "title": ["T"]}), path)
    with pytest.raises(DataError, match=r"column 'key' holds fractions \(double\).*as text"):
        read(path)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("p.bib", b"@article{a}", r"cannot be read piece by piece; allowed are .*\.parquet"),
        ("p.parquet", b"no parquet", r"cannot be read \("),
        ("p.jsonl.gz", b"no gzip", r"cannot be read \("),
        ("p.jsonl", b"\n\n", "the corpus is empty"),
        ("p.jsonl", b'{"key": "a", "title": "\xff"}\n', "line 1: byte 0xff is not UTF-8"),
        ("p.csv", b"key,title\na,b,c\n", r"cannot be read \("),
    ],
)
def test_a_file_that_cannot_be_streamed_is_refused(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    """The message names the file and what is wrong."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        read(tmp_path / name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """No traceback of the operating system."""
    with pytest.raises(DataError, match=r"none\.jsonl: no such file"):
        read(tmp_path / "none.jsonl")
