"""Many plans on all cores. What comes of a plan does not depend on how many run beside it."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable

from baken_hardware.simulate import scenarios
from baken_hardware.simulate.results import Run
from baken_hardware.simulate.scenarios import Plan


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_all(plans: list[Plan], jobs: int, done: Callable[[Plan], None]) -> list[Run]:
    """Run every plan, `jobs` at a time; `done` hears of each when it is over. In the order of the plans."""
    if jobs <= 1 or len(plans) <= 1:
        runs = []
        for plan in plans:
            runs.append(scenarios.run(plan))
            done(plan)
        return runs
    found: dict[int, Run] = {}
    # The long ones first, or the last core works alone.
    order = sorted(range(len(plans)), key=lambda index: -plans[index].nodes)
    with multiprocessing.get_context("spawn").Pool(min(jobs, len(plans)), maxtasksperchild=4) as pool:
        numbered = [(index, plans[index]) for index in order]
        for index, one in pool.imap_unordered(_numbered, numbered):
            found[index] = one
            done(plans[index])
    return [found[index] for index in range(len(plans))]


def _numbered(numbered: tuple[int, Plan]) -> tuple[int, Run]:
    return numbered[0], scenarios.run(numbered[1])
