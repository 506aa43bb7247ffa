"""Settings: a flag beats the environment, which beats the file, which beats the default."""

from pathlib import Path
from typing import Any

import pytest

from marigram.config import load
from marigram.rpc.server import channel_options


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "marigram.toml"
    path.write_text("port = 1\nhost = '::1'\nquery_seconds = 5\n")
    return path


def test_defaults() -> None:
    found = load({}, environment={})
    assert (str(found.data_dir), found.host, found.port, found.reflection) == (
        "marigram-data",
        "127.0.0.1",
        4774,
        False,
    )
    assert found.max_message_bytes == 16 * 2**20
    assert found.sealing
    assert found.engine_options()["seals"]
    assert "footer_bytes" not in found.engine_options()


def test_sealing_and_the_memory_of_footers_reach_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARIGRAM_SEALING", "false")
    found = load({"footer_bytes": 1 << 20})
    assert (found.engine_options()["seals"], found.engine_options()["footer_bytes"]) == (False, 1 << 20)


def test_flag_environment_file_default(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARIGRAM_PORT", "2")
    monkeypatch.setenv("MARIGRAM_QUERY_SECONDS", "6")
    found = load({"port": 3, "host": None}, file)
    assert (found.port, found.query_seconds, found.host, found.unary_seconds) == (3, 6, "::1", 30)


def test_an_unknown_key_is_refused_wherever_it_stands(file: Path) -> None:
    with pytest.raises(ValueError, match="MARIGRAM_PRT is no setting"):
        load({}, environment={"MARIGRAM_PRT": "1"})
    with pytest.raises(ValueError, match="prt"):
        load({"prt": 1}, environment={})
    file.write_text("prt = 1\n")
    with pytest.raises(ValueError, match="prt in the settings file is no setting"):
        load({}, file, environment={})


def test_what_belongs_to_clients_is_let_be() -> None:
    load({}, environment={"MARIGRAM_KEY": "mg_0_0", "MARIGRAM_ADDRESS": "localhost:1", "HOME": "x"})


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ({"port": 65_536}, "port"),
        ({"port": "many"}, "port"),
        ({"max_message_bytes": 65 * 2**20}, "max_message_bytes"),
        ({"log_level": "loud"}, "log_level"),
        ({"sealing": "perhaps"}, "sealing"),
        ({"footer_bytes": 2**40}, "footer_bytes"),
        ({"host": "0.0.0.0"}, "host"),
    ],
)
def test_a_value_that_breaks_a_rule_is_named(flags: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        load(flags, environment={})


def test_keys_travel_readable_only_where_that_is_accepted() -> None:
    assert load({"host": "0.0.0.0", "allow_plaintext": True}, environment={}).host == "0.0.0.0"


def test_a_broken_file_is_named(file: Path) -> None:
    file.write_text("port = ")
    with pytest.raises(ValueError, match=r"marigram\.toml"):
        load({}, file, environment={})


def test_grpc_is_told_every_limit_and_shares_no_port() -> None:
    options = channel_options(load({"max_calls": 10}, environment={}))
    assert options["grpc.so_reuseport"] == 0
    assert options["grpc.max_receive_message_length"] == options["grpc.max_send_message_length"] == 16 * 2**20
    assert options["grpc.server.max_pending_requests"] > 10
    assert options["grpc.server.max_pending_requests_hard_limit"] > options["grpc.server.max_pending_requests"]
