/**
 * Everything that can go wrong, as types. Owns the error codes of PROTOCOL.md and their exit codes; raises nothing itself.
 *
 * @module
 */

/**
 * @typedef {'usage' | 'setup' | 'io' | 'integrity' | 'vocabulary' | 'format' | 'divergence' | 'model' | 'unsupported'
 *   | 'interrupted' | 'internal'} ErrorCode
 */

/** @type {Readonly<Record<ErrorCode, number>>} */
export const EXIT_CODES = Object.freeze({
  usage: 2,
  setup: 3,
  io: 1,
  integrity: 4,
  vocabulary: 4,
  format: 1,
  divergence: 1,
  model: 1,
  unsupported: 1,
  interrupted: 130,
  internal: 70,
});

/** Base of all errors of this package: `message` says what failed and on what, `hint` what to do next. */
export class LlmzipError extends Error {
  /**
   * @param {ErrorCode} code
   * @param {string} message
   * @param {string} hint
   * @param {unknown} [cause]
   */
  constructor(code, message, hint, cause) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = hint;
  }

  /** What the command lines exit with. */
  get exitCode() {
    return EXIT_CODES[this.code];
  }
}

/** The request or the command line is wrong. */
export class UsageError extends LlmzipError {
  /** @param {string} message @param {string} hint */
  constructor(message, hint) {
    super('usage', message, hint);
  }
}

/** Something that must be installed or present is not, or a manifest cannot be used. */
export class SetupError extends LlmzipError {
  /** @param {string} message @param {string} hint @param {unknown} [cause] */
  constructor(message, hint, cause) {
    super('setup', message, hint, cause);
  }
}

/** A file could not be read or written. */
export class IoError extends LlmzipError {
  /** @param {string} message @param {string} hint @param {unknown} [cause] */
  constructor(message, hint, cause) {
    super('io', message, hint, cause);
  }
}

/** A SHA-256 is not the expected one. */
export class IntegrityError extends LlmzipError {
  /** @param {string} message @param {string} hint */
  constructor(message, hint) {
    super('integrity', message, hint);
  }
}

/** Model and tokenizer do not belong together. */
export class VocabularyError extends LlmzipError {
  /** @param {string} message @param {string} hint */
  constructor(message, hint) {
    super('vocabulary', message, hint);
  }
}

/** A container is damaged, or not one. */
export class FormatError extends LlmzipError {
  /** @param {string} message @param {string} [hint] */
  constructor(message, hint = 'get the file again from where it was made; it was not decoded') {
    super('format', message, hint);
  }
}

/** An intact container decodes to wrong bytes: this runtime lies further than eps from the writer's. */
export class DivergenceError extends LlmzipError {
  /** @param {string} message @param {string} [hint] */
  constructor(
    message,
    hint = "decode on the runtime that the container's fingerprint names, or compress again with a larger --eps",
  ) {
    super('divergence', message, hint);
  }
}

/** The graph, config.json or tokenizer.json cannot be used, or logits are not finite. */
export class ModelError extends LlmzipError {
  /** @param {string} message @param {string} hint @param {unknown} [cause] */
  constructor(message, hint, cause) {
    super('model', message, hint, cause);
  }
}

/** The runner does not do this. */
export class UnsupportedError extends LlmzipError {
  /** @param {string} message @param {string} hint @param {unknown} [cause] */
  constructor(message, hint, cause) {
    super('unsupported', message, hint, cause);
  }
}

/** The user, or the system, asked for the end. */
export class InterruptedError extends LlmzipError {
  constructor() {
    super('interrupted', 'interrupted', 'nothing was written; run it again');
  }
}

/** Anything else: a defect. */
export class InternalError extends LlmzipError {
  /** @param {string} message @param {unknown} [cause] */
  constructor(message, cause) {
    super('internal', message, 'this is a defect of llmzip; report it with the text above', cause);
  }
}

/**
 * What a command line says of an error: two lines.
 *
 * @param {LlmzipError} error
 * @returns {string}
 */
export function errorText({ code, message, hint }) {
  return `error[${code}]: ${message}\nhint: ${hint}\n`;
}

/**
 * What was said of a failure.
 *
 * @param {unknown} thrown
 * @returns {string}
 */
export function reason(thrown) {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/**
 * Anything that was thrown, as an error of this package.
 *
 * @param {unknown} thrown
 * @returns {LlmzipError}
 */
export function asLlmzipError(thrown) {
  if (thrown instanceof LlmzipError) return thrown;
  return new InternalError(thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown), thrown);
}
