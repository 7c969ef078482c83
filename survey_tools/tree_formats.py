"""Tree <-> text: Newick and GraphML out, JSON out and back. No function here recurses."""

import json
import re
from typing import Annotated
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from survey_tools.documents import describe_problem
from survey_tools.errors import DataError, ParameterError, abbreviate
from survey_tools.tree import Tree

__all__ = ["from_json", "to_graphml", "to_json", "to_newick"]

_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_GRAPHML_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns
        http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">
  <key id="linkage" for="graph" attr.name="linkage" attr.type="string"/>
  <key id="metric" for="graph" attr.name="metric" attr.type="string"/>
  <key id="label" for="node" attr.name="label" attr.type="string"/>
  <key id="height" for="node" attr.name="height" attr.type="double"/>
  <key id="size" for="node" attr.name="size" attr.type="int"/>
  <graph id="tree" edgedefault="directed">
"""


def to_newick(tree: Tree) -> str:
    """Write the tree in Newick format, leaves by key, in leaf order.

    A branch is as long as the parent's height less the child's; inverted merges of
    centroid and median linkage give negative lengths.

    References
    ----------
    .. [1] Olsen, "Newick's 8:45 tree format standard", 1990.
    """
    n = tree.n_papers
    height = _heights_of_nodes(tree)
    lengths = [f":{length:.12g}" for length in height[tree.parents[:-1]] - height[:-1]]
    lengths.append("")  # of the root
    children = tree.children.tolist()
    parts: list[str] = []
    todo: list[int | str] = [tree.root]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            parts.append(item)
        elif item < n:
            parts.append(_quote(tree.paper_keys[item]) + lengths[item])
        else:
            first, second = children[item - n]
            parts.append("(")
            todo.extend([")" + lengths[item], second, ",", first])
    return "".join(parts) + ";\n"


def _quote(key: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9.\-+*/|]+", key):
        return key
    return "'" + key.replace("'", "''") + "'"


def to_graphml(tree: Tree) -> str:
    """Write the tree as a directed graph in GraphML 1.0, edges from parent to child.

    Node ``n7`` is node 7 of the tree. Every node has a height (0 for a leaf) and a size
    (papers below it), a leaf also its paper's key as label. Of a merge's two edges, that to the
    child drawn first stands first.

    Raises
    ------
    ParameterError
        If a key holds a control character, which XML cannot.

    References
    ----------
    .. [1] Brandes et al., "GraphML progress report", Graph Drawing 2001;
       http://graphml.graphdrawing.org/specification.html.
    """
    if wrong := [repr(key) for key in tree.paper_keys if _NOT_IN_XML.search(key)]:
        raise ParameterError(
            f"keys with characters that XML cannot hold: {abbreviate(wrong)}; "
            "rename them or write JSON"
        )
    nodes = zip(_heights_of_nodes(tree).tolist(), tree.sizes.tolist(), strict=True)
    parts = [_GRAPHML_HEAD]
    for name, value in (("linkage", tree.linkage), ("metric", tree.metric)):
        parts.append(f'    <data key="{name}">{_escape(value)}</data>\n')
    for node, (height, size) in enumerate(nodes):
        is_leaf = node < tree.n_papers
        label = f'<data key="label">{_escape(tree.paper_keys[node])}</data>' if is_leaf else ""
        parts.append(
            f'    <node id="n{node}">{label}<data key="height">{height!r}</data>'
            f'<data key="size">{size}</data></node>\n'
        )
    for parent, children in enumerate(tree.children.tolist(), start=tree.n_papers):
        parts += [f'    <edge source="n{parent}" target="n{child}"/>\n' for child in children]
    parts.append("  </graph>\n</graphml>\n")
    return "".join(parts)


def _escape(text: str) -> str:
    """Escape markup, and the carriage return, which a parser would turn into a new line."""
    return escape(text, {"\r": "&#13;"})


class _Record(BaseModel):
    """A strict record of a JSON file; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _Node(_Record):
    """A node as JSON holds it; what can be told from the merges is there for other programs."""

    node: int
    parent: int | None
    children: Annotated[list[int], Field(max_length=2)]
    height: float
    size: int
    key: str | None


