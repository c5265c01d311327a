"""Runs core test modules on MicroPython: each `test_*` function, in the order of their names.

    micropython tests/upy.py test_packet [test_...]        (MICROPYPATH=firmware:hardware:tests/core:.frozen)

Prints `ok` or `FAIL` with the traceback for each, then one line with the sums; exit code 1 when any failed.
Works on CPython as well. pytest runs the same functions there.
"""

import gc
import sys


def run(module_names):
    """Run all tests of the modules; give (passed, failed)."""
    passed = failed = 0
    for module_name in module_names:
        try:
            module = __import__(module_name)
        except Exception as error:  # a module that cannot be imported is a failure with a name
            print("FAIL", module_name, "cannot be imported")
            _print_traceback(error)
            failed += 1
            continue
        names = sorted([name for name in dir(module) if name.startswith("test_")])
        if not names:
            print("FAIL", module_name, "has no tests")
            failed += 1
        for name in names:
            gc.collect()
            try:
                getattr(module, name)()
            except Exception as error:  # whatever it is, the tests behind it shall run
                print("FAIL", module_name + "." + name)
                _print_traceback(error)
                failed += 1
                continue
            print("ok  ", module_name + "." + name)
            passed += 1
    return passed, failed


def _print_traceback(error):
    on_micropython = getattr(sys, "print_exception", None)
    if on_micropython:
        on_micropython(error, sys.stdout)
    else:
        import traceback

        traceback.print_exception(error, file=sys.stdout)


def main(module_names):
    if not module_names:
        print("usage: upy.py MODULE...")
        return 2
    passed, failed = run(module_names)
    print(sys.implementation.name, passed, "passed,", failed, "failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.path.pop(0)  # this script's folder, whose helpers are CPython's
    sys.exit(main(sys.argv[1:]))
