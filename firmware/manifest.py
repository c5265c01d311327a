"""What a build of MicroPython freezes into the firmware (`make FROZEN_MANIFEST=` names this file).

Read by MicroPython's own tools, which provide the functions used here. `board` is not part of it: each board
brings its own beside `main.py`.
"""

include("$(PORT_DIR)/boards/manifest.py")  # noqa: F821
package("baken", opt=1)  # noqa: F821
module("main.py", base_path="root", opt=1)  # noqa: F821
