"""What a build of MicroPython freezes into the firmware (`make FROZEN_MANIFEST=` names this file).

It stands beside what `baken-bench frozen` has written, which is not the source as it is: fonts have become
modules, for a frozen package has no files. Read by MicroPython's own tools, which provide the functions used
here. `board` is not part of it: each board brings its own beside `main.py`.
"""

include("$(PORT_DIR)/boards/manifest.py")  # noqa: F821
package("baken", opt=1)  # noqa: F821
module("main.py", base_path="root", opt=1)  # noqa: F821
