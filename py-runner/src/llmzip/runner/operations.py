"""What a runner does (PROTOCOL.md, operations). Owns the mapping of params to the library and of its answers to results.

Knows nothing of lines and streams: that is `loop`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from llmzip.compressor import CompressOptions, compress, decompress
from llmzip.compressor.frames import read_up_to
from llmzip.container.eps import Eps
from llmzip.container.layout import MAX_FRAME_BYTES, MAX_VOCAB_SIZE
from llmzip.errors import UnsupportedError, UsageError
from llmzip.files import input_file, output_file
from llmzip.logprobs import check_ids, write_log_probs
from llmzip.model.context import MAX_LANES, MAX_WINDOW, ContextPolicy, Plan
from llmzip.model.loader import LoadedModel, load_model
from llmzip.model.session import SessionOptions
from llmzip.runner.fingerprint import fingerprint
from llmzip.runner.parameters import Parameters
from llmzip.timing import time_round_trips

PROTOCOL = 1
NAME = "python"
MAX_THREADS = 1024
MAX_RUNS = 1000

Result = dict[str, Any]
Progress = Callable[[int, int], None]


class Operations:
    """The operations, and the model that is loaded."""

    def __init__(self) -> None:
        self._model: LoadedModel | None = None
        self._operations: dict[str, Callable[[Parameters, Progress], Result]] = {
            "hello": self._hello,
            "load": self._load,
            "inspect": self._inspect,
            "tokenize": self._tokenize,
            "detokenize": self._detokenize,
            "logprobs": self._logprobs,
            "compress": self._compress,
            "decompress": self._decompress,
            "bench": self._bench,
            "bye": self._bye,
        }

    def run(self, op: str, params: object, progress: Progress) -> Result:
        """Answer one request. Raises `LlmzipError`."""
        operation = self._operations.get(op)
        if operation is None:
            raise UnsupportedError(f"there is no operation {op[:40]!r}", f"use one of {', '.join(self._operations)}")
        return operation(Parameters(op, params), progress)

    def _hello(self, params: Parameters, _: Progress) -> Result:
        protocol = params.integer("protocol")
        params.check_all_asked()
        if protocol != PROTOCOL:
            raise UsageError(f"protocol {protocol} is not known", f"this runner speaks protocol {PROTOCOL}")
        return {"protocol": PROTOCOL, "name": NAME, "ops": list(self._operations), "fingerprint": fingerprint(None)}

    def _load(self, params: Parameters, _: Progress) -> Result:
        model_dir = params.path("model_dir")
        model_file = params.model_file("model_file")
        model_sha256, tokenizer_sha256 = params.sha256("model_sha256"), params.sha256("tokenizer_sha256")
        settings = SessionOptions(
            params.integer("threads", 1, MAX_THREADS), params.text("provider"), params.text("graph_optimization")
        )
        params.check_all_asked()
        # A failed load leaves no model behind that a later request could be answered with.
        self._model = None
        self._model = model = load_model(model_dir, model_file, settings, model_sha256, tokenizer_sha256)
        return {
            "model_sha256": model.model_sha256,
            "tokenizer_sha256": model.tokenizer_sha256,
            "vocab_size": model.source.vocab_size,
            "tokenizer_size": model.tokenizer.size,
            "logits_type": model.source.logits_type,
            "fingerprint": fingerprint(settings),
        }

    def _inspect(self, params: Parameters, _: Progress) -> Result:
        params.check_all_asked()
        return asdict(self._loaded().inspect())

    def _tokenize(self, params: Parameters, _: Progress) -> Result:
        text = params.text("text")
        params.check_all_asked()
        return {"ids": self._loaded().tokenizer.encode(text)}

    def _detokenize(self, params: Parameters, _: Progress) -> Result:
        ids = params.integers("ids")
        params.check_all_asked()
        tokenizer = self._loaded().tokenizer
        unknown = next((token for token in ids if not tokenizer.has(token)), None)
        if unknown is not None:
            raise UsageError(f"the tokenizer has no token of id {unknown}", "give ids that `tokenize` gave")
        return {"text": tokenizer.decode(ids)}

    def _logprobs(self, params: Parameters, progress: Progress) -> Result:
        source = self._loaded().source
        ids, policy = params.integers("ids"), self._policy(params)
        plan_params = params.object("plan")
        plan = Plan(plan_params.integer("lanes", 1, MAX_LANES), plan_params.integer("chunk", 1))
        plan_params.check_all_asked()
        logits_file, coded_file = params.path("logits_file"), params.path("coded_file")
        rows_file = params.optional_path("rows_file")
        params.check_all_asked()
        check_ids(ids, source.vocab_size)
        write_log_probs(source, policy, plan, ids, logits_file, coded_file, rows_file, progress)
        return {"rows": len(ids), "vocab_size": source.vocab_size, "logits_type": source.logits_type}

    def _compress(self, params: Parameters, progress: Progress) -> Result:
        settings = CompressOptions(
            Eps.parse(params.text("eps")),
            self._policy(params),
            params.integer("lanes", 1, MAX_LANES),
            params.integer("frame_bytes", 1, MAX_FRAME_BYTES),
        )
        input_path, output_path = params.path("input_file"), params.path("output_file")
        params.check_all_asked()
        with input_file(input_path) as plain, output_file(output_path, overwrite=True) as container:
            return asdict(compress(plain, container, self._loaded(), settings, progress))

    def _decompress(self, params: Parameters, progress: Progress) -> Result:
        input_path, output_path = params.path("input_file"), params.path("output_file")
        params.check_all_asked()
        with input_file(input_path) as container, output_file(output_path, overwrite=True) as plain:
            return asdict(decompress(container, plain, self._loaded(), progress))

    def _bench(self, params: Parameters, progress: Progress) -> Result:
        settings = CompressOptions(
            Eps.parse(params.text("eps")), self._policy(params), params.integer("lanes", 1, MAX_LANES)
        )
        runs, input_path = params.integer("runs", 1, MAX_RUNS), params.path("input_file")
        params.check_all_asked()
        with input_file(input_path) as file:
            # One byte more than can be timed, which is then refused.
            plain = read_up_to(file, MAX_FRAME_BYTES + 1)
        return asdict(time_round_trips(plain, self._loaded(), settings, runs, progress))

    def _bye(self, params: Parameters, _: Progress) -> Result:
        params.check_all_asked()
        return {}

    def _loaded(self) -> LoadedModel:
        if self._model is None:
            raise UsageError("no model is loaded", "send load first, and look at its answer")
        return self._model

    @staticmethod
    def _policy(params: Parameters) -> ContextPolicy:
        window = params.integer("window", 2, MAX_WINDOW)
        return ContextPolicy(
            params.integer("start_token", 0, MAX_VOCAB_SIZE), window, params.integer("overlap", 0, window - 1)
        )
