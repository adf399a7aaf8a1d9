"""Strict mode: limits of one collection. All of it is off unless `enabled` is true."""

import time

from filters import require_indexes
from wire import Refused, bad_request


class Limits:
    """The state that rate limits need; the limits themselves are read from the configuration every time."""

    def __init__(self):
        self._buckets = {}

    def read(self, strict, tokens=1):
        """One token for a page or a count; one for each id that is asked for."""
        self._take(strict, "read_rate_limit", "Read", tokens)

    def write(self, strict, points=1):
        """A write is charged twice, by the collection and by its shard: so the recorded server did."""
        for _ in range(2):
            self._take(strict, "write_rate_limit", "Write", max(1, points))

    def _take(self, strict, setting, kind, tokens):
        per_minute = enabled(strict, setting)
        if per_minute is None:
            return
        if tokens > per_minute:
            raise Refused(
                429,
                f"Rate limiting exceeded: {kind} rate limit exceeded, request larger than rate limiter capacity, "
                "please try to split your request",
            )
        now = time.monotonic()
        available, since = self._buckets.get(setting, (float(per_minute), now))
        available = min(float(per_minute), available + (now - since) * per_minute / 60)
        if available < tokens:
            self._buckets[setting] = (available, now)
            shown = f"{available:.1f}"
            wait = round((tokens - available) * 60 / per_minute)
            raise Refused(
                429,
                f"Rate limiting exceeded: {kind} rate limit exceeded: Operation requires {tokens} tokens but only "
                f"{shown} were available. Retry after {wait}s",
            )
        self._buckets[setting] = (available - tokens, now)


def enabled(strict, setting):
    """The value of a setting, or None when it limits nothing."""
    return strict.get(setting) if strict and strict.get("enabled") else None


def check_upsert(strict, points):
    _check(strict, "upsert_max_batchsize", points, "upsert limit")


def check_query(strict, limit):
    _check(strict, "max_query_limit", limit, "limit")


def check_filter(strict, setting, value, indexes):
    if enabled(strict, setting) is False:
        require_indexes(value, indexes)


def check_points(strict, stored):
    largest = enabled(strict, "max_points_count")
    if largest is not None and stored >= largest:
        raise bad_request(
            f"Max points count limit of {largest} reached! Current count: {stored}. Help: Delete points or raise the limit."
        )


def check_index(strict, indexes):
    largest = enabled(strict, "max_payload_index_count")
    if largest is not None and indexes >= largest:
        raise bad_request(
            f"Collection already has the maximum number of payload indices ({largest}). "
            "Help: Please delete an existing index before creating a new one."
        )


def _check(strict, setting, value, name):
    largest = enabled(strict, setting)
    if largest is not None and value > largest:
        raise bad_request(
            f'Limit exceeded {value} > {largest} for "{name}". Help: Reduce the "{name}" parameter to or below {largest}.'
        )
