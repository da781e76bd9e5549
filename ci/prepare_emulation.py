"""Gets what `conform --emulate` needs: qemu-user, and for 64-bit Arm a Python of that architecture with the runner's packages.

Owns `.llmzip/emulation`, and which packages lie there. On the machine itself it installs nothing but the package qemu-user, and that only
where it is missing. Standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "py-runner" / "requirements.lock"
PRIVATE = ROOT / ".llmzip"
# The harness looks for the lock's SHA-256 in it: harness/src/setup/environment.rs.
MARKER = ".llmzip-lock"

# The processors of harness/src/setup/emulation.rs, with the emulator of each.
EMULATORS = {"haswell": "qemu-x86_64", "nehalem": "qemu-x86_64", "aarch64": "qemu-aarch64"}
DEFAULT = ["haswell", "nehalem"]

# The Debian release whose Python the wheels are for, and what of it that Python and the wheels need besides what apt adds.
RELEASE = "bookworm"
PYTHON = "python3.11"
DEBIAN_PACKAGES = [f"{PYTHON}-minimal", f"lib{PYTHON}-stdlib", "libstdc++6"]
WHEEL_PLATFORM = "aarch64-manylinux_2_28"
# In the place of the lock's, whose wheel for 64-bit Arm crashes in that release's qemu 7.2.
ONNXRUNTIME = "1.24.4"
ONNXRUNTIME_SHA256 = "046ff290045a387676941a02a8ae5c3ebec6b4f551ae228711968c4a69d8f6b7"
TRIAL = "import numpy, onnx, onnxruntime, tokenizers, transformers as t; t.PreTrainedTokenizerFast; print(onnxruntime.__version__)"

QUOTED_LINES = 15


class PreparationError(Exception):
    """Something that is needed cannot be had; the second argument says what to do."""


def run(*words: str | Path, environment: dict[str, str] | None = None) -> str:
    """What a command prints. Raises `PreparationError` with the end of its words when it fails."""
    command = [str(word) for word in words]
    ended = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, **(environment or {})},
    )
    if ended.returncode != 0:
        end = "\n".join((ended.stdout + ended.stderr).splitlines()[-QUOTED_LINES:])
        raise PreparationError(
            f"{command[0]} failed ({ended.returncode}):\n{end}",
            "the package registries are needed once; check the network and run this again",
        )
    return ended.stdout


def find(tool: str, hint: str) -> str:
    """A program on the PATH. Raises `PreparationError`."""
    path = shutil.which(tool)
    if path is None:
        raise PreparationError(f"{tool} is not on the PATH", hint)
    return path


def prepare_emulator(emulator: str) -> str:
    """Install qemu-user where the emulator is missing; what became of it."""
    done = "there"
    if shutil.which(emulator) is None:
        by_hand = "install qemu-user with the system's package manager"
        apt = find("apt-get", by_hand)
        if sys.platform == "win32" or os.geteuid() != 0:
            raise PreparationError(f"{emulator} is not on the PATH, and only root can install it", by_hand)
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        run(apt, "update", "--quiet", environment=quiet)
        run(apt, "install", "--yes", "--quiet", "--no-install-recommends", "qemu-user", environment=quiet)
        done = "installed"
    version = run(find(emulator, "see what the package qemu-user holds"), "--version").splitlines()[0]
    return f"{done}, {version}"


def debian_repository(targets: str, codename: str) -> str:
    """The address of Debian's packages among apt's sources, from lines `ADDRESS RELEASE COMPONENT`. Raises `PreparationError`."""
    for target in targets.splitlines():
        match target.split():
            case [address, release, "main"] if release == codename:
                return address
    raise PreparationError(
        f"apt has no source for main of {codename}", "add Debian's own packages to apt's sources, and run this again"
    )


def apt_options(folder: Path) -> list[str]:
    """Options of an apt that knows 64-bit Arm alone, thinks that nothing is installed, and keeps to `folder`."""
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        # The folder need not be readable for others, so apt cannot become another user.
        "APT::Sandbox::User": "root",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "Acquire::Languages": "none",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "status",
    }
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]


def requirements(lock: str) -> str:
    """The lock with the onnxruntime that runs under the emulator. Raises `PreparationError`."""
    entry = re.compile(r"^onnxruntime==.*(?:\n[ \t].*)*", re.MULTILINE)
    replaced, count = entry.subn(f"onnxruntime=={ONNXRUNTIME} --hash=sha256:{ONNXRUNTIME_SHA256}", lock)
    if count != 1:
        raise PreparationError(f"{LOCK.name} has onnxruntime {count} times", "remake it with py-runner/make_locks.py")
    return replaced


def stamps(lock: bytes) -> str:
    """What the marker says of a folder that was made from this lock and the versions above: the lock's SHA-256, and theirs."""
    own = "\n".join([RELEASE, WHEEL_PLATFORM, ONNXRUNTIME_SHA256, *DEBIAN_PACKAGES])
    return f"{hashlib.sha256(lock).hexdigest()}\n{hashlib.sha256(own.encode()).hexdigest()}\n"


