"""``marigram key`` and ``marigram namespace``."""

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cli.running import Served, run
from tests.cli.terminal import in_terminal


def keys(*options: str) -> dict[str, dict[str, Any]]:
    return {key["id"]: key for key in json.loads(run("key", "list", "-o", "json", *options).stdout)}


def test_a_new_key_is_the_secret_alone_on_standard_output(served: Served) -> None:
    result = run("key", "create", "viewer", "ingest:write", "--name", "agent")
    assert result.exit_code == 0, result.output
    secret = result.stdout.removesuffix("\n")
    assert "\n" not in secret
    assert secret.startswith("mg_")
    assert secret not in result.stderr
    assert "until it is revoked: ingest:write, live:read, query:read, status:read" in result.stderr
    assert keys()[secret.split("_")[1]]["display_name"] == "agent"


def test_a_new_key_works_and_a_revoked_one_no_more(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = run("key", "create", "viewer").stdout.strip()
    monkeypatch.setenv("MARIGRAM_KEY", secret)
    assert run("status").exit_code == 0
    assert run("key", "list").exit_code == 4
    monkeypatch.setenv("MARIGRAM_KEY", served.key)
    assert run("key", "revoke", secret.split("_")[1], "--yes").exit_code == 0
    monkeypatch.setenv("MARIGRAM_KEY", secret)
    assert run("status").exit_code == 4


@pytest.mark.parametrize(("text", "days"), [("30d", 30), ("2w", 14), ("36h", 1.5)])
def test_a_key_ends_after_the_length_of_time_that_is_said(served: Served, text: str, days: float) -> None:
    key_id = run("key", "create", "viewer", "--expires", text).stdout.split("_")[1]
    ends = datetime.fromisoformat(keys()[key_id]["expire_time"])
    assert abs(ends - datetime.now(UTC) - timedelta(days=days)) < timedelta(minutes=5)


def test_a_key_ends_at_the_instant_that_is_said(served: Served) -> None:
    key_id = run("key", "create", "viewer", "--expires", "2199-01-01").stdout.split("_")[1]
    assert keys()[key_id]["expire_time"] == "2199-01-01T00:00:00+00:00"
    assert "active until 2199-01-01T00:00:00Z" in run("key", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["viewer", "--expires", "soon"], "expires must be as 2013-01-01"),
        (["everything"], "SCOPE_UNKNOWN"),
        (["viewer", "--expires", "2001-01-01"], "BAD_EXPIRE_TIME"),
    ],
)
def test_a_key_is_not_made_of_wrong_words(served: Served, arguments: list[str], said: str) -> None:
    result = run("key", "create", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_a_list_says_which_keys_are_revoked(served: Served) -> None:
    key_id = run("key", "create", "viewer").stdout.split("_")[1]
    run("key", "revoke", key_id, "--yes")
    (line,) = [line for line in run("key", "list").stdout.splitlines() if key_id in line]
    assert "revoked 20" in line


def test_revoking_asks_first(served: Served) -> None:
    key_id = run("key", "create", "viewer").stdout.split("_")[1]
    assert run("key", "revoke", key_id).exit_code == 2
    assert in_terminal("key", "revoke", key_id, typed=("for ever?", b"\n")).exit_code == 1
    assert keys()[key_id]["revoke_time"] is None


def test_a_namespace_has_keys_of_its_own(served: Served) -> None:
    name = f"n{secrets.token_hex(4)}"
    made = run("namespace", "create", name, "--description", "the site", "--forbid-stream-creation")
    assert made.exit_code == 0, made.output
    assert f"`marigram key create admin --namespace {name}`" in made.stderr
    found = {one["name"]: one for one in json.loads(run("namespace", "list", "-o", "json").stdout)}
    assert (found[name]["description"], found[name]["forbid_stream_creation"]) == ("the site", True)
    assert "made by hand" in run("namespace", "list").stdout
    key_id = run("key", "create", "viewer", "--namespace", name).stdout.split("_")[1]
    assert list(keys("--namespace", name)) == [key_id]
    assert key_id not in keys()
