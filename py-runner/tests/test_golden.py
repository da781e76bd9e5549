"""The codec against golden/codec/vectors.json, which another language's codec wrote."""

import hashlib
import io
from typing import Any

import numpy as np
import pytest

from llmzip.codec.arithmetic_coder import AdaptiveBit, BitDecoder, BitEncoder
from llmzip.codec.block import candidates, choose_parameters, encode_lane
from llmzip.codec.grid import Grid, bit_cost, guard_of, offset_numerator, position, probability_table
from llmzip.codec.tree import RowTrees, tree_depth
from llmzip.compressor import CompressOptions, compress, decompress
from llmzip.container.eps import Eps
from llmzip.model.context import ContextPolicy
from llmzip.model.source import LanguageModel
from support import golden
from support.lanes import decode_lane, path_of


def check_close(found: float, bits: str, tolerance: float) -> None:
    expected = golden.f64(bits)
    assert abs(found - expected) <= tolerance * max(1.0, abs(expected))


def name(vector: Any) -> str:
    fields = ("name", "seed", "vocab_size", "cells", "block", "eps", "id")
    return "-".join(str(vector[key]) for key in fields if key in vector)


def test_the_probability_table() -> None:
    content = probability_table().astype("<u2").tobytes()
    assert hashlib.sha256(content).hexdigest() == "".join(golden.vectors("probability_table_sha256"))


def test_bit_costs() -> None:
    for vector in golden.vectors("bit_costs"):
        assert bit_cost(np.array([vector["p"]]))[0] == vector["cost"]


def test_offset_numerators() -> None:
    assert [offset_numerator(k) for k in range(64)] == golden.vectors("offset_numerators")


def test_positions() -> None:
    for vector in golden.vectors("positions"):
        assert abs(position(np.array([golden.f64(vector["v"])]))[0] - golden.f64(vector["position"])) <= 1e-15


def test_cells() -> None:
    for vector in golden.vectors("cells"):
        grid = Grid(vector["cells"], 32, Eps.parse(vector["eps"]).value)
        v, k = golden.f64(vector["v"]), vector["k"]
        assert grid.scalar_cell(v, k) == grid.cell(np.array([v]), k)[0] == vector["cell"]
        assert grid.is_safe(np.array([v]), k, grid.guard)[0] == vector["is_safe"]
        assert grid.probability(vector["cell"], k) == vector["probability"]


def test_probability_indices() -> None:
    for vector in golden.vectors("probability_indices"):
        grid = Grid(vector["cells"], 64, 0.0)
        assert grid.probability_index(vector["c"], vector["k"]) == vector["index"]
        assert grid.probability(vector["c"], vector["k"]) == vector["probability"]


def test_adaptive_bits() -> None:
    for vector in golden.vectors("adaptive_bits"):
        adaptive = AdaptiveBit()
        for bit, p in zip(vector["bits"], vector["probabilities"], strict=True):
            assert adaptive.probability() == p
            adaptive.update(int(bit))


def test_coder_streams() -> None:
    for vector in golden.vectors("coder_streams"):
        encoder = BitEncoder()
        for bit, p in zip(vector["bits"], vector["probabilities"], strict=True):
            encoder.encode(int(bit), p)
        assert encoder.finish().hex() == vector["stream"]
        decoder = BitDecoder(bytes.fromhex(vector["stream"]))
        assert "".join(str(decoder.decode(p)) for p in vector["probabilities"]) == vector["bits"]


def test_tree_depths() -> None:
    for vector in golden.vectors("tree_depths"):
        assert tree_depth(vector["vocab_size"]) == vector["depth"]


def row_of(vector: Any) -> Any:
    """The row that a vector states, `[1, V]`."""
    if "row" in vector:
        kind = ">f4" if vector["type"] == "float32" else ">f2"
        return np.frombuffer(bytes.fromhex("".join(vector["row"])), kind)[np.newaxis]
    return golden.Lcg(vector["seed"]).draw_row(vector["vocab_size"], vector["spread"])[np.newaxis]


