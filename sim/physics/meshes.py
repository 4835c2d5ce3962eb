"""A mesh's triangles in a box tree, so that what touches it meets few of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.physics.data import NODE

LEAF = 4  # triangles


def build_tree(points: NDArray[np.float32], triangles: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Triangles in the tree's order, and its nodes depth first: an inner node's left child follows it, `right` names the
    other; a leaf has `count` triangles from `first`. Split in the middle of the widest spread of the centres."""
    corners = points[triangles]
    low, high = corners.min(axis=1), corners.max(axis=1)
    centers = (low + high) / 2
    order = np.arange(len(triangles))
    nodes: list[tuple[float, ...]] = []
    todo: list[tuple[int, int, int]] = [(0, len(triangles), -1)]  # from, to, the node whose right child this is
    while todo:
        start, end, parent = todo.pop()
        here = order[start:end]
        number = len(nodes)
        if parent >= 0:
            nodes[parent] = (*nodes[parent][:6], number, *nodes[parent][7:])
        leaf = end - start <= LEAF
        nodes.append((*low[here].min(axis=0), *high[here].max(axis=0), -1, start, end - start if leaf else 0))
        if leaf:
            continue
        axis = int(np.ptp(centers[here], axis=0).argmax())
        half = (end - start) // 2
        order[start:end] = here[np.argpartition(centers[here, axis], half)]
        todo.append((start + half, end, number))
        todo.append((start, start + half, -1))
    return triangles[order], np.array(nodes, NODE)