class _File(_Record):
    linkage: str
    metric: str
    nodes: list[_Node]


def to_json(tree: Tree) -> str:
    """Write the tree as JSON: a flat list of its nodes, one a line, leaves first.

    A node has ``node`` (its number and its place in the list), ``parent`` (null for the
    root), ``children`` (none, or two, that drawn first standing first), ``height``, ``size``
    (papers below it) and ``key`` (null for a merge).
    """
    n = tree.n_papers
    columns = (tree.parents, _heights_of_nodes(tree), tree.sizes)
    children = [*([[]] * n), *tree.children.tolist()]
    keys = [*tree.paper_keys, *([None] * (n - 1))]
    parents, heights, sizes = (column.tolist() for column in columns)
    parents[tree.root] = None
    lines = [
        json.dumps(
            {
                "node": node,
                "parent": parents[node],
                "children": children[node],
                "height": heights[node],
                "size": sizes[node],
                "key": keys[node],
            },
            ensure_ascii=False,
        )
        for node in range(2 * n - 1)
    ]
    head = json.dumps({"linkage": tree.linkage, "metric": tree.metric}, ensure_ascii=False)
    return head[:-1] + ', "nodes": [\n' + ",\n".join(lines) + "\n]}\n"


def from_json(text: str, *, source: str = "tree.json") -> Tree:
    """Read a tree that `to_json` wrote, or another program in its form.

    Parameters
    ----------
    source : str
        The file, as messages name it.

    Raises
    ------
    DataError
        If the text is no such JSON, its nodes make no tree, or what it says of a node twice
        (parent and size follow from the children) does not agree.
    """
    try:
        file = _File.model_validate_json(text.encode("utf-8", "surrogatepass"))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        known = sorted((_Node if "nodes" in problem["loc"] else _File).model_fields)
        path = ".".join(str(part) for part in problem["loc"])
        where = f"{source}: {path}" if path else source
        raise DataError(f"{where}: {describe_problem(problem, known)}") from None
    leaves, merges = (
        file.nodes[: (len(file.nodes) + 1) // 2],
        file.nodes[len(file.nodes) // 2 + 1 :],
    )
    for place, node in enumerate(file.nodes):
        is_leaf = place < len(leaves)
        if node.node != place:
            raise DataError(f"{source}: node {node.node} stands at place {place}; sort by number")
        if is_leaf and (node.key is None or node.children or node.height != 0):
            raise DataError(
                f"{source}: node {place} is among the first half, the leaves, and needs a key, "
                "no children and height 0"
            )
        if not is_leaf and (node.key is not None or len(node.children) != 2):
            raise DataError(
                f"{source}: node {place} is among the second half, the merges, and needs two "
                "children and no key"
            )
    try:
        tree = Tree(
            paper_keys=tuple(str(leaf.key) for leaf in leaves),
            children=np.array([merge.children for merge in merges]).reshape(-1, 2),
            heights=np.array([merge.height for merge in merges]),
            linkage=file.linkage,
            metric=file.metric,
        )
    except ParameterError as error:
        raise DataError(f"{source}: {error}") from None
    for node, parent, size in zip(file.nodes, tree.parents, tree.sizes, strict=True):
        if (-1 if node.parent is None else node.parent, node.size) != (parent, size):
            raise DataError(
                f"{source}: node {node.node} has parent {node.parent} and size {node.size}; "
                f"by the children it has {parent if parent >= 0 else None} and {size}"
            )
    return tree


def _heights_of_nodes(tree: Tree) -> NDArray[np.float64]:
    """Return the height of every node, 0 for the leaves, shape (2 n_papers - 1,)."""
    return np.concatenate([np.zeros(tree.n_papers), tree.heights])
