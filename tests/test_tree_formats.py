"""Tree formats: Newick by its grammar, GraphML by an XML parser, JSON there and back."""

import re
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_tree import SIX, grow_chain, trees

from survey_tools.errors import DataError, ParameterError
from survey_tools.tree import Tree
from survey_tools.tree_formats import from_json, to_graphml, to_json, to_newick


def parse_newick(text: str) -> SimpleNamespace:
    """Parse Newick by the standard's grammar, quotes included, into nodes."""
    tokens = re.findall(r"'(?:[^']|'')*'|[(),:;]|[^\s(),:;']+", text)
    assert "".join(tokens) == text.strip(), "something between the tokens was not understood"
    place = 0

    def take() -> str:
        nonlocal place
        place += 1
        return tokens[place - 1]

    def parse_node() -> SimpleNamespace:
        node = SimpleNamespace(name=None, children=[], length=None)
        if tokens[place] == "(":
            take()
            node.children.append(parse_node())
            while tokens[place] == ",":
                take()
                node.children.append(parse_node())
            assert take() == ")"
        if tokens[place] not in "(),:;":
            name = take()
            quoted = name.startswith("'")
            node.name = name[1:-1].replace("''", "'") if quoted else name.replace("_", " ")
        if tokens[place] == ":":
            take()
            node.length = float(take())
        return node

    root = parse_node()
    assert (take(), place) == (";", len(tokens))
    return root


def assert_same_tree(parsed: SimpleNamespace, tree: Tree, node: int) -> None:
    """Compare names, shape, order and branch lengths below a node."""
    if node < tree.n_papers:
        assert (parsed.name, parsed.children) == (tree.paper_keys[node], [])
        return
    children = tree.children[node - tree.n_papers]
    assert len(parsed.children) == 2
    for branch, child in zip(parsed.children, children, strict=True):
        assert branch.length == pytest.approx(tree.height_of(node) - tree.height_of(child))
        assert_same_tree(branch, tree, child)


def test_newick_by_hand() -> None:
    """The whole text for the six papers: branch lengths are differences of heights."""
    assert to_newick(SIX) == ("((v1:3,v2:3):11.25,((p1:1,p2:1):8.5,(t1:2,t2:2):7.5):4.75);\n")


@given(tree=trees())
def test_newick_parses_back(tree: Tree) -> None:
    """Shape, leaf order, keys and branch lengths survive, inverted merges included."""
    parsed = parse_newick(to_newick(tree))
    assert parsed.length is None
    assert_same_tree(parsed, tree, tree.root)


@given(
    keys=st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1),
        min_size=2,
        max_size=4,
        unique=True,
    )
)
def test_newick_quotes_any_key(keys: list[str]) -> None:
    """Keys with quotes, blanks, underscores, colons or brackets come back unchanged."""
    children = [(0, 1)] + [(len(keys) + i, 2 + i) for i in range(len(keys) - 2)]
    tree = Tree(
        paper_keys=tuple(keys),
        children=np.array(children),
        heights=np.arange(1.0, len(keys)),
    )
    assert_same_tree(parse_newick(to_newick(tree)), tree, tree.root)


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("he2022masked", "he2022masked"),
        ("2111.06377", "2111.06377"),
        ("a_b", "'a_b'"),  # unquoted, an underscore means a blank
        ("O'Neil", "'O''Neil'"),
        ("cs:CV(1)", "'cs:CV(1)'"),
        ("été", "'été'"),
        ("a[b]", "'a[b]'"),  # unquoted, brackets hold comments
    ],
)
def test_newick_quotes_by_hand(key: str, written: str) -> None:
    """Plain keys stay bare; the rest stands in single quotes, doubled inside."""
    tree = Tree(paper_keys=(key, "z"), children=np.array([[0, 1]]), heights=np.array([1.0]))
    assert to_newick(tree) == f"({written}:1,z:1);\n"


# ---------------------------------------------------------------- GraphML

GRAPHML = "{http://graphml.graphdrawing.org/xmlns}"


