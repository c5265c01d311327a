"""Makes images readable as a board's flash is: in the address space, where code runs in place.

Each image (ROMFS, see `compiled.py`) is mapped into memory, read only and outside the heap.
"""

import os
import sys

import ffi  # pyright: ignore[reportMissingImports] - the desktop port has it
import uctypes
import vfs
from micropython import const

_PROT_READ = const(1)
_MAP_PRIVATE = const(2)
_PAGE = const(4096)


def mount(images):
    """Mount the files `images` as /rom0, /rom1, and from now on take modules from there and from the
    interpreter alone. OSError when one cannot be read.
    """
    mmap = ffi.open(None).func("p", "mmap", "pLiiil")
    folders = []
    for path in images:
        size = os.stat(path)[6]
        with open(path, "rb") as file:
            address = mmap(None, size, _PROT_READ, _MAP_PRIVATE, file.fileno(), 0)
        if address % _PAGE:  # MAP_FAILED is -1
            raise OSError("%s cannot be mapped" % path)
        folder = "/rom%d" % len(folders)
        flash = uctypes.bytearray_at(address, size)
        vfs.mount(vfs.VfsRom(flash), folder)  # pyright: ignore[reportAttributeAccessIssue]
        folders.append(folder)
    sys.path[:] = folders + [".frozen"]
