/**
 * What `info` prints: a container without its model, as text or JSON. Owns the words; reading is the container's.
 *
 * @module
 */

import { formatEps } from '../core/container/eps.mjs';
import { ratioThousandths } from '../core/container/info.mjs';
import { VERSION } from '../core/container/layout.mjs';

/** @typedef {import('../core/container/info.mjs').ContainerInfo} ContainerInfo */
/** @typedef {{ name: string, variant: string }} ModelName */

/**
 * What the JSON has; the same members in the same order in all three languages.
 *
 * @param {ContainerInfo} info
 * @param {ModelName | null} model
 */
export function infoView(info, model) {
  const { preamble } = info;
  const ratio = ratioThousandths(info);
  return {
    version: VERSION,
    model_sha256: preamble.modelSha256,
    model,
    tokenizer_sha256: preamble.tokenizerSha256,
    vocab_size: preamble.vocabSize,
    fingerprint: preamble.fingerprint,
    eps: formatEps(preamble.eps),
    offsets: preamble.offsets,
    start_token: preamble.startToken,
    window: preamble.window,
    overlap: preamble.overlap,
    frames: info.codedFrames + info.storedFrames,
    coded_frames: info.codedFrames,
    stored_frames: info.storedFrames,
    lanes: info.lanes,
    tokens: info.tokens,
    plain_bytes: info.plainBytes,
    plain_sha256: info.plainSha256,
    plain_is_verified: info.plainIsVerified,
    container_bytes: info.containerBytes,
    ratio: ratio === null ? null : ratio / 1000,
  };
}

/**
 * @param {ContainerInfo} info
 * @param {ModelName | null} model
 * @returns {string}
 */
export function formatInfo(info, model) {
  const { preamble, lanes } = info;
  const ratio = ratioThousandths(info);
  const decimals = ratio === null ? '' : String(ratio % 1000).padStart(3, '0');
  const rows = {
    format: `version ${VERSION}`,
    model: `${model === null ? 'unknown' : `${model.name} ${model.variant}`}, SHA-256 ${preamble.modelSha256}`,
    tokenizer: `SHA-256 ${preamble.tokenizerSha256}`,
    vocabulary: preamble.vocabSize,
    writer: preamble.fingerprint || 'unnamed',
    eps: formatEps(preamble.eps),
    context: `window ${preamble.window}, overlap ${preamble.overlap}, start token ${preamble.startToken}`,
    frames: `${info.codedFrames} coded, ${info.storedFrames} stored`,
    lanes: lanes === null ? 'none' : [...new Set([lanes.least, lanes.most])].join(' to '),
    tokens: info.tokens,
    plain: `${info.plainBytes} bytes, SHA-256 ${info.plainSha256}`,
    container: `${info.containerBytes} bytes${ratio === null ? '' : `, ratio ${Math.floor(ratio / 1000)}.${decimals}`}`,
    checked: info.plainIsVerified
      ? 'structure, every crc32, plain SHA-256'
      : 'structure, every crc32; the plain SHA-256 needs the model',
  };
  return Object.entries(rows)
    .map(([row, value]) => `${row}: ${value}`)
    .join('\n');
}