def parse_graphml(text: str) -> tuple[dict[str, dict[str, str]], list[tuple[str, str]]]:
    """Return every node's data by name, with the graph's as node "", and the edges."""
    root = ElementTree.fromstring(text)  # noqa: S314  our own text
    assert root.tag == f"{GRAPHML}graphml"
    names = {key.get("id"): key.get("attr.name") for key in root.iter(f"{GRAPHML}key")}
    (graph,) = root.findall(f"{GRAPHML}graph")
    assert graph.get("edgedefault") == "directed"
    data = {
        element.get("id", "") if element is not graph else "": {
            names[item.get("key")]: item.text or "" for item in element.findall(f"{GRAPHML}data")
        }
        for element in (graph, *graph.findall(f"{GRAPHML}node"))
    }
    edges = graph.findall(f"{GRAPHML}edge")
    return data, [(edge.get("source", ""), edge.get("target", "")) for edge in edges]


def test_graphml_by_hand() -> None:
    """Labels, heights and sizes of the six papers' nodes, and the edges in drawing order."""
    data, edges = parse_graphml(to_graphml(SIX))
    assert data[""] == {"linkage": "average", "metric": "cityblock"}
    assert data["n1"] == {"label": "p2", "height": "0.0", "size": "1"}
    assert data["n9"] == {"height": "9.5", "size": "4"}
    assert [edge for edge in edges if edge[0] in ("n9", "n10")] == [
        ("n9", "n6"),
        ("n9", "n7"),
        ("n10", "n8"),
        ("n10", "n9"),
    ]


@given(tree=trees())
def test_graphml_holds_the_whole_tree(tree: Tree) -> None:
    """Every node with its data and every merge with its two edges."""
    data, edges = parse_graphml(to_graphml(tree))
    for node in range(tree.root + 1):
        found = data[f"n{node}"]
        assert float(found["height"]) == tree.height_of(node)
        assert int(found["size"]) == tree.sizes[node]
        assert found.get("label") == (tree.paper_keys[node] if node < tree.n_papers else None)
    assert len(data) == tree.root + 2
    assert edges == [
        (f"n{tree.n_papers + i}", f"n{child}")
        for i, children in enumerate(tree.children)
        for child in children
    ]


def test_networkx_reads_graphml_as_a_tree() -> None:
    """Another program finds one root, typed heights and the labels."""
    networkx = pytest.importorskip("networkx")
    graph = networkx.parse_graphml(to_graphml(SIX))
    assert networkx.is_arborescence(graph)
    assert graph.nodes["n9"] == {"height": 9.5, "size": 4}
    assert graph.nodes["n4"]["label"] == "v1"


@pytest.mark.parametrize("key", ["a<b>&amp;", "]]>", "\"'", " a\tb\n\r", "été 漢 \U0001f600"])
def test_graphml_escapes_keys(key: str) -> None:
    """Markup, quotes, white space and any script come back unchanged."""
    tree = Tree(paper_keys=(key, "z"), children=np.array([[0, 1]]), heights=np.array([1.0]))
    assert parse_graphml(to_graphml(tree))[0]["n0"]["label"] == key


@pytest.mark.parametrize("key", ["a\x00", "\x1b[1m", "\ufffe", "\ud800"])
def test_keys_that_xml_cannot_hold_are_refused(key: str) -> None:
    """Control characters and halves of characters have no place in XML; the key is named."""
    tree = Tree(paper_keys=("z", key), children=np.array([[0, 1]]), heights=np.array([1.0]))
    message = re.escape(f"keys with characters that XML cannot hold: {key!r}; rename them")
    with pytest.raises(ParameterError, match=message):
        to_graphml(tree)


# ---------------------------------------------------------------- JSON

PAIR = """\
{"linkage": "ward", "metric": "euclidean", "nodes": [
{"node": 0, "parent": 2, "children": [], "height": 0.0, "size": 1, "key": "2106.08250"},
{"node": 1, "parent": 2, "children": [], "height": 0.0, "size": 1, "key": "été"},
{"node": 2, "parent": null, "children": [1, 0], "height": 1.5, "size": 2, "key": null}
]}
"""


def test_json_by_hand() -> None:
    """The whole text for two papers."""
    tree = Tree(
        paper_keys=("2106.08250", "été"),
        children=np.array([[1, 0]]),
        heights=np.array([1.5]),
        linkage="ward",
        metric="euclidean",
    )
    assert to_json(tree) == PAIR


