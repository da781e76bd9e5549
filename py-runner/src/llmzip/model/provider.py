"""The execution providers: their names, whether the installed build has one, and the proof that it took part.

Owns the choice of what ONNX Runtime runs a graph on; knows no graph. The names are there without the library, which is slow to import.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from llmzip.errors import UnsupportedError

if TYPE_CHECKING:
    import onnxruntime

CPU = "cpu"
# By the name here, on every command line and in the protocol: the name in ONNX Runtime. Which of them there are is the build's, and the
# machine's.
PROVIDERS = {
    CPU: "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "dml": "DmlExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "qnn": "QNNExecutionProvider",
    "webgpu": "WebGpuExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
}
# Makes a session keep which provider was given which node.
RECORD_ASSIGNMENT = "session.record_ep_graph_assignment_info"
USE_CPU = "use the provider cpu, or a machine and a graph that the provider can serve"


def check_provider(name: str) -> None:
    """Raise `UnsupportedError` for a provider that is none, or that the installed build of ONNX Runtime lacks."""
    import onnxruntime  # noqa: PLC0415

    if name not in PROVIDERS:
        raise UnsupportedError(f'there is no execution provider "{name}"', f"use one of {', '.join(PROVIDERS)}")
    if PROVIDERS[name] not in onnxruntime.get_available_providers():
        raise UnsupportedError(
            f"the execution provider {name} is not in this build of ONNX Runtime",
            "use the provider cpu, or install the package of ONNX Runtime that has it",
        )


def open_session(content: bytes, options: onnxruntime.SessionOptions, name: str) -> onnxruntime.InferenceSession:
    """Make a session on a provider that `check_provider` let pass; `options` are changed.

    Raises `UnsupportedError` when the provider cannot be used, or when ONNX Runtime gave it nothing to do; what the CPU cannot load is
    the runtime's own error.
    """
    import onnxruntime  # noqa: PLC0415

    if name == CPU:
        return onnxruntime.InferenceSession(content, options, providers=[PROVIDERS[CPU]])
    options.add_session_config_entry(RECORD_ASSIGNMENT, "1")
    try:
        session = onnxruntime.InferenceSession(content, options, providers=[PROVIDERS[name], PROVIDERS[CPU]])
    except Exception as error:
        raise UnsupportedError(f"the execution provider {name} cannot be used here: {error}", USE_CPU) from error
    check_took_part(name, assigned_nodes(session))
    return session


def assigned_nodes(session: onnxruntime.InferenceSession) -> dict[str, int]:
    """How many nodes of its graph a session gave each provider, by the provider's name in ONNX Runtime.

    The session must have been made with `RECORD_ASSIGNMENT`.
    """
    nodes: dict[str, int] = {}
    for subgraph in session.get_provider_graph_assignment_info():
        nodes[subgraph.ep_name] = nodes.get(subgraph.ep_name, 0) + len(subgraph.get_nodes())
    return nodes


def check_took_part(name: str, nodes: Mapping[str, int]) -> None:
    """Raise `UnsupportedError` where a provider was given no node: ONNX Runtime says nothing of itself when the CPU does all."""
    if not nodes.get(PROVIDERS[name]):
        raise UnsupportedError(
            f"ONNX Runtime gave none of the graph's {sum(nodes.values())} nodes to the execution provider {name}: "
            "it fell back to the CPU",
            USE_CPU,
        )
