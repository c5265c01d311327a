"""Does what BAKEN_SCRIPT says, "at_ms action argument" joined by ";", and writes what comes of it to standard
error.

Actions: tune SF, send TEXT (@n: n bytes), listen, show HEX (fills the buffer with that byte), read (never
stops), say TEXT (to the serial port), flood (write to the serial port until it takes no more), die, hang,
exit STATUS (7).
"""

import asyncio
import os
import sys

import board


def log(text):
    board.log("%d %s" % (board.clock.ticks_ms(), text))


def tune(spreading_factor):
    board.radio.configure(869525000, 250000, spreading_factor, 5, 16, 0x2B, 22)


async def hear():
    while True:
        frame, rssi_dbm, snr_db = await board.radio.receive()
        text = frame.decode() if len(frame) < 16 else "%d bytes" % len(frame)
        log("heard %s rssi=%d snr=%d dropped=%d" % (text, rssi_dbm, snr_db, board.radio.dropped))


async def feel():
    while True:
        log("press %s battery=%d" % (await board.button.press(), board.battery.percent()))


async def read():
    while True:
        data = await board.serial.read()
        log("read %d" % len(data))
        while data:
            data = data[board.serial.write(data) :]
            await asyncio.sleep_ms(1)


def flood():
    taken = 0
    while True:
        count = board.serial.write(b"x" * 4096)
        if not count:
            return taken
        taken += count


async def act(at_ms, action, argument):
    await asyncio.sleep_ms(at_ms)
    if action == "tune":
        tune(int(argument))
    elif action == "send":
        frame = bytes(int(argument[1:])) if argument[0] == "@" else argument.encode()
        await board.radio.send(memoryview(frame))
        log("sent %s" % argument)
    elif action == "listen":
        free = await board.radio.channel_free()
        log("free" if free else "busy")
    elif action == "show":
        board.display.buffer[:] = bytes([int(argument, 16)]) * len(board.display.buffer)
        await board.display.show()
        log("shown %s" % argument)
    elif action == "hear":
        asyncio.create_task(hear())
    elif action == "read":
        asyncio.create_task(read())
    elif action == "say":
        log("said %d" % board.serial.write(argument.encode()))
    elif action == "flood":
        log("flooded %d" % flood())
    elif action == "random":
        log("random " + "".join("%02x" % byte for byte in board.random_bytes(40)))
    elif action == "time":
        log("unix %s" % board.clock.unix_s())
    elif action == "set":
        board.clock.set_unix_s(int(argument))
    elif action == "hang":
        log("hang")
        while True:
            pass
    elif action == "exit":
        sys.exit(int(argument or 7))
    else:
        raise ValueError(action)


async def main():
    tune(9)
    asyncio.create_task(feel())
    script = os.getenv("BAKEN_SCRIPT") or ""
    tasks = []
    for line in script.split(";"):
        words = line.split()
        if words:
            tasks.append(
                asyncio.create_task(act(int(words[0]), words[1], words[2] if len(words) > 2 else ""))
            )
    for task in tasks:
        await task
    log("done")
    while True:
        await asyncio.sleep_ms(3600000)


asyncio.run(main())
