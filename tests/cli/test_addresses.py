"""Where ``fgcompile serve`` is told to listen and cannot, said in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.results import Run, assert_one_line_error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "99999"], "--port 99999 is no port: give 1 to 65535"),
        (["--grpc-port", "0"], "--grpc-port 0 is no port"),
        (["--port", "8095", "--grpc-port", "8095"], "--port and --grpc-port are both 8095: REST and gRPC take one"),
        (["--host", "no-such-host.invalid"], "of no-such-host.invalid: there is no such host; give --host a name"),
        (["--host", "203.0.113.7"], "of 203.0.113.7 (cannot assign requested address): give --host a name"),
    ],
)
def test_addresses_that_cannot_be_are_refused_in_one_line(
    run: Run, options: list[str], message: str, tiny: Path
) -> None:
    result = run("serve", tiny, *options)
    assert_one_line_error(result, message)
    assert "Errno" not in result.err
