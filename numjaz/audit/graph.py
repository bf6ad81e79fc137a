"""A network as tensors and who needs them; the order of its nodes that needs least memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
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
        begun = when | dict.fromkeys(self.inputs, 0)
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
    before = [sum(1 << source for source in {source for source, _ in read}) for read in graph.needs]
    after = [{r for k in range(len(made)) for r in graph.readers.get((v, k), ())} for v, made in enumerate(graph.makes)]
    waits = {tensor: sum(1 << r for r in readers) for tensor, readers in graph.readers.items()}

    def needed(tensor: tuple[int, int], done: int) -> bool:
        return tensor in graph.ends or bool(waits.get(tensor, 0) & ~done)

    first = sum(size for v in graph.inputs for k, size in enumerate(graph.makes[v]) if needed((v, k), start))
    ready = sum(1 << v for v in range(len(graph.nodes)) if not start >> v & 1 and not before[v] & ~start)
    queue: list[tuple[int, int, int]] = [(first, 0, start)]
    best: dict[int, int] = {start: first}
    came: dict[int, tuple[int, int]] = {}
    held = {start: (first, ready)}  # of a set: what is alive behind it, and what can be computed next
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
            best.clear()  # so that it has a way on where each next set was seen before
        alive, ready = held[done]
        for v in _bits(ready):
            grown = done | 1 << v
            made = sum(graph.makes[v])
            free = [t for t in graph.needs[v] if not needed(t, grown)]
            over = in_place and graph.overwritten(v, free)
            cost = max(peak, alive + (0 if over else made))
            if cost < best.get(grown, cost + 1):
                best[grown], came[grown] = cost, (done, v)
                heapq.heappush(queue, (cost, -grown.bit_count(), grown))
                if grown not in held:
                    kept = sum(size for k, size in enumerate(graph.makes[v]) if needed((v, k), grown))
                    freed = sum(graph.makes[u][k] for u, k in set(free))
                    opened = sum(1 << r for r in after[v] if not before[r] & ~grown)
                    held[grown] = alive + kept - freed, (ready | opened) & ~(1 << v)
    raise AssertionError("a network's nodes stand in an order")


def _bits(numbers: int) -> Iterator[int]:
    while numbers:
        yield (numbers & -numbers).bit_length() - 1
        numbers &= numbers - 1


def _path(graph: Graph, came: Mapping[int, tuple[int, int]], done: int) -> list[int]:
    order: list[int] = []
    while done in came:
        done, v = came[done]
        order.append(v)
    return [*graph.inputs, *reversed(order)]
