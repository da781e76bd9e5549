"""The CPU's features: from the file that every language reads, and from the CPU itself where that file is about another one."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys

import pytest

from llmzip.runner import cpu
from support.paths import PY_RUNNER

# A Haswell: family 6, model 60, stepping 3.
HASWELL_EAX = 0x306C3
HASWELL_INFO = "processor\t: 0\ncpu family\t: 6\nmodel\t\t: 60\nmodel name\t: Some CPU\nstepping\t: 3\nflags\t\t: fpu fma avx2 avx hle\n"
SECOND_CPU = "\nprocessor\t: 1\ncpu family\t: 6\nmodel\t\t: 1\nflags\t\t: sse4_1\n"


def leaf_of(eax: int, *active: str) -> cpu.Leaf:
    """A CPU of this signature that can use these features."""
    leaves = {index: cpu.CpuidLeaf() for index, _, _ in cpu.X86_FEATURES.values()}
    leaves[0].cpuid[0] = eax
    for name in active:
        index, register, bit = cpu.X86_FEATURES[name]
        leaves[index].active[register] |= 1 << bit
    return leaves.__getitem__


def test_features_are_those_of_the_first_processor_in_the_file() -> None:
    assert cpu.x86_features(HASWELL_INFO + SECOND_CPU, None) == ["avx", "avx2", "fma"]
    assert cpu.x86_features(HASWELL_INFO + SECOND_CPU, leaf_of(HASWELL_EAX, "sse4_2")) == ["avx", "avx2", "fma"]


def test_features_are_cpuid_s_where_the_file_is_about_another_processor() -> None:
    for eax in (HASWELL_EAX + 1, HASWELL_EAX + 0x10, HASWELL_EAX + 0x10000, HASWELL_EAX - 0x100):
        assert cpu.x86_features(HASWELL_INFO, leaf_of(eax, "sse4_2", "avx512_bf16")) == ["avx512_bf16", "sse4_2"]
    assert cpu.x86_features("", leaf_of(HASWELL_EAX, "avx2")) == ["avx2"]


def test_where_nothing_tells_there_are_none() -> None:
    assert cpu.x86_features("", None) == []
    assert cpu.x86_features("processor\t: 0\nno colon\n", None) == []
    assert cpu.arm_features(lambda _: 0) == []


@pytest.mark.parametrize(
    ("eax", "expected"),
    [
        (0x306C3, ("6", "60", "3")),
        (0x106A5, ("6", "26", "5")),
        (0xB00F21, ("26", "2", "1")),
        (0x60FB1, ("15", "107", "1")),
        (0x543, ("5", "4", "3")),
    ],
)
def test_a_signature_is_reckoned_as_linux_does(eax: int, expected: tuple[str, str, str]) -> None:
    assert cpu.signature(eax) == expected


def test_arm_features_are_bits_of_the_auxiliary_vector() -> None:
    values = {16: 1 << 1 | 1 << 20, 26: 1 << 13}
    assert cpu.arm_features(values.__getitem__) == ["asimd", "asimddp", "i8mm"]


@pytest.mark.skipif(
    platform.system() != "Linux" or platform.machine() != "x86_64",
    reason="glibc's table of CPUID is there on x86-64 Linux",
)
def test_file_and_cpuid_agree_where_both_are_of_this_processor() -> None:
    leaf = cpu._cpuid_leaf()
    if leaf is None:
        pytest.skip("this C library has no table of CPUID")
    info = cpu.CPU_INFO.read_text(encoding="ascii", errors="replace")
    assert cpu.cpuid_features(leaf) == cpu.x86_features(info, None) != []


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("Haswell", ["avx", "avx2", "f16c", "fma", "sse4_1", "sse4_2"]),
        ("Nehalem", ["sse4_1", "sse4_2"]),
    ],
)
def test_an_emulated_processor_has_its_own_features(model: str, expected: list[str]) -> None:
    emulator = shutil.which("qemu-x86_64")
    if emulator is None or platform.machine() != "x86_64":
        pytest.skip("qemu-x86_64 is not there, or this Python is not of x86-64: python3 ci/prepare_emulation.py")
    code = "import json; from llmzip.runner.cpu import cpu_features; print(json.dumps(cpu_features()))"
    environment = {**os.environ, "PYTHONPATH": str(PY_RUNNER / "src")}
    command = [emulator, "-cpu", model, sys.executable, "-c", code]
    told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    assert json.loads(told) == expected
