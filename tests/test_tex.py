r"""TeX to text: accents become letters, lines become one, and two writings get one key."""

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from survey_tools.tex import decode_tex, normalise_text, title_key

# Texts in which every second sign means something to TeX, Unicode or the normaliser.
tex_texts = st.text(
    st.sampled_from(list("\\{}$ \n\t\"'`^~=.ioeaIcsvkHrud&%_(\u0301\u0327éßŁ\x00\x1f\x85\u2028")),
    max_size=14,
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
words = st.text(st.characters(categories=["L", "N"], exclude_characters="ı"), min_size=1)


@pytest.mark.parametrize(
    "spelling",
    [
        r"Schr\"odinger",
        r"Schr\"{o}dinger",
        r"Schr{\"o}dinger",
        r"Schr{\"{o}}dinger",
        r"Schr\" odinger",
        r"Schr\"{ o }dinger",
        "Schrödinger",
    ],
)
def test_all_spellings_of_an_accent_are_one_letter(spelling: str) -> None:
    """With and without braces, inside and outside."""
    assert decode_tex(spelling) == "Schrödinger"


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"\`a", "à"),
        (r"\'a", "á"),
        (r"\^a", "â"),
        (r"\~n", "ñ"),
        (r"\=a", "ā"),
        (r"\.z", "ż"),
        (r"\u{a}", "ă"),
        (r"\r{a}", "å"),
        (r"\H{o}", "ő"),
        (r"\v{c}", "č"),
        (r"\d{a}", "ạ"),
        (r"\c{c}", "ç"),
        (r"\k{a}", "ą"),
        (r"\b{b}", "ḇ"),
        (r"\'E", "É"),
        (r"\.{I}", "İ"),
        (r"\v c", "č"),
        (r"{\v c}", "č"),
        (r"\c Sahin", "Şahin"),
        (r"Erd\H os", "Erdős"),
        (r"\'{\i}", "í"),
        (r"{\'\i}", "í"),
        (r"na{\"\i}ve", "naïve"),
        (r"\v{\j}", "ǰ"),
    ],
)
def test_every_accent_is_composed(tex: str, text: str) -> None:
    """The fifteen accents of TeX, on letters and on letters without a dot."""
    assert decode_tex(tex) == text


def test_an_accent_is_set_on_letters_that_tex_names() -> None:
    r"""``\'{\ae}`` is one letter of Old Norse."""
    assert decode_tex(r"\'{\ae}sir, \'{\aa}r and \'\o") == "ǽsir, ǻr and ǿ"


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"Garc\'\i a", "García"),
        (r"Mart\'\i nez and B\^\i le", "Martínez and Bîle"),
        (r"na\"\i ve", "naïve"),
        (r"Mart\'\i{}nez", "Martínez"),
        (r"{\'\i{}}", "í"),
    ],
)
def test_what_ends_a_letter_without_a_dot_goes(tex: str, text: str) -> None:
    r"""TeX swallows the blank, or the empty braces, behind ``\i``, as behind any macro."""
    assert decode_tex(tex) == text


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"Stra\ss e", "Straße"),
        (r"Stra{\ss}e", "Straße"),
        (r"Stra\ss{}e", "Straße"),
        (r"\AA ngstr\"om", "Ångström"),
        (r"\L{}\'od\'z", "Łódź"),
        (r"\L\'od\'z", "Łódź"),
        (r"S\o ren \O{} \ae\AE\oe\OE", "Søren Ø æÆœŒ"),
        (r"{\o}re", "øre"),
        (r"\dj\dh\DH\th\TH\ng\NG", "đðÐþÞŋŊ"),
        (r"R\&D, 5\%, \#1, a\_b", "R&D, 5%, #1, a_b"),
    ],
)
def test_letters_and_signs_that_tex_names_are_written_out(tex: str, text: str) -> None:
    """A blank or empty braces that end the name go with it."""
    assert decode_tex(tex) == text


@pytest.mark.parametrize(
    "text",
    [
        r"\emph{word}",
        r"\lambda, \ddot{o} and \ov",
        r"\t{oo}",
        r"$\'e \" \=a$",
        r"$$\'e$$",
        r"\cite{x}",
        r"\'2",
        r"\"{oo}",
        r"\"{}o",
        r"\Ho",
        "no macro ~ at all",
        "$\\'e$ and $\\'o$",
    ],
)
def test_mathematics_and_other_macros_stay(text: str) -> None:
    """Only accents and letters are decoded, and only outside of dollar signs."""
    assert decode_tex(text) == text


def test_an_unpaired_dollar_opens_no_mathematics() -> None:
    """Prices are written so."""
    assert decode_tex(r"it costs 5 $ in Orl\'eans") == "it costs 5 $ in Orléans"
    assert decode_tex(r"\$5 in Orl\'eans or \$6") == r"\$5 in Orléans or \$6"


def test_text_between_formulas_is_decoded() -> None:
    """Every other part is mathematics."""
    assert decode_tex(r"a $\=x$ Erd\H{o}s $\'y$ R\'enyi") == r"a $\=x$ Erdős $\'y$ Rényi"


