/**
 * What the package offers in Node: the core, and models from folders. Owns the list of public names.
 *
 * @module
 */

export * from '../core/index.mjs';
export { DEFAULT_SETTINGS, loadModel } from './loader.mjs';
export { defaultModelDir, recordOf } from './records.mjs';
