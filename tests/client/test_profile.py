"""Where the client finds its server and its key."""

from pathlib import Path

import pytest

from marigram_client.errors import InvalidArgument
from marigram_client.profile import Target, find


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ADDRESS", "KEY", "PROFILE"):
        monkeypatch.delenv(f"MARIGRAM_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put_profiles(folder: Path, text: str) -> None:
    file = folder / "config/marigram/profiles.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text)


def put_key_file(folder: Path) -> None:
    (folder / "marigram-data").mkdir()
    (folder / "marigram-data/admin.key").write_text("local-key\n")


def test_without_anything_it_is_the_local_server_and_no_key() -> None:
    assert find() == Target("127.0.0.1:4774", None)


def test_the_key_file_of_a_local_data_directory_is_found(folder: Path) -> None:
    put_key_file(folder)
    assert find() == Target("127.0.0.1:4774", "local-key")
    assert find("localhost:1").key == "local-key"


def test_the_key_file_is_never_shown_to_another_machine(folder: Path) -> None:
    put_key_file(folder)
    assert find("analytics.example.org:4774").key is None


def test_the_profile_beats_the_key_file(folder: Path) -> None:
    put_key_file(folder)
    put_profiles(folder, '[default]\naddress = "127.0.0.1:9"\nkey = "profile-key"\n')
    assert find() == Target("127.0.0.1:9", "profile-key")


def test_the_environment_beats_the_profile(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_profiles(folder, '[default]\nkey = "profile-key"\n')
    monkeypatch.setenv("MARIGRAM_KEY", "environment-key")
    monkeypatch.setenv("MARIGRAM_ADDRESS", "10.0.0.1:1")
    assert find() == Target("10.0.0.1:1", "environment-key")


def test_the_argument_beats_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARIGRAM_KEY", "environment-key")
    assert find("10.0.0.2:2", "argument-key") == Target("10.0.0.2:2", "argument-key")


def test_the_key_of_a_profile_goes_to_its_own_address_only(folder: Path) -> None:
    put_profiles(folder, '[work]\naddress = "10.0.0.1:1"\nkey = "work-key"\n')
    assert find(profile="work") == Target("10.0.0.1:1", "work-key")
    assert find("10.0.0.2:2", profile="work").key is None


@pytest.mark.parametrize("text", ["[work]\nkey = 5", "[work]\nsecret = 'x'", "[work", "[default]\n", "work = 3"])
def test_a_profile_that_cannot_be_read_is_refused_by_name(folder: Path, text: str) -> None:
    put_profiles(folder, text)
    with pytest.raises(InvalidArgument):
        find(profile="work")


def test_a_key_is_not_shown_when_a_target_is_printed() -> None:
    assert "secret" not in repr(find("a:1", "secret"))
