"""MatMulNBits in the place of a product. Owns that node, and how nodes are named after what they were."""

import onnx
from onnx import helper

from .stored import StoredBlocks

MICROSOFT = "com.microsoft"


def multiply(node: onnx.NodeProto, weight: StoredBlocks, outputs: set[str]) -> list[onnx.NodeProto]:
    """What stands for a MatMul or Gemm whose constant matrix is `weight`. `outputs` are the graph's, which keep their names.

    The product comes first; a Gemm's third input follows as an Add, since not every runtime's MatMulNBits takes one.
    """
    name = renamed(node, "MatMulNBits")
    result = node.output[0] if node.output[0] in outputs else renamed_output(node, name)
    term = node.input[2] if node.op_type == "Gemm" and len(node.input) > 2 else ""
    product = helper.make_node(
        "MatMulNBits",
        [node.input[0], *weight.names],
        [f"{name}/product" if term else result],
        name=name,
        domain=MICROSOFT,
        K=weight.columns,
        N=weight.rows,
        bits=weight.bits,
        block_size=weight.block,
    )
    if not term:
        return [product]
    return [product, helper.make_node("Add", [product.output[0], term], [result], name=f"{name}/Add")]


def renamed(node: onnx.NodeProto, op: str) -> str:
    """The name of what stands for `node`: its op's name at the end becomes the new op's."""
    if node.name.endswith(node.op_type):
        return node.name.removesuffix(node.op_type) + op
    return f"{node.name}/{op}" if node.name else f"{node.output[0]}/{op}"


def renamed_output(node: onnx.NodeProto, name: str) -> str:
    """The name of the first output of what stands for `node`: it follows the node's name where it did before."""
    output: str = node.output[0]
    if node.name and output.startswith(f"{node.name}/"):
        return name + output.removeprefix(node.name)
    return output
