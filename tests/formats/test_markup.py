"""Inline Markdown: links are told from text, whatever stands around and inside them."""

import pytest

from survey_tools.formats.markup import (
    LINK,
    Link,
    find_definitions,
    parse_inline,
    strip_emphasis,
)


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("[a b](http://x.org/p)", [Link("a b", "http://x.org/p")]),
        ("[a](http://x.org/p(1)q 'title')", [Link("a", "http://x.org/p(1)q")]),
        ("[a](<http://x.org/p q>)", [Link("a", "http://x.org/p q")]),
        ("[a](http://x.org\n)", [Link("a", "http://x.org")]),
        ("[A [v2] *b*](http://x.org)", [Link("A [v2] b", "http://x.org")]),
        ("[[paper]](http://x.org)", [Link("[paper]", "http://x.org")]),
        ("[[P](http://x), [C](http://y)]", [Link("P", "http://x"), Link("C", "http://y")]),
        ("<http://x.org/a>", [Link("", "http://x.org/a")]),
        ("see http://x.org/a_b.", [Link("", "http://x.org/a_b")]),
        ("(http://x.org/a)", [Link("", "http://x.org/a")]),
        ('<a class="c" href="http://x.org/?a&amp;b">p</a>', [Link("p", "http://x.org/?a&b")]),
        ("[a][ref] [Ref][]", [Link("a", "http://r.org"), Link("Ref", "http://r.org")]),
        ("![alt](http://x.org/i.png)", []),
        (
            "[![arXiv](http://badge)](http://x.org)",
            [Link("arXiv", "http://x.org", is_image=True)],
        ),
        (r"\[a\](http://x.org)", [Link("", "http://x.org")]),
        ("`[a](http://x.org)`", []),
        ("[a](no end", []),
        ("[a] (http://x.org)", [Link("", "http://x.org")]),
    ],
)
def test_links_are_found(text: str, links: list[Link]) -> None:
    """In every way of writing one; images are none."""
    assert list(parse_inline(text, {"ref": "http://r.org"}).links) == links


def test_each_link_leaves_a_mark_in_the_text() -> None:
    """The n-th mark stands for the n-th link; other HTML and escapes are resolved."""
    inline = parse_inline('<b>A</b> &amp; [x](http://x)<br>\\*b\\* <a name="1"></a>http://y')
    assert inline.text == f"A & {LINK}\n*b* {LINK}"
    assert [link.url for link in inline.links] == ["http://x", "http://y"]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("**a** *b* ***c*** _d_ __e__ ~~f~~", "a b c d e f"),
        ("**bold *in* it**", "bold in it"),
        ("A* search in snake_case **cut", "A* search in snake_case cut"),
    ],
)
def test_emphasis_is_stripped(text: str, plain: str) -> None:
    """Lone stars and underscores inside words are none."""
    assert strip_emphasis(text) == plain


def test_definitions_of_references_are_found() -> None:
    """By label in lower case."""
    text = "x\n[Ref]: http://x.org 'title'\n  [b c]: <http://y.org>\n[^1]: note\n"
    assert find_definitions(text) == {"ref": "http://x.org", "b c": "http://y.org"}


@pytest.mark.parametrize(
    "text",
    ["[" * 50_000, "](" * 50_000, "![[" * 20_000 + "](http://x)" * 20_000, "<a " * 50_000,
     "`" * 50_000, "[a](http://" + "(" * 50_000, "*a " * 20_000],
)  # fmt: skip
def test_hostile_text_is_parsed_to_its_end(text: str) -> None:
    """No pattern walks back over it again and again."""
    assert len(strip_emphasis(parse_inline(text).text)) <= len(text)
