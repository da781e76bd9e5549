import os
import stat
import sys
from pathlib import Path

import pytest

from llmzip.errors import IoError, UsageError
from llmzip.files import input_file, output_file

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="devices, links and modes are POSIX's")


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with output_file(target, overwrite=False) as file:
        file.write(b"abc")
        assert not target.exists()
    assert target.read_bytes() == b"abc"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_of_a_block_that_fails(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"before")
    with pytest.raises(error), output_file(target, overwrite=True) as file:  # noqa: PT012 - the block is what is tested
        file.write(b"abc")
        raise error
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_is_not_replaced_unless_told(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"before")
    with pytest.raises(UsageError, match="already there"), output_file(target, overwrite=False):
        raise AssertionError("the block must not run")
    with output_file(target, overwrite=True) as file:
        file.write(b"after")
    assert target.read_bytes() == b"after"
    late = tmp_path / "late"
    with pytest.raises(UsageError, match="already there"), output_file(late, overwrite=False):
        late.write_bytes(b"by another process")
    assert late.read_bytes() == b"by another process"
    assert sorted(tmp_path.iterdir()) == [late, target]


def test_places_that_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"), output_file(tmp_path, overwrite=True):
        pass
    with pytest.raises(IoError, match="No such file"), output_file(tmp_path / "none" / "out", overwrite=True):
        pass
    (tmp_path / "file").touch()
    for unusable in (tmp_path / "file" / "out", tmp_path / ("x" * 300)):
        with pytest.raises(IoError, match="cannot write"), output_file(unusable, overwrite=True):
            pass


def test_a_name_as_long_as_the_system_allows(tmp_path: Path) -> None:
    # 255 bytes of UTF-8, but only 85 characters.
    target = tmp_path / ("\u3042" * 85)
    with output_file(target, overwrite=False) as file:
        file.write(b"abc")
    assert list(tmp_path.iterdir()) == [target]


@posix_only
def test_modes_follow_the_umask_and_links_are_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "out", tmp_path / "link"
    link.symlink_to(target)
    with output_file(link, overwrite=True) as file:
        file.write(b"abc")
    assert link.is_symlink()
    assert target.read_bytes() == b"abc"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~umask


@posix_only
def test_devices_stay_devices() -> None:
    with output_file("/dev/null", overwrite=False) as file:
        file.write(b"abc")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_an_io_error() -> None:
    with pytest.raises(IoError, match="No space left") as caught, output_file("/dev/full", overwrite=True) as file:
        file.write(b"abc")
    assert "room" in caught.value.hint


def test_a_missing_input(tmp_path: Path) -> None:
    with pytest.raises(IoError, match="cannot read"), input_file(tmp_path / "none"):
        pass
