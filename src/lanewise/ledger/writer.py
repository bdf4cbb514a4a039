"""Write the ledger off the request path: the event loop appends to a deque, one thread commits batches.

What it promises:
    `record` never waits and never raises. A call is in the database whole or not at all, also after `kill -9`.
    While the database fails (disk full, locked, server away) calls wait in memory and are written when it
    recovers; beyond `capacity` new ones are dropped and counted, never silently.

What it gives up: calls of the last `flush_interval_s` die with a killed process, and a batch that fails because
of one row's content is written row by row, without that row. Both are counted or bounded; neither stops serving.

It does not know what a call means; `save` does.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from lanewise.errors import StoreError
from lanewise.journey import CallRecord
from lanewise.ledger.save import save, save_policy
from lanewise.store import Database

log = logging.getLogger(__name__)

# A CallRecord with two attempts is about 2 kB of objects, its candidates being the catalog's: 40 MB at the most, and
# three minutes of a database that is away at 100 calls a second.
CAPACITY = 20_000

# SQLite reaches 223 k rows/s at 500 rows a transaction against 65 k at 50 and 11 k at 1; more rows gain little
# and hold the interpreter's lock longer in one piece.
FLUSH_ROWS = 500
FLUSH_INTERVAL_S = 0.2

# A lock or a full disk clears in seconds or in hours: ask soon, then every five seconds.
_FIRST_BACKOFF_S = 0.2
_MAX_BACKOFF_S = 5.0

_LOG_INTERVAL_S = 1.0


class LedgerWriter:
    """Takes calls from one event loop and writes them from one thread of its own. `start` it, `close` it.

    Args:
        database: where to write; stays open after `close`.
        clock: monotonic seconds; decides only when a warning may be logged again.
        capacity: calls kept in memory, those being written included.
        flush_rows: calls per transaction at the most.
        flush_interval_s: how long a call waits for others before it is written.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float],
        *,
        capacity: int = CAPACITY,
        flush_rows: int = FLUSH_ROWS,
        flush_interval_s: float = FLUSH_INTERVAL_S,
    ) -> None:
        self._database = database
        self._clock = clock
        self._capacity = capacity
        self._flush_rows = flush_rows
        self._flush_interval_s = flush_interval_s
        self._waiting: deque[CallRecord] = deque()
        self._batch: deque[CallRecord] = deque()
        self._policies: dict[str, str] = {}
        self._wake = threading.Event()
        self._closing = False
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="lanewise-ledger", daemon=True)
        self._failures = 0
        self._written = 0
        self._refused = 0
        self._dropped = 0
        self._told_dropped = 0
        self._told_at: float | None = None

    @property
    def written(self) -> int:
        """Calls committed so far."""
        return self._written

    @property
    def dropped(self) -> int:
        """Calls lost because the buffer was full."""
        return self._dropped

    @property
    def refused(self) -> int:
        """Calls lost because the database does not accept their content."""
        return self._refused

    @property
    def pending(self) -> int:
        """Calls in memory."""
        return len(self._waiting) + len(self._batch)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def record(self, call: CallRecord) -> None:
        """Keep `call` for writing, or count it as dropped. O(1); never waits, never raises."""
        if len(self._waiting) + len(self._batch) >= self._capacity:
            self._dropped += 1
            return
        self._waiting.append(call)
        if len(self._waiting) == self._flush_rows:
            self._wake.set()

    def policy(self, policy_id: str, document: str) -> None:
        """Write the configuration `policy_id` together with the next calls, which it decides."""
        self._policies[policy_id] = document

    def close(self, timeout_s: float) -> int:
        """Write what is in memory and stop; the number of calls that could not be written in `timeout_s`."""
        self._closing = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._abandoned = True
        self._wake.set()
        if self.pending:
            log.error("ledger.unwritten", extra={"calls": self.pending, "database": self._database.name})
        return self.pending

    def _run(self) -> None:
        pause_s = self._flush_interval_s
        while not self._abandoned:
            self._wake.wait(pause_s)
            self._wake.clear()
            closing = self._closing  # read before the flush: a call recorded before `close` must be in it
            healthy = self.flush()
            if closing and healthy:
                return
            pause_s = self._flush_interval_s if healthy else self._backoff_s()

    def flush(self) -> bool:
        """Write all that is in memory, batch after batch; False when the database failed and calls remain.

        The thread's step: call it from elsewhere only while the thread does not run.
        """
        self._tell_dropped()
        while self._batch or self._waiting:
            while self._waiting and len(self._batch) < self._flush_rows:
                self._batch.append(self._waiting.popleft())
            try:
                self._write_batch()
            except StoreError as fault:
                self._failures += 1
                if self._failures == 1:
                    log.warning("ledger.write_failed", extra={"error": fault.sentence, "pending": self.pending})
                return False
            if self._failures:
                log.warning("ledger.write_recovered", extra={"failures": self._failures})
                self._failures = 0
        return True

    def _write_batch(self) -> None:
        """Commit the batch and empty it; on `StoreError` it stays."""
        try:
            self._commit(tuple(self._batch))
        except StoreError:
            raise
        except Exception:  # noqa: BLE001  any error of a row's content; the ledger must outlive each of them
            self._write_singly()
        self._batch.clear()

    def _write_singly(self) -> None:
        """Commit call by call, so that a call that the database refuses takes no other with it."""
        while self._batch:
            call = self._batch[0]
            try:
                self._commit((call,))
            except StoreError:
                raise
            except Exception as fault:  # noqa: BLE001  see `_write_batch`
                self._refused += 1
                log.warning("ledger.call_refused", extra={"call_id": call.call_id, "error": type(fault).__name__})
            self._batch.popleft()

    def _commit(self, calls: Sequence[CallRecord]) -> None:
        policies = tuple(self._policies.items())  # the other thread may add one meanwhile
        with self._database.write() as connection:
            for policy_id, document in policies:
                save_policy(connection, policy_id, document)
            new = save(connection, calls)
        for policy_id, _ in policies:
            del self._policies[policy_id]
        self._written += new

    def _backoff_s(self) -> float:
        """Doubles from 0.2 s to 5 s, which it reaches at the sixth failure."""
        return min(_FIRST_BACKOFF_S * 2.0 ** min(self._failures - 1, 5), _MAX_BACKOFF_S)

    def _tell_dropped(self) -> None:
        """Log the drops since the last time, at most once a second; the last word is said at the end."""
        if self._dropped == self._told_dropped:
            return
        now = self._clock()
        if self._told_at is None or self._closing or now - self._told_at >= _LOG_INTERVAL_S:
            log.warning("ledger.dropped", extra={"calls": self._dropped - self._told_dropped, "total": self._dropped})
            self._told_at = now
            self._told_dropped = self._dropped
