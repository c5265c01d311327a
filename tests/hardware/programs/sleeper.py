"""Wakes every minute and does nothing: what a quiet node costs."""

import asyncio

import board


async def main():
    board.radio.configure(869525000, 250000, 9, 5, 16, 0x2B, 22)
    while True:
        await asyncio.sleep_ms(60000)


asyncio.run(main())
