"""Pages of an LMDB file of data format 1, read without LMDB: it trusts them, and ends the process where they lie.

A page that breaks a rule is told and left out; what else there is of its tree is read all the same.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path

from marigram.inspect.fields import FormatError, demand

_PAGE = struct.Struct("<QHHHH")  # number, unused, flags, end of the places, begin of the nodes
_NODE = struct.Struct("<HHHH")  # size or page in two or three words, length of the key; a leaf's flags are the third
_TREE = struct.Struct("<IHHQQQQQ")  # unused, flags, depth, branches, leaves, overflow pages, entries, root
_META = struct.Struct("<IIQQ")  # magic, version, unused, size of the map
_MAGIC, _VERSION, _NO_PAGE = 0xBEEFC0DE, 1, (1 << 64) - 1
_BRANCH, _LEAF, _OVERFLOW, _META_PAGE = 1, 2, 4, 8
_BIG, _SUBTREE, _DUPLICATES = 1, 2, 4

Told = Callable[[str, str], None]
"""Told of a page and of the rule that it breaks."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Where a tree begins, and how much it holds."""

    depth: int
    entries: int
    root: int


class Pages:
    """A file of pages, mapped for reading."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            demand(path.stat().st_size > 0, "the file holds something")
            self._bytes = memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))  # unmapped when nothing looks at it
        self._read_meta()

    def tables(self, told: Told) -> dict[bytes, Tree]:
        """The named trees below the main one."""
        found = {}
        for key, value, flags in self._walk(self.main, told):
            if flags & _SUBTREE and len(value) == _TREE.size:
                found[key] = _tree(value, 0)
        return found

    def entries(self, tree: Tree, told: Told) -> Iterator[tuple[bytes, memoryview]]:
        """Keys and values, ascending. What lies below a page that breaks a rule is left out."""
        count = 0
        for key, value, _ in self._walk(tree, told):
            count += 1
            yield key, value
        if count != tree.entries:
            told(f"page {tree.root}", f"the tree has {tree.entries} entries by its root, {count} are there")

    def _read_meta(self) -> None:
        found: list[tuple[int, int, int, Tree]] = []
        for number in range(2):
            at = number * (found[0][1] if found else self._page_size())
            demand(at + 168 <= len(self._bytes), "the file has two meta pages")
            page, _, flags, _, _ = _PAGE.unpack_from(self._bytes, at)
            demand((page, flags & 0xF) == (number, _META_PAGE), f"page {number} is a meta page")
            magic, version, _, _ = _META.unpack_from(self._bytes, at + 16)
            demand((magic, version) == (_MAGIC, _VERSION), f"meta page {number} is LMDB's, of data format 1")
            (size,) = struct.unpack_from("<I", self._bytes, at + 40)
            last, transaction = struct.unpack_from("<QQ", self._bytes, at + 136)
            found.append((transaction, size, last, _tree(self._bytes, at + 88)))
        demand(found[0][1] == found[1][1], "both meta pages name one page size")
        rule = "the numbers of both meta pages end in the pages' bits and differ by one, or are 0"
        first, second = found[0][0], found[1][0]
        demand((first | second) == 0 or (abs(first - second) == 1 and first % 2 == 0), rule)
        self.transaction, self._size, last, self.main = max(found, key=lambda one: one[0])
        self._count = last + 1
        whole = len(self._bytes) // self._size
        demand(self._count <= whole, f"the file has {self._count} pages by its meta page, {whole} are there")

    def _page_size(self) -> int:
        demand(len(self._bytes) >= 168, "the file has two meta pages")
        (size,) = struct.unpack_from("<I", self._bytes, 40)
        demand(size in {1 << bits for bits in range(9, 17)}, f"a page has a power of two of bytes, not {size}")
        return int(size)

    def _walk(self, tree: Tree, told: Told) -> Iterator[tuple[bytes, memoryview, int]]:
        if tree.root == _NO_PAGE:
            return
        seen: set[int] = set()
        stack = [(tree.root, tree.depth)]
        while stack:
            number, depth = stack.pop()
            try:
                demand(number not in seen, "a page is reached once")
                seen.add(number)
                nodes = list(self._nodes(number, _LEAF if depth == 1 else _BRANCH))
            except FormatError as error:
                told(f"page {number}", str(error))
                continue
            if depth > 1:
                stack += [(low | high << 16 | flags << 32, depth - 1) for _, low, high, flags, _ in reversed(nodes)]
                continue
            for key, low, high, flags, at in nodes:
                try:
                    yield key, self._value(low | high << 16, flags, at), flags
                except FormatError as error:
                    told(f"page {number}, key {key.hex()}", str(error))

    def _nodes(self, number: int, kind: int) -> Iterator[tuple[bytes, int, int, int, int]]:
        """Key, the three words, and where data begins, of each node of a page."""
        demand(1 < number < self._count, f"there are {self._count} pages")
        start = number * self._size
        page, _, flags, lower, upper = _PAGE.unpack_from(self._bytes, start)
        demand(page == number, f"a page says its own number, not {page}")
        demand(flags == kind, f"a page is a {'leaf' if kind == _LEAF else 'branch'}, not of flags {flags:#x}")
        demand(_PAGE.size <= lower <= upper <= self._size and lower % 2 == 0, "the free space of a page lies within it")
        last = None
        for index in range((lower - _PAGE.size) // 2):
            (offset,) = struct.unpack_from("<H", self._bytes, start + _PAGE.size + 2 * index)
            demand(upper <= offset <= self._size - _NODE.size, "nodes lie behind the free space")
            low, high, word, length = _NODE.unpack_from(self._bytes, start + offset)
            at = start + offset + _NODE.size + length
            demand(at <= start + self._size, "a key lies within its page")
            key = bytes(self._bytes[at - length : at])
            demand(last is None or (kind == _BRANCH and index == 1) or key > last, "keys ascend")
            last = key
            if kind == _LEAF:
                size = 8 if word & _BIG else low | high << 16
                demand(at + size <= start + self._size, "a value lies within its page")
            yield key, low, high, word, at

    def _value(self, size: int, flags: int, at: int) -> memoryview:
        demand(not flags & _DUPLICATES, "a key has one value")
        if not flags & _BIG:
            return self._bytes[at : at + size]
        (number,) = struct.unpack_from("<Q", self._bytes, at)
        pages = -(-(size + _PAGE.size) // self._size)
        demand(number > 1 and number + pages <= self._count, f"there are {self._count} pages")
        start = number * self._size
        page, _, kind, low, high = _PAGE.unpack_from(self._bytes, start)
        demand((page, kind) == (number, _OVERFLOW), f"page {number} begins a long value and says its own number")
        demand(low | high << 16 == pages, f"a value of {size} bytes has {pages} pages")
        return self._bytes[start + _PAGE.size : start + _PAGE.size + size]


def _tree(data: memoryview, at: int) -> Tree:
    _, _, depth, _, _, _, entries, root = _TREE.unpack_from(data, at)
    return Tree(depth, entries, root)
