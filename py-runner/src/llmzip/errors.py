"""Everything that can go wrong, as types. Owns the error codes of PROTOCOL.md and their exit codes; raises nothing itself."""

from __future__ import annotations

from typing import ClassVar


class LlmzipError(Exception):
    """Base of all errors of this package.

    `message` says what failed and on what, `hint` what to do next; `code` and `exit_code` are PROTOCOL.md's.
    """

    code: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(LlmzipError):
    """The request or the command line is wrong."""

    code = "usage"
    exit_code = 2


class SetupError(LlmzipError):
    """Something that must be installed or present is not, or a manifest cannot be used."""

    code = "setup"
    exit_code = 3


class IoError(LlmzipError):
    """A file could not be read or written."""

    code = "io"
    exit_code = 1

    @classmethod
    def reading(cls, what: object, error: OSError) -> IoError:
        """`what` could not be read."""
        return cls(f"cannot read {what}: {error.strerror or error}", "check that it exists and may be read")

    @classmethod
    def writing(cls, what: object, error: OSError) -> IoError:
        """`what` could not be written."""
        return cls(
            f"cannot write {what}: {error.strerror or error}",
            "check that its folder exists, may be written to and has room",
        )


class IntegrityError(LlmzipError):
    """A SHA-256 is not the expected one."""

    code = "integrity"
    exit_code = 4


class VocabularyError(LlmzipError):
    """Model and tokenizer do not belong together."""

    code = "vocabulary"
    exit_code = 4


class FormatError(LlmzipError):
    """A container is damaged, or not one."""

    code = "format"
    exit_code = 1

    def __init__(
        self, message: str, hint: str = "get the file again from where it was made; it was not decoded"
    ) -> None:
        super().__init__(message, hint)


class DivergenceError(LlmzipError):
    """An intact container decodes to wrong bytes: this runtime lies further than eps from the writer's."""

    code = "divergence"
    exit_code = 1

    def __init__(
        self,
        message: str,
        hint: str = "decode on the runtime that the container's fingerprint names, or compress again with a larger --eps",
    ) -> None:
        super().__init__(message, hint)


class ModelError(LlmzipError):
    """The graph, `config.json` or `tokenizer.json` cannot be used, or logits are not finite."""

    code = "model"
    exit_code = 1


class UnsupportedError(LlmzipError):
    """The runner does not do this."""

    code = "unsupported"
    exit_code = 1


class InterruptedByUserError(LlmzipError):
    """The user, or the system, asked for the end."""

    code = "interrupted"
    exit_code = 130

    def __init__(self, message: str = "interrupted", hint: str = "nothing was written; run it again") -> None:
        super().__init__(message, hint)


class InternalError(LlmzipError):
    """Anything else: a defect."""

    code = "internal"
    exit_code = 70

    def __init__(self, message: str, hint: str = "this is a defect of llmzip; report it with the text above") -> None:
        super().__init__(message, hint)
