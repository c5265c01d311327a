"""What the board runs after boot: the node program on the drivers of this board."""

import board

from baken.device.app import run

run(board)