def unpack_debian(root: Path, scratch: Path) -> int:
    """Unpack Python and what it needs into `root`, with an apt of its own; the number of packages."""
    system = platform.freedesktop_os_release()
    if system.get("ID") != "debian":
        raise PreparationError(
            f"the Python of aarch64 comes from Debian's packages, and this is {system.get('PRETTY_NAME', 'another system')}",
            "run this on Debian, or leave aarch64 out",
        )
    apt = find("apt-get", "it is part of Debian")
    form = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    targets = run(apt, "indextargets", "--no-release-info", "--format", form, "Created-By: Packages")
    address = debian_repository(targets, system.get("VERSION_CODENAME", ""))
    for folder in (scratch / "state" / "lists" / "partial", scratch / "cache" / "archives" / "partial"):
        folder.mkdir(parents=True)
    (scratch / "status").touch()
    key = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (scratch / "sources.list").write_text(f"deb [signed-by={key}] {address} {RELEASE} main\n", encoding="utf-8")
    options = apt_options(scratch)
    run(apt, *options, "update", "--quiet")
    download = ["install", "--download-only", "--yes", "--quiet", "--no-install-recommends"]
    run(apt, *options, *download, *DEBIAN_PACKAGES)
    packages = sorted((scratch / "cache" / "archives").glob("*.deb"))
    for package in packages:
        run("dpkg-deb", "--extract", package, root)
    return len(packages)


def install_wheels(packages: Path, scratch: Path) -> int:
    """Install the runner's packages for 64-bit Arm into `packages`; their number."""
    private = PRIVATE / "uv" / "bin" / "uv"
    uv = str(private) if private.is_file() else find("uv", "run `cargo run -- setup` first, which gets it")
    wanted = scratch / "requirements.txt"
    wanted.write_text(requirements(LOCK.read_text(encoding="utf-8")), encoding="utf-8")
    for_arm: list[str | Path] = ["--python-platform", WHEEL_PLATFORM, "--python-version", PYTHON.removeprefix("python")]
    exactly: list[str | Path] = ["--only-binary", ":all:", "--no-deps", "--require-hashes", "--requirement", wanted]
    run(uv, "pip", "install", "--quiet", "--target", packages, *for_arm, *exactly)
    return len(list(packages.glob("*.dist-info")))


def prepare_aarch64(folder: Path) -> str:
    """Make the Python of 64-bit Arm in `folder` where it is missing or out of date; what became of it."""
    lock = LOCK.read_bytes()
    marker = folder / MARKER
    if marker.is_file() and marker.read_text(encoding="utf-8") == stamps(lock):
        return "up to date"
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    root, packages, scratch = (unfinished / name for name in ("root", "packages", "scratch"))
    scratch.mkdir(parents=True)
    unpacked = unpack_debian(root, scratch)
    installed = install_wheels(packages, scratch)
    # Also compiles what is imported, which takes an emulator long.
    trial: list[str | Path] = ["-U", "PYTHONDONTWRITEBYTECODE", "-L", root, root / "usr" / "bin" / PYTHON, "-c", TRIAL]
    version = run(EMULATORS["aarch64"], *trial, environment={"PYTHONPATH": str(packages)}).strip()
    if version != ONNXRUNTIME:
        raise PreparationError(f"the emulated Python has onnxruntime {version!r}, not {ONNXRUNTIME}", "run this again")
    shutil.rmtree(scratch)
    (unfinished / MARKER).write_text(stamps(lock), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return f"made of {unpacked} Debian packages and {installed} wheels, onnxruntime {version}"


def main(arguments: list[str] | None = None) -> int:
    """Prepare the processors that are named, and say what was done; gives the exit code."""
    parser = argparse.ArgumentParser(description="Get what `conform --emulate` needs.")
    parser.add_argument("cpus", nargs="*", metavar="CPU", help=f"{', '.join(EMULATORS)} [default: {' '.join(DEFAULT)}]")
    cpus = parser.parse_args(arguments).cpus or DEFAULT
    unknown = [cpu for cpu in cpus if cpu not in EMULATORS]
    if unknown:
        parser.error(f"there is no processor {unknown[0]}; there are {', '.join(EMULATORS)}")
    try:
        if platform.system() != "Linux":
            raise PreparationError("qemu-user runs on Linux alone", "run this on Linux")
        for emulator in dict.fromkeys(EMULATORS[cpu] for cpu in cpus):
            print(f"{emulator}: {prepare_emulator(emulator)}", flush=True)
        if "aarch64" in cpus:
            folder = PRIVATE / "emulation" / "aarch64"
            print(f"{folder.relative_to(ROOT)}: {prepare_aarch64(folder)}", flush=True)
    except PreparationError as error:
        message, hint = error.args
        print(f"error: {message}\nhint: {hint}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