def test_leaders() -> None:
    for vector in golden.vectors("leaders"):
        row = row_of(vector)
        found = RowTrees(*row.shape)
        found.take(row)
        assert found.leaders[0] == vector["leader"]
        assert found.leads[0] == golden.f64(vector["lead"])
        check_close(found.leader_log_odds[0], vector["leader_log_odds"], 1e-12)


def test_leads() -> None:
    for vector in golden.vectors("leads"):
        grid, lead = Grid(8, 64, Eps.parse(vector["eps"]).value), np.array([golden.f64(vector["lead"])])
        assert grid.leads(lead, vector["k"])[0] == vector["leads"]
        assert grid.leads_safely(lead, vector["k"])[0] == vector["leads_safely"]


def test_leader_guards() -> None:
    for vector in golden.vectors("leader_guards"):
        guard = Grid(8, 32, Eps.parse(vector["eps"]).value).leader_guard(np.array([golden.f64(vector["v"])]))[0]
        assert abs(guard - golden.f64(vector["leader_guard"])) <= 1e-15


def test_trees() -> None:
    for vector in golden.vectors("trees"):
        row, ids = row_of(vector), np.array([vector["id"]])
        # A guard without end asks for both trees.
        found, log_probs = path_of(row, ids, np.inf)
        odds = found.others if vector["leader_left_out"] else found.all
        assert "".join(map(str, found.bits[found.coded])) == vector["bits"]
        for v, bits in zip(odds[found.coded], vector["log_odds"], strict=True):
            check_close(v, bits, 1e-12)
        check_close(log_probs[0], vector["log_prob"], 1e-12)


def test_candidates() -> None:
    for vector in golden.vectors("parameters"):
        assert [list(each) for each in candidates(Eps.parse(vector["eps"]).value)] == vector["candidates"]


@pytest.mark.parametrize("vector", golden.vectors("lanes"), ids=name)
def test_lanes(vector: Any) -> None:
    lcg, vocab_size, eps = golden.Lcg(vector["seed"]), vector["vocab_size"], Eps.parse(vector["eps"]).value
    rows, ids = [], []
    for _ in range(vector["tokens"]):
        rows.append(lcg.draw_row(vocab_size, vector["spread"]))
        ids.append(lcg.draw_token(rows[-1]))
    lane, _ = path_of(np.array(rows), np.array(ids), guard_of(eps))
    if vector["chosen"]:
        assert choose_parameters([lane], vector["offsets"], eps) == (vector["cells"], vector["block"])
    grid = Grid(vector["cells"], vector["offsets"], eps)
    assert encode_lane(lane, grid, vector["block"]).hex() == vector["stream"]
    assert decode_lane(bytes.fromhex(vector["stream"]), np.array(rows), grid, vector["block"]) == ids


@pytest.mark.parametrize("max_batch", [None, 1, 2])
@pytest.mark.parametrize("vector", golden.vectors("containers"), ids=name)
def test_containers(vector: Any, max_batch: int | None) -> None:
    model = LanguageModel(
        golden.SyntheticModel(max_batch),
        golden.ToyTokenizer(),
        vector["model_sha256"],
        vector["tokenizer_sha256"],
        vector["fingerprint"],
    )
    policy = ContextPolicy(vector["start_token"], vector["window"], vector["overlap"])
    how = CompressOptions(Eps.parse(vector["eps"]), policy, vector["lanes"], vector["frame_bytes"])
    plain, container, back = bytes.fromhex(vector["plain"]), io.BytesIO(), io.BytesIO()
    result = compress(io.BytesIO(plain), container, model, how)
    assert container.getvalue().hex() == vector["container"]
    for field in ("plain_sha256", "stream_bytes", "tokens", "tokens_sha256"):
        assert getattr(result, field) == vector[field]
    check_close(result.entropy_bits, vector["entropy_bits"], 1e-12)
    unpacked = decompress(io.BytesIO(bytes.fromhex(vector["container"])), back, model)
    assert back.getvalue() == plain
    assert unpacked.tokens_sha256 == vector["tokens_sha256"]
