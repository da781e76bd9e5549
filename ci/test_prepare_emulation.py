"""What prepare_emulation.py reckons before it fetches anything, and what it refuses."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import prepare_emulation as preparation
import pytest

LOCK = """# Made by a script.
onnx==1.0 \\
    --hash=sha256:01 \\
    --hash=sha256:02
onnxruntime==1.30.0 ; sys_platform != 'x' \\
    --hash=sha256:03 \\
    --hash=sha256:04
packaging==26.0 \\
    --hash=sha256:05
"""


def test_only_onnxruntime_is_another_one() -> None:
    replaced = f"onnxruntime=={preparation.ONNXRUNTIME} --hash=sha256:{preparation.ONNXRUNTIME_SHA256}\n"
    before, _, rest = LOCK.partition("onnxruntime")
    after = rest.partition("sha256:04\n")[2]
    assert preparation.requirements(LOCK) == before + replaced + after


@pytest.mark.parametrize("lock", ["", "onnx==1.0\n", LOCK + LOCK])
def test_a_lock_without_its_one_onnxruntime_is_refused(lock: str) -> None:
    with pytest.raises(preparation.PreparationError, match=r"has onnxruntime [02] times"):
        preparation.requirements(lock)


def test_the_lock_of_the_runner_can_be_used() -> None:
    lock = preparation.LOCK.read_text(encoding="utf-8")
    ours, theirs = preparation.requirements(lock).splitlines(), lock.splitlines()
    assert [line for line in ours if line not in theirs] == [
        f"onnxruntime=={preparation.ONNXRUNTIME} --hash=sha256:{preparation.ONNXRUNTIME_SHA256}"
    ]
    assert "onnxruntime==" not in "".join(line for line in ours if line in theirs)


def test_a_marker_tells_the_lock_and_the_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    before = preparation.stamps(b"lock").splitlines()
    assert before[0] == hashlib.sha256(b"lock").hexdigest()
    assert preparation.stamps(b"another").splitlines()[1] == before[1]
    monkeypatch.setattr(preparation, "ONNXRUNTIME_SHA256", "0" * 64)
    assert preparation.stamps(b"lock").splitlines()[0] == before[0]
    assert preparation.stamps(b"lock").splitlines()[1] != before[1]


def test_packages_come_from_the_main_source_of_the_release() -> None:
    targets = "http://security bookworm-security main\nhttp://a bookworm contrib\n\nhttp://b bookworm main\nhttp://c bookworm main\n"
    assert preparation.debian_repository(targets, "bookworm") == "http://b"
    for codename in ("trixie", ""):
        with pytest.raises(preparation.PreparationError, match="no source for main"):
            preparation.debian_repository(targets, codename)


def test_apt_is_kept_to_a_folder_of_its_own() -> None:
    options = preparation.apt_options(Path("/scratch"))
    assert options[::2] == ["-o"] * (len(options) // 2)
    places = dict(option.split("=", 1) for option in options[1::2])
    assert places["APT::Architectures"] == places["APT::Architecture"] == "arm64"
    for name, place in places.items():
        if name.startswith("Dir::"):
            assert place == "/dev/null" or Path(place).is_relative_to("/scratch"), name
    assert {"Dir::State", "Dir::State::status", "Dir::Cache", "Dir::Etc::sourcelist", "Dir::Etc::sourceparts"} <= set(
        places
    )


def test_an_unknown_processor_is_refused_with_those_that_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        preparation.main(["haswell", "z80"])
    assert ended.value.code == 2
    assert "there is no processor z80; there are haswell, nehalem, aarch64" in capsys.readouterr().err


def test_what_is_up_to_date_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / preparation.MARKER).write_text(preparation.stamps(preparation.LOCK.read_bytes()), encoding="utf-8")
    assert preparation.prepare_aarch64(tmp_path) == "up to date"
    assert [path.name for path in tmp_path.iterdir()] == [preparation.MARKER]


def test_a_command_that_fails_is_told_with_its_words() -> None:
    with pytest.raises(preparation.PreparationError) as failed:
        preparation.run(sys.executable, "-c", "import sys; print('some words', file=sys.stderr); sys.exit(7)")
    assert failed.value.args[0] == f"{sys.executable} failed (7):\nsome words"


def test_without_an_installer_it_is_said_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("platform.system", lambda: "Linux")
    assert preparation.main(["nehalem"]) == 3
    told = capsys.readouterr().err
    assert told == "error: apt-get is not on the PATH\nhint: install qemu-user with the system's package manager\n"


def test_only_linux_has_qemu_user(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert preparation.main([]) == 3
    assert capsys.readouterr().err.startswith("error: qemu-user runs on Linux alone\n")
