"""Where in an LMDB file of format 1 the bits are that matter most, for flips that aim."""

import random
import struct

PAGE = 4096
HEADER = struct.Struct("<8xHHHH")  # pad, flags, lower, upper
NODE = struct.Struct("<HHHH")  # two words of size or page number, flags, length of the key
BRANCH, LEAF = 0x01, 0x02
BIG = 0x01  # flag of a node whose value lies on pages of its own
AIMS = ("anywhere", "value", "meta", "page header", "node and key")


def aim(data: bytes, at: str, dice: random.Random) -> int:
    """Choose a byte of the file, in a part of it that ``AIMS`` names. Pages no longer in use are aimed at too."""
    if at == "anywhere":
        return dice.randrange(len(data))
    if at == "meta":
        return dice.randrange(2) * PAGE + dice.randrange(16 + 136)
    wanted = {LEAF} if at == "value" else {LEAF, BRANCH}
    pages = [
        start
        for start in range(2 * PAGE, len(data) - PAGE + 1, PAGE)
        if HEADER.unpack_from(data, start)[1] in wanted and HEADER.unpack_from(data, start)[2] > HEADER.size
    ]
    start = dice.choice(pages)
    lower = int(HEADER.unpack_from(data, start)[2])
    if at == "page header":
        return start + dice.randrange(lower)
    (offset,) = struct.unpack_from("<H", data, start + HEADER.size + 2 * dice.randrange((lower - HEADER.size) // 2))
    low, high, flags, key_length = NODE.unpack_from(data, start + offset)
    value = start + int(offset) + NODE.size + int(key_length)
    if at == "node and key":
        return dice.randrange(start + int(offset), value)
    if flags == BIG:
        (first,) = struct.unpack_from("<Q", data, value)
        value = int(first) * PAGE + HEADER.size
    return min(value + dice.randrange(max(1, int(low) | int(high) << 16)), len(data) - 1)
