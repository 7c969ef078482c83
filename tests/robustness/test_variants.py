"""A reviewer's own settings, read from YAML."""

from pathlib import Path

import pytest

from survey_tools.errors import DataError
from survey_tools.robustness.setting import Setting
from survey_tools.robustness.variants import read_variants
from survey_tools.settings import ClusteringSettings, TextSettings

OWN = Setting.of_survey(TextSettings(), ClusteringSettings(), 3)


def read(tmp_path: Path, text: str) -> dict[str, Setting]:
    """Read a file of variants."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return read_variants(path, OWN)


def test_variants_differ_from_the_survey_as_they_say(tmp_path: Path) -> None:
    """A variant changes the levels that it names and no other."""
    text = """
variants:
  - name: bigrams
    levels: {ngrams: 1-2, min_df: 2}
  - name: average
    levels: {algorithm: average, metric: cosine, max_df: 0.5}
"""
    assert read(tmp_path, text) == {
        "bigrams": OWN.replace(ngrams="1-2", min_df=2),
        "average": OWN.replace(algorithm="average", metric="cosine", max_df=0.5),
    }


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("levels: {ngram: 1-2}", "mine.yaml:3: "),
        ("levels: {ngram: 1-2}", "unknown factor 'ngram'; did you mean 'ngrams'?"),
        ("levels: {algorithm: wardd}", "did you mean 'ward'?"),
        ("levels: {algorithm: ward}", "'x' is the survey's own setting"),
        ("levels: {metric: cosine}", "'x' has no meaning: ward linkage"),
        ("levels: {}", "levels"),
        ("level: {}", "did you mean 'levels'?"),
        ("levels: {norm: l1}}\n  - {name: x, levels: {norm: l1}", "'x' stands twice"),
    ],
)
def test_wrong_variants_are_named(tmp_path: Path, entry: str, message: str) -> None:
    """What is wrong is said with file, line and the nearest name."""
    with pytest.raises(DataError) as caught:
        read(tmp_path, f"variants:\n\n  - {{name: x, {entry}}}\n")
    assert message in str(caught.value)
    assert "mine.yaml" in str(caught.value)
