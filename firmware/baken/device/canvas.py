"""Letters, bars and rules in a display's buffer (one bit per pixel, 1 = paper)."""

import framebuf

from baken.wire.utf8 import decode_at

from .layout import shorten, wrap

BLACK = 0
PAPER = 1
MARGIN = 4  # between the edge of the display and text
RAIL = 6  # width of the striped rails that mark an exercise

# Diagonal stripes; one tile of 8 x 8.
_STRIPES = bytearray(b"\xe1\xc3\x87\x0f\x1e\x3c\x78\xf0")


class Canvas:
    """Draws into `display.buffer`. The body's text lies between `left` and `right`."""

    def __init__(self, display) -> None:
        self.width = display.width
        self.height = display.height
        self.buffer = display.buffer
        stride = (self.width + 7) & ~7
        self.frame = framebuf.FrameBuffer(display.buffer, self.width, self.height, framebuf.MONO_HLSB, stride)
        self._to_black = framebuf.FrameBuffer(bytearray(b"\x80"), 2, 1, framebuf.MONO_HLSB)
        self.left = MARGIN
        self.right = self.width - MARGIN

    def clear(self, rails: bool = False) -> None:
        """Blank paper; the body is narrower when `rails` are going to stand beside it."""
        self.frame.fill(PAPER)
        self.left = RAIL + MARGIN if rails else MARGIN
        self.right = self.width - self.left

    def rails(self, top: int, bottom: int) -> None:
        """Striped rails at both edges, from `top` to above `bottom`."""
        tile = framebuf.FrameBuffer(_STRIPES, RAIL, 8, framebuf.MONO_HLSB)
        for y in range(top, bottom, 8):
            if bottom - y < 8:
                tile = framebuf.FrameBuffer(_STRIPES, RAIL, bottom - y, framebuf.MONO_HLSB)
            self.frame.blit(tile, 0, y)
            self.frame.blit(tile, self.width - RAIL, y)

    def text(self, font, x: int, y: int, text: bytes, ink: int = BLACK) -> int:
        """Draw one line with its cell's top left corner at x, y. Returns the x behind it."""
        blit, glyph_of, frame_buffer = self.frame.blit, font.glyph, framebuf.FrameBuffer
        key, palette = (PAPER, self._to_black) if ink == BLACK else (0, None)
        index, end = 0, len(text)
        while index < end:
            code_point = text[index]
            if code_point < 0x80:
                index += 1
            else:
                code_point, index = decode_at(text, index)
            glyph = glyph_of(code_point)
            if glyph[-2]:
                bitmap = frame_buffer(glyph, glyph[-2], glyph[-1], framebuf.MONO_HLSB)
                # The stub takes no frame buffer for a palette; MicroPython takes nothing else.
                blit(bitmap, x + glyph[-4], y + glyph[-3], key, palette)  # pyright: ignore[reportArgumentType]
            x += glyph[-5]
        return x

    def text_right(self, font, right: int, y: int, text: bytes, ink: int = BLACK) -> int:
        """Draw one line that ends at `right`. Returns the x where it starts."""
        x = right - font.measure(text)
        self.text(font, x, y, text, ink)
        return x

    def rule(self, y: int) -> None:
        """A thin line across the display."""
        self.frame.hline(0, y, self.width, BLACK)

    def pill(self, font, x: int, y: int, text: bytes) -> int:
        """White letters in a black box whose left edge is x. Returns the x of its right edge."""
        width = font.measure(text) + 7
        self.frame.fill_rect(x, y, width, font.height, BLACK)
        self.text(font, x + 4, y, text, PAPER)
        return x + width

    def bar(self, fonts, title: bytes, badge: bytes = b"") -> int:
        """A black bar with the title and, in a white box at its right end, the badge. Returns the y below it.

        The first of `fonts` in which both fit on one line is taken; when none does, the last one is wrapped.
        """
        font, box, lines = fonts[-1], 0, []
        for font in fonts:
            box = font.measure(badge) + 7 if badge else 0
            width = self.width - 2 * MARGIN - (box + MARGIN if badge else 0)
            lines = wrap(title, font.measure, width)
            if len(lines) <= 1:
                break
        height = max(1, len(lines)) * font.height + 2
        self.frame.fill_rect(0, 0, self.width, height, BLACK)
        for number, line in enumerate(lines):
            self.text(font, MARGIN, 1 + number * font.height, line, PAPER)
        if badge:
            x = self.width - MARGIN - box
            self.frame.fill_rect(x, 1, box + 2, height - 2, PAPER)
            self.text(font, x + 4, 1, badge, BLACK)
        return height

    def lines(self, font, x: int, y: int, lines, pitch: int) -> int:
        """Draw lines from x, y downwards, `pitch` pixels apart. Returns the y below them."""
        for line in lines:
            self.text(font, x, y, line)
            y += pitch
        return y

    def line_of_two(self, font, y: int, left: bytes, right: bytes, ink: int = BLACK) -> None:
        """One line with a text at each end; the left one is shortened when both do not fit."""
        x = self.text_right(font, self.right, y, right, ink)
        self.text(font, self.left, y, shorten(left, font.measure, x - self.left - 6), ink)
