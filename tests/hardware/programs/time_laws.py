"""What asyncio promises, written down with virtual times."""

import asyncio
import sys

import board


def log(text):
    board.log("%d %s" % (board.clock.ticks_ms(), text))


async def sleeper(name, *times_ms):
    for time_ms in times_ms:
        await asyncio.sleep_ms(time_ms)
        log(name)
    return name


async def failing():
    await asyncio.sleep_ms(1)
    raise ValueError("on purpose")


async def endless():
    try:
        await asyncio.sleep_ms(1000000)
    except asyncio.CancelledError:
        log("cancelled")
        raise
    finally:
        log("finally")


async def wait_for(event, name):
    await event.wait()
    log(name)


async def main():
    log("start")
    await asyncio.sleep_ms(250)
    log("250 later")
    await asyncio.sleep(1)
    log("a second later")
    log("gathered %s" % (await asyncio.gather(sleeper("a", 10, 20), sleeper("b", 20, 10), sleeper("c", 0))))
    try:
        await asyncio.wait_for_ms(endless(), 75)
    except asyncio.TimeoutError:
        log("timeout")
    log("in time: %s" % (await asyncio.wait_for(sleeper("d", 5), 1)))
    try:
        await asyncio.create_task(failing())
    except ValueError as error:
        log("raised %s" % error)
    event = asyncio.Event()
    waiters = [asyncio.create_task(wait_for(event, "waiter %d" % number)) for number in range(3)]
    cancelled = asyncio.create_task(wait_for(event, "never"))
    await asyncio.sleep_ms(40)
    log("cancel %s" % cancelled.cancel())
    event.set()
    for waiter in waiters:
        await waiter
    log("cancel again %s done %s" % (waiters[0].cancel(), waiters[0].done()))
    lock = asyncio.Lock()

    async def with_lock(name):
        async with lock:
            await asyncio.sleep_ms(10)
            log(name)

    await asyncio.gather(with_lock("lock 1"), with_lock("lock 2"))
    busy = asyncio.create_task(sleeper("slices over", 5))
    slices = 0
    while slices < 1000:
        # A long computation cut in slices takes no virtual time, and does not keep others from running.
        await asyncio.sleep_ms(0)
        slices += 1
    log("sliced")
    await busy
    # Past 2^30 ms, where small integers end on 32 bit, and past 2^32.
    await asyncio.sleep_ms(2000000000)
    log("after 23 days")
    await asyncio.sleep_ms(3000000000)
    log("after 57 days")
    # Streams need the machine's clock: that must be said, not hang.
    try:
        await asyncio.StreamReader(sys.stdin).read(1)
    except NotImplementedError as error:
        log(str(error))


asyncio.run(main())
log("ended")
asyncio.new_event_loop()
asyncio.run(sleeper("second loop", 100))
