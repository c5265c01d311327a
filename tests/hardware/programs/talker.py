"""Sends a numbered frame every so often after listening, and writes whatever it sends and hears to standard
error.
"""

import asyncio
import os

import board


def log(text):
    board.log("%d %s" % (board.clock.ticks_ms(), text))


async def hear():
    while True:
        frame, rssi_dbm, snr_db = await board.radio.receive()
        log("heard %s %d %d" % (frame.decode(), rssi_dbm, snr_db))


async def main():
    board.radio.configure(869525000, 250000, 9, 5, 16, 0x2B, 22)
    asyncio.create_task(hear())
    period_ms = int(os.getenv("TALK_EVERY_MS") or 1000)
    code = os.getenv("BAKEN_NODE")
    number = 0
    while True:
        await asyncio.sleep_ms(period_ms + board.random_bytes(1)[0])
        while not await board.radio.channel_free():
            log("busy")
            await asyncio.sleep_ms(12 * (1 + board.random_bytes(1)[0] % 8))
        log("send %d" % number)
        await board.radio.send(("%s:%d" % (code, number)).encode())
        log("sent %d" % number)
        number += 1


asyncio.run(main())
