import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.paths import PY_RUNNER

SWALLOW = """
import os, signal, sys
from llmzip import cli
import llmzip.compressor
real = llmzip.compressor.compress
def swallowing(*arguments):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        while True:
            pass
    except BaseException:
        sys.stderr.write("swallowed\\n")
    return real(*arguments)
llmzip.compressor.compress = swallowing
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_an_interruption_that_a_library_swallows_is_not_lost(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("\n".join(map(str, range(100))))
    command = [sys.executable, "-c", SWALLOW, "compress", str(plain), "-o", str(tmp_path / "out")]
    environment = os.environ | {"PYTHONPATH": str(PY_RUNNER / "src")}
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "swallowed" in shown.stderr
    assert "error[interrupted]" in shown.stderr
    assert shown.returncode == 130
    assert list(tmp_path.iterdir()) == [plain]
