/**
 * Which execution provider ran which node, from ONNX Runtime's profile: the only place where onnxruntime-node tells.
 *
 * Owns the profile's file, which lies in a scratch folder of its own until it is read.
 *
 * @module
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reason, UnsupportedError } from '../core/errors.mjs';

/** The profile of one session. */
export class Profile {
  #folder = mkdtempSync(join(tmpdir(), `llmzip-profile-${process.pid}-`));

  /** What a session must be made with. */
  get options() {
    return { enableProfiling: true, profileFilePrefix: join(this.#folder, 'profile') };
  }

  /**
   * Ends the profile and removes its file.
   *
   * @param {Pick<import('onnxruntime-common').InferenceSession, 'endProfiling'>} session
   * @returns {Map<string, number>} how many nodes each provider ran, by its name in ONNX Runtime
   * @throws {UnsupportedError} ONNX Runtime has not told
   */
  end(session) {
    try {
      session.endProfiling();
      const [file] = readdirSync(this.#folder);
      /** @type {Map<string, number>} */
      const nodes = new Map();
      for (const { args } of JSON.parse(readFileSync(join(this.#folder, file), 'utf8'))) {
        if (args?.provider) nodes.set(args.provider, (nodes.get(args.provider) ?? 0) + 1);
      }
      return nodes;
    } catch (cause) {
      throw new UnsupportedError(
        `ONNX Runtime does not tell which execution provider ran: ${reason(cause)}`,
        'use the provider cpu',
        cause,
      );
    } finally {
      this.dispose();
    }
  }

  /** Removes what is left. */
  dispose() {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
