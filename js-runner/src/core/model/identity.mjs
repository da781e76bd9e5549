/**
 * The SHA-256 that stands for a model (FORMAT.md, section 2). Owns the rule; opens no file.
 *
 * @module
 */

import { sha256Hex } from './provenance.mjs';

/**
 * The SHA-256 that stands for a model: that of its ONNX file, or, when weights lie in files beside it, that of a list of all of them
 * (FORMAT.md, section 2).
 *
 * @param {string} onnx of the ONNX file
 * @param {ReadonlyMap<string, string>} data of the files of weights, by their names
 * @returns {string} lower-case hex
 */
export function modelIdentity(onnx, data) {
  if (data.size === 0) return onnx;
  const lines = Array.from(data.keys())
    .sort()
    .map((name) => `${data.get(name)}  ${name}\n`);
  // No ONNX file begins with this first line, so that a list is never taken for one.
  return sha256Hex(new TextEncoder().encode(`files\n${onnx}\n${lines.join('')}`));
}
