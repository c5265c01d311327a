"""The hour's transmit time on the flash: a restart gives nobody a new hour.

One value, `duty`, of 120 bytes. It is written when the node starts for the first time, and then by the rule
of `DutyBudget.should_save`, which keeps the flash from wearing out.
"""

from baken.wire.errors import LocalProtocolError

_NAME = "duty"


class DutyKeeper:
    """Keeps one budget in a store; call `keep` after every transmission and now and then in between.

    `failed` counts the times when the flash took nothing.
    """

    def __init__(self, budget, store, now):
        self._budget = budget
        self._store = store
        self.failed = 0
        saved = store.get(_NAME)
        if saved is not None:
            try:
                budget.restore(saved, now)
                return
            except LocalProtocolError:
                self.failed += 1
        self._save(now)  # from here on a restart knows that it is one

    def keep(self, now):
        """Save the budget if that is due."""
        if self._budget.should_save(now):
            self._save(now)

    def _save(self, now):
        try:
            self._store.set(_NAME, self._budget.dump(now))
        except OSError:
            self.failed += 1
