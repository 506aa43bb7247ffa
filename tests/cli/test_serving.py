"""``marigram serve`` at a terminal: where it is, where things are, how to stop, and what to do if it cannot start."""

import socket
from pathlib import Path

from tests.cli.running import serving
from tests.cli.terminal import in_terminal


def test_it_says_where_it_listens_where_data_and_key_are_and_how_to_stop(folder: Path) -> None:
    shown = in_terminal("serve", "--data-dir", "here", "--port", "0", columns=300, interrupt_at="stop  Ctrl-C")
    assert shown.exit_code == 0
    assert "Marigram serves 127.0.0.1:" in shown.text
    assert f"data  {folder / 'here'}" in shown.text
    assert f"key   {folder / 'here' / 'admin.key'}" in shown.text


def test_a_port_that_is_taken_is_one_line_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        shown = in_terminal("serve", "--data-dir", "here", "--port", port, columns=300)
    assert shown.exit_code == 1
    (line,) = [line for line in shown.text.splitlines() if line.startswith("marigram: ")]
    assert f"port {port} of 127.0.0.1" in line
    assert "choose another with --port" in line


def test_a_directory_that_another_server_has_is_one_line_with_what_to_do(folder: Path) -> None:
    with serving(folder / "data"):
        shown = in_terminal("serve", "--data-dir", "data", "--port", "0", columns=300)
    assert shown.exit_code == 1
    (line,) = [line for line in shown.text.splitlines() if line.startswith("marigram: ")]
    assert "stop the other server, or serve another directory with --data-dir" in line
