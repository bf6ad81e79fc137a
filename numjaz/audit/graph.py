"""A network as tensors and who needs them; the order of its nodes that needs least memory."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from numjaz.layers import Input
from numjaz.nodes import Node, output_key, source_of
from numjaz.planning import Tensor

MAX_STATES = 200_000  # sets of computed nodes that a search looks at


@dataclass(frozen=True)
class Graph:
    """Nodes by number; ``makes[v]`` are the bytes of each output, ``needs[v]`` the (node, output) pairs it reads."""

    nodes: tuple[Node, ...]
    makes: tuple[tuple[int, ...], ...]
    needs: tuple[tuple[tuple[int, int], ...], ...]
    readers: Mapping[tuple[int, int], frozenset[int]]  # of each tensor
    ends: frozenset[tuple[int, int]]  # the network's outputs

    @classmethod
    def of(cls, nodes: Sequence[Node], outputs: Sequence[str], sizes: Mapping[str, Sequence[int]]) -> Graph:
        """The graph of a network whose nodes' outputs have these sizes."""
        at = {node.name: v for v, node in enumerate(nodes)}
        needs = tuple(tuple((at[name], k) for name, k in node.inputs) for node in nodes)
        readers: dict[tuple[int, int], set[int]] = {}
        for v, read in enumerate(needs):
            for tensor in read:
                readers.setdefault(tensor, set()).add(v)
        ends = frozenset((at[name], k) for name, k in map(source_of, outputs))
        makes = tuple(tuple(sizes[node.name]) for node in nodes)
        return cls(tuple(nodes), makes, needs, {t: frozenset(r) for t, r in readers.items()}, ends)

    @property
    def inputs(self) -> list[int]:
        """The nodes that data enter by: there from the beginning."""
        return [v for v, node in enumerate(self.nodes) if isinstance(node.layer, Input)]

    def tensors(self, order: Sequence[int], in_place: bool) -> list[Tensor]:
        """From when to when each tensor is needed, where the nodes are computed in this order."""
        when = {v: k for k, v in enumerate(order)}
        last = {
            (v, k): len(order) - 1
            if (v, k) in self.ends
            else max([when[v], *(when[r] for r in self.readers.get((v, k), ()))])
            for v in order
            for k in range(len(self.makes[v]))
        }
        if in_place:
            for v in order:
                over = self.overwritten(v, [t for t in self.needs[v] if last[t] == when[v] and t not in self.ends])
                if over:
                    last[over] = when[v] - 1
        begun = {v: 0 if v in self.inputs else when[v] for v in order}
        return [
            Tensor(output_key(self.nodes[v].name, k), self.makes[v][k], begun[v], last[v, k])
            for v in order
            for k in range(len(self.makes[v]))
        ]

    def overwritten(self, v: int, free: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
        """Which of the tensors that nobody else needs the node's output may take the place of."""
        if not self.nodes[v].layer.in_place or len(self.makes[v]) != 1:
            return None
        return next((t for t in free if self.makes[t[0]][t[1]] == self.makes[v][0]), None)


def best_order(graph: Graph, in_place: bool) -> tuple[list[int], bool]:
    """An order of the nodes whose peak no other order is below, and whether that is proved.

    What is alive depends only on which nodes were computed, not on their order. So the orders are
    paths through the sets of computed nodes, and the path of the smallest peak is found as shortest
    paths are (Dijkstra, with the maximum in the place of the sum). Where there are over `MAX_STATES`
    sets it goes on from the most promising one greedily, and proves nothing.
    """
    everything = (1 << len(graph.nodes)) - 1
    start = sum(1 << v for v in graph.inputs)
    before = [sum(1 << source for source, _ in set(read)) for read in graph.needs]
    first = _alive(graph, start)
    queue: list[tuple[int, int, int]] = [(first, 0, start)]
    best: dict[int, int] = {start: first}
    came: dict[int, tuple[int, int]] = {}
    seen = 0
    while queue:
        peak, _, done = heapq.heappop(queue)
        if done == everything:
            return _path(graph, came, done), seen <= MAX_STATES
        if peak > best[done]:
            continue
        seen += 1
        if seen > MAX_STATES:  # from here on only the nearest set is followed
            queue.clear()
        for v in range(len(graph.nodes)):
            if done >> v & 1 or before[v] & ~done:
                continue
            grown = done | 1 << v
            cost = max(peak, _during(graph, done, v, in_place))
            if cost < best.get(grown, cost + 1):
                best[grown], came[grown] = cost, (done, v)
                heapq.heappush(queue, (cost, -grown.bit_count(), grown))
    raise AssertionError("a network's nodes stand in an order")


def _needed(graph: Graph, tensor: tuple[int, int], done: int) -> bool:
    return tensor in graph.ends or any(not done >> r & 1 for r in graph.readers.get(tensor, ()))


def _alive(graph: Graph, done: int) -> int:
    """Bytes that are needed after these nodes."""
    return sum(
        size
        for v, sizes in enumerate(graph.makes)
        if done >> v & 1
        for k, size in enumerate(sizes)
        if _needed(graph, (v, k), done)
    )


def _during(graph: Graph, done: int, v: int, in_place: bool) -> int:
    """Bytes in memory while a node is computed after these."""
    total = _alive(graph, done) + sum(graph.makes[v])
    if in_place:
        free = [t for t in graph.needs[v] if not _needed(graph, t, done | 1 << v)]
        total -= sum(graph.makes[v]) if graph.overwritten(v, free) else 0
    return total


def _path(graph: Graph, came: Mapping[int, tuple[int, int]], done: int) -> list[int]:
    order: list[int] = []
    while done in came:
        done, v = came[done]
        order.append(v)
    return [*graph.inputs, *reversed(order)]
