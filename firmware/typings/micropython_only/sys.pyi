"""MicroPython's sys."""

from typing import Any, BinaryIO, NoReturn, TextIO

argv: list[str]
byteorder: str
executable: str
implementation: Any
maxsize: int
modules: dict[str, Any]
path: list[str]
platform: str
version: str
version_info: tuple[int, int, int]

class _Stream(TextIO):
    buffer: BinaryIO

stdin: _Stream
stdout: _Stream
stderr: _Stream

def exit(code: object = 0, /) -> NoReturn: ...
def print_exception(exception: BaseException, file: Any = ..., /) -> None: ...