def test_an_accent_on_an_accented_letter_loses_nothing() -> None:
    """Unicode composes what it can; the rest stays as a combining sign."""
    assert decode_tex("\\'ü") == "ǘ"
    assert unicodedata.normalize("NFD", decode_tex("\\'é")) == "e\u0301\u0301"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("  two\n  lines \n", "two lines"),
        ("a\tb\r\nc \t\n d", "a b c d"),
        ("a\u00a0b\u2003c\u2028d\x85e", "a b c d e"),
        ("", ""),
        (" \n\t ", ""),
        ("cafe\u0301", "café"),
        ("a\x00b\x07c\x7fd", "abcd"),
        ("a\ufffeb\uffffc", "abc"),
        ("zero\u200bwidth", "zero\u200bwidth"),
        (r"Schr\"odinger's" + "\n  cat", "Schrödinger's cat"),
    ],
)
def test_text_is_unwrapped_and_composed(raw: str, text: str) -> None:
    """One blank for any white space; no control characters; NFC."""
    assert normalise_text(raw) == text


@pytest.mark.parametrize("sign", ["\x0b", "\x0c"])
def test_a_page_break_parts_two_words(sign: str) -> None:
    """Form feed and vertical tab are white space first, control characters second."""
    assert normalise_text(f"cats{sign}dogs") == "cats dogs"


@pytest.mark.parametrize("code", [0x80, 0x84, 0x86, 0x9F])
def test_control_characters_beyond_ascii_go_as_well(code: int) -> None:
    """C1 controls are control characters: they come from texts once read as Latin-1."""
    assert normalise_text(f"a{chr(code)}b") == "ab"


@pytest.mark.parametrize("code", [code for code in range(128) if chr(code) != "\\"])
def test_a_sign_means_the_same_in_ascii_and_beside_other_letters(code: int) -> None:
    """Text that is all ASCII goes by tables; the rules are those of any text."""
    text = f"A{chr(code)}b"
    assert normalise_text(f"{text} é") == f"{normalise_text(text)} é"
    assert title_key(f"{text} é") == f"{title_key(text)} e"


@given(tex_texts | texts)
@example("\\sss\u0301")
@example("\\\x1f&")
@example("e\x01\u0301")
@example("\\\\&")
@example(r"\"\o")
@example(r"\'\'e")
def test_normalising_twice_changes_nothing(text: str) -> None:
    """What was normalised once is not an update when it comes again."""
    once = normalise_text(text)
    assert normalise_text(once) == once


@given(tex_texts | texts)
@example("e\x01\u0301")
def test_normalised_text_is_composed_and_on_one_line(text: str) -> None:
    """It is NFC, and splitting it at white space and joining it gives it back."""
    normalised = normalise_text(text)
    assert unicodedata.is_normalized("NFC", normalised)
    assert " ".join(normalised.split()) == normalised


@given(texts.filter(lambda text: "\\" not in text))
def test_normalising_keeps_all_letters(text: str) -> None:
    """Without TeX only white space, control characters and the form of composition change."""

    def letters(text: str) -> str:
        composed = unicodedata.normalize("NFC", text)
        return "".join(sign for sign in composed if sign.isprintable() and not sign.isspace())

    assert letters(normalise_text(text)) == letters(text)


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("Attention, please!", "attention please"),
        ("  Non-invasive\n R&D  ", "non invasive r d"),
        (r"{M}asked {A}utoencoders", "masked autoencoders"),
        (r"Schr\"odinger bridges", "schrodinger bridges"),
        ("Schrödinger bridges", "schrodinger bridges"),
        ("SCHRO\u0308DINGER BRIDGES", "schrodinger bridges"),
        (r"$\ell_1$ norms", "l 1 norms"),
        ("ℓ_1 norms", "l 1 norms"),
        (r"$\alpha$-stable laws", "alpha stable laws"),
        (r"On $\mathbb{Z}_2$", "on z 2"),
        (r"\textit{E. coli} in \emph{two} days", "e coli in two days"),
        ("Straße", "strasse"),
        ("ﬁne eﬀects x²", "fine effects x2"),
        ("深層学習 と 木", "深層学習 と 木"),
        ("!?", ""),
        ("", ""),
        ("0", "0"),
    ],
)
def test_a_title_is_reduced_to_its_words(title: str, key: str) -> None:
    """Case, accents, braces, dollar signs and punctuation go; macros leave their names."""
    assert title_key(title) == key


@given(tex_texts | texts)
def test_the_key_of_a_key_is_itself(title: str) -> None:
    """A key can be looked up like a title."""
    assert title_key(title_key(title)) == title_key(title)


@given(st.lists(words, max_size=4), st.sampled_from(["-", ": ", "  ", "\n", " — ", ", ", "{} "]))
def test_case_accents_and_punctuation_do_not_count(parts: list[str], between: str) -> None:
    """Two writings of a title have one key (the dotless i alone has no lower case of its own)."""
    title = " ".join(parts)
    key = title_key(title)
    assert title_key(title.upper()) == key
    assert title_key(title.lower()) == key
    assert title_key(unicodedata.normalize("NFD", title)) == key
    assert title_key(f"({between.join(parts)}.)") == key
    assert title_key(normalise_text(title)) == key


@given(st.text("abcdeyz", min_size=1), st.sampled_from(["\\'%s", '\\"{%s}', "{\\^%s}", "\\v{%s}"]))
def test_an_accent_in_tex_does_not_change_the_key(word: str, accent: str) -> None:
    """However it is spelt."""
    assert title_key(accent % word[0] + word[1:]) == word


def test_heaped_accents_take_time_in_proportion() -> None:
    """Four times as many take some four times as long, not sixteen."""

    def seconds(n: int) -> float:
        text = "\\'" * n + "e"

        def once() -> float:
            begin = time.process_time()
            decode_tex(text)
            return time.process_time() - begin

        return min(once() for _ in range(3))

    assert seconds(2000) < 10 * seconds(500)
