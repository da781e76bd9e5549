"""Which instruction sets this process has (PROTOCOL.md, cpu_features). Owns where that is asked for; nothing decides by it.

On x86 Linux it is `/proc/cpuinfo`, which every language reads. An emulator of user processes (qemu-user) passes the host's file on, though:
where the file tells of another processor than CPUID does, CPUID is right. On 64-bit Arm it is the auxiliary vector, from which the
kernel makes that file, and which an emulator makes anew.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable, Mapping
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")

# Those of which ONNX Runtime's kernels take note, under Linux's names: leaf of glibc's table, register (eax .. edx), bit.
_LEAF_1, _LEAF_7, _LEAF_7_1 = 0, 1, 6
X86_FEATURES: Mapping[str, tuple[int, int, int]] = {
    "sse4_1": (_LEAF_1, 2, 19),
    "sse4_2": (_LEAF_1, 2, 20),
    "avx": (_LEAF_1, 2, 28),
    "f16c": (_LEAF_1, 2, 29),
    "fma": (_LEAF_1, 2, 12),
    "avx2": (_LEAF_7, 1, 5),
    "avx512f": (_LEAF_7, 1, 16),
    "avx512dq": (_LEAF_7, 1, 17),
    "avx512bw": (_LEAF_7, 1, 30),
    "avx512vl": (_LEAF_7, 1, 31),
    "avx512_vnni": (_LEAF_7, 2, 11),
    "amx_bf16": (_LEAF_7, 3, 22),
    "avx512_fp16": (_LEAF_7, 3, 23),
    "amx_tile": (_LEAF_7, 3, 24),
    "amx_int8": (_LEAF_7, 3, 25),
    "avx_vnni": (_LEAF_7_1, 0, 4),
    "avx512_bf16": (_LEAF_7_1, 0, 5),
}

# Entry of the auxiliary vector, bit.
_HWCAP, _HWCAP2 = 16, 26
ARM_FEATURES: Mapping[str, tuple[int, int]] = {
    "asimd": (_HWCAP, 1),
    "asimdhp": (_HWCAP, 10),
    "asimddp": (_HWCAP, 20),
    "sve": (_HWCAP, 22),
    "asimdfhm": (_HWCAP, 23),
    "sve2": (_HWCAP2, 1),
    "i8mm": (_HWCAP2, 13),
    "bf16": (_HWCAP2, 14),
    "sme": (_HWCAP2, 23),
}


class CpuidLeaf(ctypes.Structure):
    """A leaf of glibc's table (`struct cpuid_feature` of sys/platform/x86.h): what CPUID says, and what of it can be used."""

    _fields_ = (("cpuid", ctypes.c_uint32 * 4), ("active", ctypes.c_uint32 * 4))


Leaf = Callable[[int], CpuidLeaf]


def cpu_features() -> list[str]:
    """Names of the CPU's features that matter, sorted; empty where the system does not tell."""
    if platform.system() != "Linux":
        return []
    if platform.machine() == "aarch64":
        return arm_features(_auxiliary_value)
    try:
        cpu_info = CPU_INFO.read_text(encoding="ascii", errors="replace")
    except OSError:
        cpu_info = ""
    return x86_features(cpu_info, _cpuid_leaf())


def x86_features(cpu_info: str, leaf: Leaf | None) -> list[str]:
    """Of the first processor in a `/proc/cpuinfo`, or of CPUID where that tells of another one; `leaf` is None where it cannot be asked."""
    fields: dict[str, str] = {}
    for line in cpu_info.splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    if leaf is None or signature(leaf(_LEAF_1).cpuid[0]) == tuple(
        fields.get(name) for name in ("cpu family", "model", "stepping")
    ):
        return sorted(X86_FEATURES.keys() & fields.get("flags", "").split())
    return cpuid_features(leaf)


def cpuid_features(leaf: Leaf) -> list[str]:
    """What CPUID says and the system lets a process use, sorted."""
    return sorted(
        name for name, (index, register, bit) in X86_FEATURES.items() if leaf(index).active[register] >> bit & 1
    )


def signature(eax: int) -> tuple[str, str, str]:
    """Family, model and stepping as Linux reckons them from EAX of CPUID's leaf 1."""
    family, model, stepping = eax >> 8 & 0xF, eax >> 4 & 0xF, eax & 0xF
    if family in (0x6, 0xF):
        model |= eax >> 12 & 0xF0
    if family == 0xF:
        family += eax >> 20 & 0xFF
    return str(family), str(model), str(stepping)


def arm_features(auxiliary_value: Callable[[int], int]) -> list[str]:
    """What the auxiliary vector says, sorted."""
    return sorted(name for name, (entry, bit) in ARM_FEATURES.items() if auxiliary_value(entry) >> bit & 1)


def _cpuid_leaf() -> Leaf | None:
    """The table that glibc has of CPUID; None with another C library, and before glibc 2.33."""
    try:
        leaf = ctypes.CDLL(None).__x86_get_cpuid_feature_leaf
    except AttributeError:
        return None
    leaf.argtypes, leaf.restype = [ctypes.c_uint], ctypes.POINTER(CpuidLeaf)
    return lambda index: leaf(index).contents


def _auxiliary_value(entry: int) -> int:
    """A value of the auxiliary vector; 0 where it is not there."""
    try:
        getauxval = ctypes.CDLL(None).getauxval
    except AttributeError:
        return 0
    getauxval.argtypes, getauxval.restype = [ctypes.c_ulong], ctypes.c_ulong
    return int(getauxval(entry))
