/**
 * What the core offers: everything that needs no Node. Owns the list of public names.
 *
 * @module
 */

export { decompress, decompressFrames, openContainer } from './compressor/decode.mjs';
export { compress, FRAME_BYTES } from './compressor/encode.mjs';
export { autoLanes } from './compressor/lanes.mjs';
export { HashedInput, verify } from './compressor/verify.mjs';
export { epsValue, formatEps, parseEps } from './container/eps.mjs';
export { ratioThousandths, readInfo } from './container/info.mjs';
export * from './errors.mjs';
export { NextToken, nextTokenLogProbs } from './logprobs.mjs';
export { readExactness } from './model/exactness.mjs';
export { readGraphFacts } from './model/graph.mjs';
export { sha256Hex, verifySha256 } from './model/provenance.mjs';
export { SessionSource } from './model/session.mjs';
export { readSignature } from './model/signature.mjs';
export { alignTokenizer, tokenIds, wrapTokenizer } from './model/tokenizer.mjs';
