"""Near titles: the pairs that a plain comparison of all with all finds."""

import random

from rapidfuzz import fuzz

from survey_tools.corpus import Corpus
from survey_tools.harvest.titles import veto
from survey_tools.lint.titles import LEAST_RATIO, find_near_titles
from survey_tools.tex import title_key


def misspell(title: str, rng: random.Random) -> str:
    """Drop a letter somewhere."""
    place = rng.randrange(len(title))
    return title[:place] + title[place + 1 :]


def plain_pairs(titles: list[str], others: list[str]) -> set[tuple[int, int]]:
    """Compare all titles with all others."""
    keys, other_keys = ([title_key(title) for title in side] for side in (titles, others))
    return {
        (i, j)
        for i, one in enumerate(keys)
        for j, other in enumerate(other_keys)
        if fuzz.ratio(one, other, score_cutoff=LEAST_RATIO)
        and one
        and veto(titles[i], others[j]) is None
    }


def test_blocks_of_like_length_lose_no_pair(mim_corpus: Corpus) -> None:
    """1,100 titles of real words, some of them misspelt, are more than two blocks."""
    rng = random.Random(4)
    words = " ".join(paper.title for paper in mim_corpus).split()
    titles = [" ".join(rng.choices(words, k=rng.randint(1, 14))) for _ in range(1_000)]
    titles += [misspell(rng.choice(titles[:1_000]), rng) for _ in range(100)]
    rng.shuffle(titles)
    expected = {(i, j) for i, j in plain_pairs(titles, titles) if i < j}
    assert len(expected) > 30
    assert [(p.first, p.second) for p in find_near_titles(titles)] == sorted(expected)


def test_two_lists_are_compared_across_only(mim_corpus: Corpus) -> None:
    """Twins inside a list are no pair."""
    rng = random.Random(5)
    ours = [paper.title for paper in mim_corpus]
    theirs = [misspell(title, rng) for title in ours[:60]]
    theirs += theirs[:3]
    expected = plain_pairs(theirs, ours)
    assert len(expected) > 30
    assert {(p.first, p.second) for p in find_near_titles(theirs, ours)} == expected


def test_titles_of_the_bundled_survey_are_not_near(mim_corpus: Corpus) -> None:
    """Of 16,110 pairs none is taken for one paper."""
    assert find_near_titles([paper.title for paper in mim_corpus]) == ()


def test_empty_titles_are_near_to_none() -> None:
    """Nothing cannot be alike."""
    assert find_near_titles(["", "–", "", "A title", "A title."])[0].second == 4
    assert len(find_near_titles(["", "–", "", "A title", "A title."])) == 1
    assert find_near_titles([]) == ()
    assert find_near_titles(["A title"], []) == ()
