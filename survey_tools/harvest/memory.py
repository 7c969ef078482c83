"""Memory: what a store keeps from run to run besides papers: hosts, and titles asked in vain."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from survey_tools.harvest.clock import Clock, iso_time
from survey_tools.harvest.fetcher import HostState
from survey_tools.harvest.store import Store

__all__ = ["Memory"]

_ASK_AGAIN_AFTER = timedelta(days=30)  # a preprint may follow its printed version


class Memory:
    """What is remembered of services."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def read_host(self, host: str) -> HostState:
        """Return what is known of a host."""
        rows = self._store.query(
            "SELECT cooldown_until, cooldown_s, n_strikes, moved_to FROM hosts WHERE host = ?",
            (host,),
        )
        if not rows:
            return HostState()
        until, rest_s, n_strikes, moved_to = rows[0]
        return HostState(
            rest_until=datetime.fromisoformat(until) if until else None,
            rest_s=rest_s,
            n_strikes=n_strikes,
            moved_to=moved_to,
        )

    def save_host(self, host: str, state: HostState) -> None:
        """Remember a host's cool-down, strikes and move."""
        until = iso_time(state.rest_until) if state.rest_until else None
        with self._store.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO hosts (host, cooldown_until, cooldown_s, n_strikes, "
                "moved_to) VALUES (?, ?, ?, ?, ?)",
                (host, until, state.rest_s, state.n_strikes, state.moved_to),
            )

    def resting_hosts(self) -> list[tuple[str, datetime]]:
        """List the hosts whose cool-down has not ended, with its end."""
        now = self._clock.now()
        rows = self._store.query("SELECT host FROM hosts ORDER BY host")
        states = [(host, self.read_host(host).rest_until) for (host,) in rows]
        return [(host, until) for host, until in states if until is not None and until > now]

    def known_unknown_titles(self, keys: Sequence[str]) -> set[str]:
        """Return those of some title keys that arXiv was asked for in vain in the last month."""
        since = (self._clock.now().date() - _ASK_AGAIN_AFTER).isoformat()
        sql = "SELECT title_key FROM unknown_titles WHERE asked_on > ?"
        rows = self._store.query(sql, (since,))
        return {row[0] for row in rows} & set(keys)

    def note_unknown_titles(self, keys: Iterable[str]) -> None:
        """Note that arXiv was asked for some titles today and knows none of them."""
        today = self._clock.now().date().isoformat()
        with self._store.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO unknown_titles (title_key, asked_on) VALUES (?, ?)",
                [(key, today) for key in keys],
            )
