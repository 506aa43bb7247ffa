"""How long calls may take and when they are tried again: what ``service_config.json`` says, read once.

gRPC's own retries cannot wait for as long as a server asks (RetryInfo in the details), so the client retries itself, by
the same file that the clients in other languages give to gRPC.
"""

import json
import random
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import grpc


@dataclass(frozen=True, slots=True)
class Retry:
    """When to try again. Delays are in seconds."""

    attempts: int
    initial: float
    longest: float
    multiplier: float
    codes: frozenset[grpc.StatusCode]

    def delay(self, attempt: int) -> float:
        """Seconds to wait after attempt ``attempt`` (from 1): grows to the longest, off by a fifth either way."""
        grown: float = min(self.longest, self.initial * self.multiplier ** (attempt - 1))
        return grown * random.uniform(0.8, 1.2)  # noqa: S311 (spreads clients, guards nothing)


@dataclass(frozen=True, slots=True)
class Method:
    """How to call one method. ``timeout`` is in seconds, over all attempts; None is no bound."""

    timeout: float | None
    wait_for_ready: bool
    retry: Retry | None


class Throttle:
    """Stops retries of a client whose calls mostly fail, as gRPC A6 says: a bucket of tokens, a failure takes one, a
    success gives ``ratio`` back, and below half nothing is retried."""

    def __init__(self, tokens: float, ratio: float) -> None:
        self._most = self._tokens = tokens
        self._ratio = ratio

    def succeeded(self) -> None:
        """Count an answer."""
        self._tokens = min(self._most, self._tokens + self._ratio)

    def failed(self) -> bool:
        """Count a failure worth a retry; True if it may be tried again."""
        self._tokens = max(0.0, self._tokens - 1)
        return self._tokens > self._most / 2


def throttle() -> Throttle:
    """A full bucket of the size that the file says."""
    wanted = _config()["retryThrottling"]
    return Throttle(float(wanted["maxTokens"]), float(wanted["tokenRatio"]))


@cache
def method(service: str, name: str) -> Method:
    """How to call ``service/name``: the most specific entry of the file."""
    entries = {
        (part.get("service", ""), part.get("method", "")): entry
        for entry in _config()["methodConfig"]
        for part in entry["name"]
    }
    entry = next(entries[key] for key in ((service, name), (service, ""), ("", "")) if key in entries)
    return Method(
        timeout=_seconds(entry["timeout"]) if "timeout" in entry else None,
        wait_for_ready=entry.get("waitForReady", False),
        retry=_retry(entry["retryPolicy"]) if "retryPolicy" in entry else None,
    )


@cache
def _config() -> dict[str, Any]:
    config: dict[str, Any] = json.loads(files("marigram_client").joinpath("service_config.json").read_text())
    return config


def _retry(entry: dict[str, Any]) -> Retry:
    return Retry(
        attempts=entry["maxAttempts"],
        initial=_seconds(entry["initialBackoff"]),
        longest=_seconds(entry["maxBackoff"]),
        multiplier=float(entry["backoffMultiplier"]),
        codes=frozenset(grpc.StatusCode[code] for code in entry["retryableStatusCodes"]),
    )


def _seconds(duration: str) -> float:
    return float(duration.removesuffix("s"))
