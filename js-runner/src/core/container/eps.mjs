/**
 * eps as the container states it: `mantissa / 10^exponent`, read from text such as `5e-5` without any rounding.
 *
 * @module
 */

import { UsageError } from '../errors.mjs';

/** @typedef {{ mantissa: number, exponent: number }} Eps */

export const MAX_EXPONENT = 12;
const MAX_MANTISSA = 255;

/**
 * Whether the container may state it.
 *
 * @param {Eps} eps
 * @returns {boolean}
 */
export function isValidEps({ mantissa, exponent }) {
  if (mantissa === 0) return exponent === 0;
  return (
    exponent >= 1 &&
    exponent <= MAX_EXPONENT &&
    mantissa <= MAX_MANTISSA &&
    mantissa % 10 !== 0 &&
    mantissa < 10 ** exponent
  );
}

/**
 * @param {string} text a decimal number such as `5e-5`
 * @returns {Eps}
 * @throws {UsageError} it is no number that a container can hold
 */
export function parseEps(text) {
  const match = /^([0-9]{1,20})(?:\.([0-9]{0,20}))?(?:[eE]([+-]?[0-9]{1,3}))?$/.exec(text);
  const digits = `${match?.[1] ?? ''}${match?.[2] ?? ''}`.replace(/^0+/, '');
  // As text, so that nothing is rounded on the way.
  const significant = digits.replace(/0+$/, '');
  const power = Number(match?.[3] ?? 0) - (match?.[2] ?? '').length + digits.length - significant.length;
  const eps = { mantissa: Number(significant), exponent: significant === '' ? 0 : -power };
  if (!match || !isValidEps(eps)) {
    throw new UsageError(
      `eps is ${JSON.stringify(text.slice(0, 40))}, which a container cannot hold`,
      `give 0, or a number below 1 of digits up to ${MAX_MANTISSA} and at most ${MAX_EXPONENT} decimal places, such as 5e-5`,
    );
  }
  return eps;
}

/**
 * @param {Eps} eps
 * @returns {number} nats
 */
export function epsValue({ mantissa, exponent }) {
  // From text, because a power may be off by its last bit.
  return mantissa / Number(`1e${exponent}`);
}

/**
 * @param {Eps} eps
 * @returns {string} as `parseEps` reads it
 */
export function formatEps({ mantissa, exponent }) {
  return exponent === 0 ? String(mantissa) : `${mantissa}e-${exponent}`;
}
