"""The protocol's lines (PROTOCOL.md): requests from stdin, replies to what was stdout.

Owns the streams and the form of messages; what a request means is `operations`'.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from typing import Any, BinaryIO

from llmzip.errors import InternalError, InterruptedByUserError, LlmzipError, UsageError
from llmzip.files import standard_input, standard_output
from llmzip.runner.line_json import MAX_WHOLE, parse_line
from llmzip.signals import Interruption, check_interruption, interrupt_when_asked

# Without the end of the line.
MAX_LINE = 64 << 20
PROGRESS_SECONDS = 0.25
# The id of a reply to a line whose own id cannot be read.
NO_ID = 0
FORM_HINT = 'send one JSON object a line: {"id": 1, "op": "hello", "params": {"protocol": 1}}'


def claim_stdout() -> BinaryIO:
    """Point the process's stdout at stderr; the stream that stdout was is the caller's alone. Raises `IoError`."""
    standard_output().flush()
    replies = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(replies, "wb")


def serve(requests: BinaryIO, replies: BinaryIO) -> int:
    """Answer requests until `bye` or the end of the stream; the exit code."""
    # Only now, so that whatever a library prints while it loads cannot reach the replies.
    from llmzip.runner.operations import Operations  # noqa: PLC0415

    operations = Operations()
    while line := requests.readline(MAX_LINE + 1):
        request_id = NO_ID
        try:
            if len(line) > MAX_LINE and not line.endswith(b"\n"):
                _skip_line(requests, line)
                raise UsageError(f"a line has more than {MAX_LINE} bytes", FORM_HINT)
            request = _parse(line)
            request_id = _id(request)
            op = request.get("op")
            if not isinstance(op, str) or set(request) - {"id", "op", "params"}:
                raise UsageError("a request is not of the form id, op, params", FORM_HINT)
            result = operations.run(op, request.get("params", {}), _Progress(replies, request_id))
            reply: dict[str, Any] = {"id": request_id, "result": result}
        except LlmzipError as error:
            check_interruption()
            op = None
            reply = _error(request_id, error)
        except Exception as error:  # a defect must not end the runner, the next request may work
            check_interruption()
            traceback.print_exc(file=sys.stderr)
            op = None
            reply = _error(request_id, InternalError(f"{type(error).__name__}: {error}"))
        _send(replies, reply)
        if op == "bye":
            break
    return 0


def main() -> int:
    """Be a runner on stdin and stdout; the exit code. Raises `IoError` when one of them is closed."""
    requests = standard_input()
    replies = claim_stdout()
    interrupt_when_asked()
    try:
        return serve(requests, replies)
    except (Interruption, KeyboardInterrupt):
        return InterruptedByUserError.exit_code
    except BrokenPipeError:
        sys.stderr.write("the reader of the replies is gone\n")
        return 1
    finally:
        _close(replies)


class _Progress:
    """Sends progress, but not more often than is useful; the first at once."""

    def __init__(self, replies: BinaryIO, request_id: int) -> None:
        self._replies = replies
        self._id = request_id
        self._next = 0.0

    def __call__(self, done: int, total: int) -> None:
        check_interruption()
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PROGRESS_SECONDS
            _send(self._replies, {"id": self._id, "progress": {"done": done, "total": total}})


def _parse(line: bytes) -> dict[str, Any]:
    try:
        request = parse_line(line)
    except ValueError as error:
        raise UsageError(f"a line is not JSON: {error}", FORM_HINT) from None
    if not isinstance(request, dict):
        raise UsageError("a line is not a JSON object", FORM_HINT)
    return request


def _id(request: dict[str, Any]) -> int:
    request_id = request.get("id")
    if not isinstance(request_id, int) or isinstance(request_id, bool) or not 0 <= request_id <= MAX_WHOLE:
        raise UsageError("a request has no id, or one that is not a whole number", FORM_HINT)
    return request_id


def _skip_line(requests: BinaryIO, line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = requests.readline(MAX_LINE)


def _error(request_id: int, error: LlmzipError) -> dict[str, Any]:
    return {"id": request_id, "error": {"code": error.code, "message": error.message, "hint": error.hint}}


def _send(replies: BinaryIO, reply: dict[str, Any]) -> None:
    line = json.dumps(reply, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8") + b"\n"
    if len(line) - 1 > MAX_LINE:
        line = (
            json.dumps(
                _error(
                    reply["id"],
                    UsageError(f"the reply has {len(line) - 1} bytes, more than a line may", "ask for less at once"),
                )
            ).encode("ascii")
            + b"\n"
        )
    replies.write(line)
    replies.flush()


def _close(replies: BinaryIO) -> None:
    try:
        replies.close()
    except BrokenPipeError:
        # Nobody reads any more; there is nothing left to tell.
        return