@given(tree=trees())
def test_json_comes_back_the_same(tree: Tree) -> None:
    """Keys, merges, their order and heights to the last bit survive; so does what is derived."""
    tree = Tree(
        paper_keys=tree.paper_keys,
        children=tree.children,
        heights=tree.heights / 3,
        linkage="average",
        metric="cosine",
    )
    back = from_json(to_json(tree))
    assert back.paper_keys == tree.paper_keys
    assert np.array_equal(back.children, tree.children)
    assert np.array_equal(back.heights, tree.heights)
    assert back.keys_in_leaf_order == tree.keys_in_leaf_order
    assert (back.linkage, back.metric) == ("average", "cosine")
    assert to_json(back) == to_json(tree)


@given(keys=st.lists(st.text(min_size=1), min_size=2, max_size=2, unique=True))
def test_json_holds_any_key(keys: list[str]) -> None:
    """Quotes, backslashes, control characters and any script come back unchanged."""
    tree = Tree(paper_keys=tuple(keys), children=np.array([[0, 1]]), heights=np.array([1.0]))
    assert from_json(to_json(tree)).paper_keys == tuple(keys)


@pytest.mark.parametrize(
    ("written", "instead", "message"),
    [
        ("]}\n", "", "^t.json: invalid JSON: "),
        ('"metric": "euclidean", ', "", "^t.json: metric: is required but missing$"),
        ('"height": 1.5, ', "", "^t.json: nodes.2.height: is required but missing$"),
        ('"height": 1.5', '"heigth": 1.5', "^t.json: nodes.2.height: is required"),
        ('"size": 2', '"size": 2, "x": 0', "^t.json: nodes.2.x: unknown; .*allowed: children, "),
        ('"2106.08250"', "2106.08250", "^t.json: nodes.0.key: 2106.0825 is read as the number"),
        ('"height": 1.5', '"height": NaN', "^t.json: nodes.2.height: .* finite number"),
        ('"height": 1.5', '"height": -1.5', "^t.json: a merge height is negative$"),
        ('"node": 1', '"node": 0', "^t.json: node 0 stands at place 1; sort by number$"),
        ('"été"', "null", "^t.json: node 1 is among the first half, the leaves, and needs a key"),
        ('"height": 0.0', '"height": 0.5', "^t.json: node 0 is among the first half, the leaves"),
        ("[1, 0]", "[]", "^t.json: node 2 is among the second half, the merges, and needs two"),
        ('2, "key": null', '2, "key": "a"', "^t.json: node 2 is among the second half"),
        ("[1, 0]", "[1, 1]", "^t.json: every node but the root must be merged once"),
        ("[1, 0]", "[1, 0, 1]", "^t.json: nodes.2.children: .* at most 2 items"),
        ('"parent": null', '"parent": 1', "^t.json: node 2 has parent 1 and size 2; by the child"),
        ('"size": 2', '"size": 3', "^t.json: node 2 has parent None and size 3; .* None and 2$"),
        ('"été"', '"2106.08250"', "^t.json: two leaves of a tree have one key$"),
    ],
)
def test_json_that_holds_no_tree_is_refused(written: str, instead: str, message: str) -> None:
    """The file, the node and what is wrong with it are named."""
    assert written in PAIR
    with pytest.raises(DataError, match=message):
        from_json(PAIR.replace(written, instead, 1), source="t.json")


def test_a_json_list_without_nodes_is_refused() -> None:
    """A tree needs two papers."""
    with pytest.raises(DataError, match=r"^tree.json: a tree needs at least 2 papers; 0 arrived$"):
        from_json('{"linkage": "", "metric": "", "nodes": []}')


# ---------------------------------------------------------------- size


def test_a_chain_of_20000_leaves_is_written_without_recursion() -> None:
    """The deepest possible tree in every format, and back from JSON."""
    n = 20_000
    tree = grow_chain(n)
    first, last = tree.paper_keys[0], tree.paper_keys[-1]
    newick = to_newick(tree)
    assert newick.startswith("(" * (n - 1) + f"{first}:1,k000001:1):1,k000002:2):1,")
    assert newick.endswith(f",{last}:{n - 1});\n")
    assert len(parse_graphml(to_graphml(tree))[1]) == 2 * n - 2
    assert from_json(to_json(tree)).keys_in_leaf_order == tree.paper_keys
