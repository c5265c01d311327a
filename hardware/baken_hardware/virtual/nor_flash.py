"""A NOR flash in memory as a MicroPython block device, for LittleFS; runs on MicroPython.

As on the chip, erasing sets a block to ones, programming can only clear bits, and both wear. A journal of
block operations lets a test stand still behind any of them, also in the middle of one.
"""

BLOCK = 4096


class NorFlash:
    """`count` blocks of 4096 bytes. `blocks`: of each its bytes, None: erased; a block is replaced, never
    changed, so a copy of the list is a snapshot. `erases`: how often each was erased; `programmed`: bytes.
    `journal`: None, or a list to which each operation is added as (block, offset, data), data None: erased.
    """

    def __init__(self, count, blocks=None):
        self.blocks = [None] * count if blocks is None else blocks
        self.erases = [0] * count
        self.programmed = 0
        self.journal = None

    def readblocks(self, number, buffer, offset=0):
        block = self.blocks[number]
        if block is None:
            buffer[:] = b"\xff" * len(buffer)
        else:
            buffer[:] = memoryview(block)[offset : offset + len(buffer)]

    def writeblocks(self, number, buffer, offset=0):
        self.programmed += len(buffer)
        if self.journal is not None:
            self.journal.append((number, offset, bytes(buffer)))
        program(self.blocks, number, offset, buffer)

    def ioctl(self, operation, argument):
        if operation == 4:
            return len(self.blocks)
        if operation == 5:
            return BLOCK
        if operation == 6:
            self.erases[argument] += 1
            if self.journal is not None:
                self.journal.append((argument, 0, None))
            self.blocks[argument] = None
        return 0


def program(blocks, number, offset, data):
    """Clear the bits that are 0 in `data`; the others stay as they are."""
    block = blocks[number]
    new = bytearray(b"\xff" * BLOCK if block is None else block)
    size = len(data)
    was = bytes(new[offset : offset + size])
    if was.count(b"\xff") == size:
        new[offset : offset + size] = data
    else:
        for index in range(size):
            new[offset + index] = was[index] & data[index]
    blocks[number] = new


def apply(blocks, operation):
    """Do one operation of a journal."""
    number, offset, data = operation
    if data is None:
        blocks[number] = None
    else:
        program(blocks, number, offset, data)


def tear(blocks, operation, rand):
    """Do one operation as far as it comes when the power fails in it.

    Of a page the first bytes are programmed, of the byte that follows some bits. Of a block that is being
    erased some bits are ones already: any. `rand(n)` gives an int in [0, n).
    """
    number, offset, data = operation
    if data is not None:
        done = rand(len(data))
        program(blocks, number, offset, data[:done] + bytes((data[done] | rand(256),)))
        return
    if blocks[number] is None:
        return
    mask = bytes([rand(256) for _ in range(16)])
    block = bytearray(blocks[number])
    for index in range(BLOCK):
        block[index] |= mask[(index + (index >> 4)) & 15]
    blocks[number] = block
