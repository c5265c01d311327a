"""The unmodified `meshtastic` command from PyPI on the serial port of a whole virtual node, in real time."""

import asyncio
import sys
from pathlib import Path

from _nodes import Stage, stage

COMMAND = Path(sys.executable).parent / "meshtastic"
LIMIT_S = 60.0


async def command(scene: Stage, code: str, *arguments: str) -> str:
    """What `meshtastic --port ... arguments` prints; it must end well and not complain."""
    process = await asyncio.create_subprocess_exec(
        str(COMMAND),
        *("--port", str(scene.nodes[code].tty), *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), LIMIT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise AssertionError(f"meshtastic {arguments} took over {LIMIT_S:.0f} s\n{scene.logs()}") from None
    text = said.decode(errors="replace")
    assert process.returncode == 0 and "Traceback" not in text, text
    return text


def test_the_command_reads_a_virtual_node_and_sends_through_it(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            await scene.start()
            await scene.run(70_000)  # both have told the other who they are
            scene.ether.factor = 1.0
            scene.ether.resume()
            point, other = scene.region.point("OV06"), scene.region.point("OV01")

            info = await command(scene, "OV06", "--info")
            assert f"!{point.node_num:08x}" in info and "Primary channel URL" in info
            assert scene.region.channel.name in info and "EU_868" in info

            nodes = await command(scene, "OV06", "--nodes")
            assert f"!{other.node_num:08x}" in nodes and "OV01" in nodes

            before = len(scene.frames)
            sent = await command(scene, "OV06", "--sendtext", "Hallo van de kerk")
            assert "Sending text message" in sent
            deadline = asyncio.get_running_loop().time() + LIMIT_S
            while not any(sender == "OV06" for _t, sender, _frame in scene.frames[before:]):
                assert asyncio.get_running_loop().time() < deadline, scene.logs()
                await asyncio.sleep(0.05)
            scene.assert_healthy()

    asyncio.run(playing())
