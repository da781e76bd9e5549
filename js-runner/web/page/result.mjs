/**
 * What came out: the file to download, and its size beside that of others.
 *
 * Owns the result's elements, and the life of the file's address.
 *
 * @module
 */

import { element, make, say, show } from './element.mjs';
import { amount, outputName, whole } from './words.mjs';

const PREVIEW_BYTES = 2000;

/** @type {string | undefined} */
let address;

export function hideResult() {
  show('result', false);
  if (address !== undefined) URL.revokeObjectURL(address);
  address = undefined;
}

/**
 * @param {string} name of the input
 * @param {import('../worker/transfer.mjs').Compressed} result
 */
export function showCompressed(name, { output, summary, gzip, zstd, zstdLevel }) {
  const plain = summary.plain_bytes;
  const percent = plain === 0 ? '' : `, ${((100 * output.size) / plain).toFixed(1)} % of it`;
  offer(
    'Compressed',
    `${whole(plain)} bytes became ${whole(output.size)}${percent}.`,
    outputName('compress', name),
    output,
  );
  say('result-sha256', summary.plain_sha256);
  const rows = [
    { format: 'plain', bytes: plain },
    { format: 'gzip', bytes: gzip },
    ...(zstd === null ? [] : [{ format: `zstd, level ${zstdLevel}`, bytes: zstd }]),
    { format: 'LLMzip', bytes: output.size },
  ];
  const most = Math.max(...rows.map(({ bytes }) => bytes));
  element('sizes-rows').replaceChildren(...rows.map((row) => sizeRow(row, plain, most)));
  show('sizes', true);
  say('sizes-about', 'The model itself is not counted: whoever decompresses must have it.');
  show('sizes-about', true);
  show('preview', false);
}

/**
 * @param {string} name of the input
 * @param {import('../worker/transfer.mjs').Decompressed} result
 */
export async function showDecompressed(name, { output, summary, containerBytes }) {
  const about = `${whole(containerBytes)} bytes gave back ${whole(summary.plain_bytes)}, whose SHA-256 is the one in the container.`;
  offer('Decompressed', about, outputName('decompress', name), output);
  say('result-sha256', summary.plain_sha256);
  show('sizes', false);
  show('sizes-about', false);
  const head = await output.slice(0, PREVIEW_BYTES).arrayBuffer();
  const text = textOf(new Uint8Array(head), output.size > PREVIEW_BYTES);
  say('preview-text', text ?? '');
  show('preview', text !== undefined && text !== '');
}

/**
 * @param {string} heading
 * @param {string} about
 * @param {string} name
 * @param {Blob} output
 */
function offer(heading, about, name, output) {
  hideResult();
  address = URL.createObjectURL(new Blob([output], { type: 'application/octet-stream' }));
  say('result-heading', heading);
  say('result-about', about);
  const link = /** @type {HTMLAnchorElement} */ (make('a', `Download ${name}`, 'button primary'));
  link.href = address;
  link.download = name;
  element('download').replaceChildren(link, make('span', amount(output.size)));
  show('result', true);
}

/**
 * @param {{ format: string, bytes: number }} row
 * @param {number} plain
 * @param {number} most
 */
function sizeRow({ format, bytes }, plain, most) {
  const row = document.createElement('tr');
  const head = /** @type {HTMLTableCellElement} */ (make('th', format));
  head.scope = 'row';
  const share = document.createElement('td');
  share.className = 'wide';
  const bar = make('span', plain === 0 ? '' : `${((100 * bytes) / plain).toFixed(1)} %`, 'bar');
  bar.style.setProperty('--share', String(most === 0 ? 0 : bytes / most));
  share.append(bar);
  row.append(
    head,
    make('td', whole(bytes), 'number'),
    make('td', plain === 0 ? '' : ((8 * bytes) / plain).toFixed(3), 'number'),
    share,
  );
  return row;
}

/**
 * @param {Uint8Array} bytes the beginning
 * @param {boolean} isCut whether it may end inside a character
 * @returns {string | undefined} nothing of bytes that are no text
 */
function textOf(bytes, isCut) {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: isCut });
    return text.includes('\0') ? undefined : text + (isCut ? '\u2026' : '');
  } catch {
    return undefined;
  }
}
