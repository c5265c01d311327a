"""Draws pages on request, under MicroPython: a JSON request per line on stdin, a JSON answer per line.

A request is {"draw": "bulletin", "view": {...}, "page": 0, "large": false}; bytes are {"hex": "..."}. The
answer is {"pages": n, "picture": hex of the display's buffer, "draw_us": time}. {"draw": "heap"} asks what
the screen, its fonts and its glyph cache hold.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import gc
import json
import sys
import time

from baken.device import views
from baken.device.pages import Screen
from baken.mesh.inbox import Message

VIEWS = {
    "bulletin": views.NoticeView,
    "message": views.MessageView,
    "list": views.ListView,
    "empty": views.EmptyView,
    "start": views.StartView,
    "health": views.TableView,
    "menu": views.MenuView,
    "texts": views.TextsView,
}


class Display:
    """A buffer as a driver has it."""

    def __init__(self, width, height):
        self.width = width
        self.height = height
        self.buffer = bytearray((width + 7) // 8 * height)


def value(item):
    """Bytes, lists and entries out of JSON."""
    if isinstance(item, dict):
        if "hex" in item:
            return bytes.fromhex(item["hex"])
        if "sender" in item:
            return Message(**{name: value(item[name]) for name in item})
        return views.ListEntry(**{name: value(item[name]) for name in item})
    if isinstance(item, list):
        return [value(part) for part in item]
    return item


def used_bytes():
    gc.collect()
    return gc.mem_alloc()


def screen_of(screens, size):
    """The screen of a size, and the heap in use before it was made."""
    if size not in screens:
        display = Display(*size)
        before = used_bytes()
        screens[size] = (Screen(display), before)
    return screens[size]


def answer(screens, request):
    screen, before = screen_of(screens, tuple(request.get("size") or (250, 122)))
    screen.large_letters = request.get("large", False)
    name = request["draw"]
    view = VIEWS[name](**{key: value(item) for key, item in request["view"].items()})
    draw = getattr(screen, "draw_" + name)
    gc.collect()
    start = time.ticks_us()
    pages = draw(view) if request.get("page") is None else draw(view, request["page"])
    draw_us = time.ticks_diff(time.ticks_us(), start)
    picture = bytes(screen.canvas.buffer).hex()
    return {"pages": pages or 1, "picture": picture, "draw_us": draw_us}


def held(screens):
    screen, before = screens[(250, 122)]
    return {"screen_bytes": used_bytes() - before, "cached_bytes": screen.store.cached_bytes}


def serve(screens, line):
    """Answer one request. A function of its own: what it leaves on the stack is not counted as held."""
    request = json.loads(line)
    print(json.dumps(held(screens) if request["draw"] == "heap" else answer(screens, request)))


def main():
    screens = {}
    while line := sys.stdin.readline():
        serve(screens, line)


main()
