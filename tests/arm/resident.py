"""Print the MiB of memory that this process holds on the machine that qemu-user emulates, without the emulator's own.

An emulator keeps what it translates in the same process. /proc/self/maps is of the machine emulated, /proc/self/smaps
of the one below it, a constant further up: what the first names is counted in the second.
"""

from __future__ import annotations

from pathlib import Path


def span(line: str) -> tuple[int, int]:
    """The addresses of one mapping."""
    first, last = line.split()[0].split("-")
    return int(first, 16), int(last, 16)


def resident(maps: list[str], smaps: list[str]) -> float:
    """MiB."""
    file = maps[0].split()[2:5]  # offset, device and inode of the program itself
    above = next(span(line)[0] for line in smaps if line.split()[2:5] == file) - span(maps[0])[0]
    emulated = [(first + above, last + above) for first, last in map(span, maps)]
    kib, counts = 0, False
    for line in smaps:
        words = line.split()
        if not words[0].endswith(":"):
            begin, end = span(line)
            counts = any(begin < last and first < end for first, last in emulated)
        elif words[0] == "Rss:" and counts:
            kib += int(words[1])
    return kib / 2**10


with Path("/proc/self/maps").open() as maps, Path("/proc/self/smaps").open() as smaps:
    print(resident(maps.readlines(), smaps.readlines()))
