"""Where in an LMDB file of format 1 the bits are that matter most, for flips that aim."""

import random
import struct

PAGE = 4096
HEADER = struct.Struct("<8xHHHH")  # pad, flags, lower, upper
NODE = struct.Struct("<HHHH")  # two words of size or page number, flags, length of the key
BRANCH, LEAF, META = 0x01, 0x02, 0x08
AIMS = ("anywhere", "meta", "page header", "node and key")


def aim(data: bytes, at: str, dice: random.Random) -> int:
    """Choose a byte of the file: anywhere, or in a meta page, in a page header, in the head or key of a node."""
    if at == "meta":
        return dice.randrange(2) * PAGE + dice.randrange(16 + 136)
    if at == "anywhere":
        return dice.randrange(len(data))
    pages = [
        start
        for start in range(2 * PAGE, len(data) - PAGE + 1, PAGE)
        if HEADER.unpack_from(data, start)[1] in {BRANCH, LEAF}
    ]
    start = dice.choice(pages)
    _, _, lower, _ = HEADER.unpack_from(data, start)
    nodes = (lower - HEADER.size) // 2
    if at == "page header" or nodes <= 0:
        return start + dice.randrange(max(HEADER.size, lower))
    (offset,) = struct.unpack_from("<H", data, start + HEADER.size + 2 * dice.randrange(nodes))
    key_length = NODE.unpack_from(data, start + offset)[3]
    return start + int(offset) + dice.randrange(NODE.size + int(key_length))
