r"""TeX text of BibTeX values: what is written is read back, mathematics is left alone."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from survey_tools.formats.references import clean_text
from survey_tools.formats.tex_text import (
    decode_value,
    decode_verbatim,
    encode_value,
    encode_verbatim,
    protect_capitals,
)

# Any text, with the signs that TeX takes for its own far more often than by chance.
texts = st.text(
    st.sampled_from("\\${}$%&#_^~-`'\"@=,AIab1 ") | st.characters(exclude_categories=["Cs"])
)


@given(texts)
@example(r"a\\$b$c\$ $x$$y$ $$ $")
@example(r"$\{$ $\}$ ${$ }$x{}$")
@example("--- `` '' ,, ~ \\textbackslash{} \\'e \\\"{u} {\\ss}")
def test_encoded_text_is_read_back_equal(text: str) -> None:
    """But for white space and composed forms, which reading makes uniform."""
    assert decode_value(encode_value(text)) == clean_text(text)
    assert decode_value(protect_capitals(text)) == clean_text(text)


@given(texts)
def test_encoded_text_never_breaks_the_file(text: str) -> None:
    """Braces pair, as BibTeX counts them."""
    depth = 0
    for sign in encode_value(text):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (r"{\"U}ber {M}asks", "Über Masks"),
        (r"Erd{\H{o}}s \& {\ss}", "Erdős & ß"),
        (r"50\% of \$5 \#1 a\_b", "50% of $5 #1 a_b"),
        (r"\emph{In} \textbf{bold}, {\em so}", "In bold, so"),
        ("pages 1--2 --- ``so''", "pages 1–2 — “so”"),
        (r"a~tie\ and\\break", "a tie and break"),
        (r"{\LaTeX} and \TeX{} here", "LaTeX and TeX here"),
        (r"an {$\ell_1$} norm $a~b$", r"an $\ell_1$ norm $a~b$"),
        (r"\unknown{x} and \foo bar", r"\unknown x and \foo bar"),
        (r"semi\-conductor", "semiconductor"),
        ("two\n  lines", "two lines"),
    ],
)
def test_tex_becomes_unicode(value: str, text: str) -> None:
    """Accents, escapes, ties, dashes and quotes; mathematics and unknown macros stay."""
    assert decode_value(value) == text


@pytest.mark.parametrize(
    ("title", "value"),
    [
        ("ABC: Masked Things V2 on 3D Data", "{ABC}: Masked Things {V2} on {3D} Data"),
        ("Fine-Tuning of I-XYZ (mcBeiT)", "Fine-Tuning of {I-XYZ} ({mcBeiT})"),
        ("Distances of Wasserstein in some spaces", "Distances of {Wasserstein} in some spaces"),
        ("A Norm $L_1$ in R", "A Norm {$L_1$} in {R}"),
        ("R&D Costs 5$", r"{R\&D} Costs 5\$"),
        ("A Study I Did", "A Study I Did"),
    ],
)
def test_capitals_that_a_style_must_keep_are_protected(title: str, value: str) -> None:
    """In a title that is not in title case every capital after the first word is a name's."""
    assert protect_capitals(title) == value


def test_mathematics_is_written_as_it_is() -> None:
    """Unless its braces would break the file."""
    assert encode_value("a $x_1 & {y}$ b_c") == r"a $x_1 & {y}$ b\_c"
    assert encode_value("a $x}$") == r"a \$x\textbraceright{}\$"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (r"\url{https://x.org/~a\_b?c=1\%20\&d\#e}", "https://x.org/~a_b?c=1%20&d#e"),
        (r"https://x.org/\~{}a{\_}b", "https://x.org/~a_b"),
        ("10.1000/a_b<c>", "10.1000/a_b<c>"),
    ],
)
def test_links_are_read_verbatim(value: str, text: str) -> None:
    """A tilde is no tie there."""
    assert decode_verbatim(value) == text


def test_links_are_written_verbatim() -> None:
    """What would break the file is percent-encoded."""
    assert encode_verbatim("https://x.org/~a_b%20c") == "https://x.org/~a_b%20c"
    assert encode_verbatim("https://x.org/{a}\\b c") == "https://x.org/%7Ba%7D%5Cb%20c"


@pytest.mark.parametrize(
    "value", ["$x" * 20_001, "\\'" * 20_000, "_-" * 20_000 + "A", "{" * 20_000]
)
def test_long_runs_of_signs_are_read_and_written(value: str) -> None:
    """No pattern walks back over them again and again."""
    assert decode_value(protect_capitals(value)) == value
