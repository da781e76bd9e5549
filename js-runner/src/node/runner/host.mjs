/**
 * Node as a runner's host: files of this machine, onnxruntime-node. Owns what `core`'s operations are given; answers nothing itself.
 *
 * @module
 */

import { isAbsolute } from 'node:path';
import { readPieces, withOutputFiles } from '../files.mjs';
import { fingerprint } from '../fingerprint.mjs';
import { loadModel } from '../loader.mjs';

/** @type {import('../../core/runner/operations.mjs').RunnerHost} */
export const NODE_HOST = {
  name: 'node',
  isAbsolute,
  fingerprint,
  loadModel,
  readPieces,
  withOutputFiles: (paths, work) => withOutputFiles(paths, true, work),
};
