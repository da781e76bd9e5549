/**
 * The page's elements by their ids, and small ones made. Owns that a missing one is an error at once.
 *
 * @module
 */

/**
 * @template {typeof HTMLElement} T
 * @param {string} id
 * @param {T} [type]
 * @returns {InstanceType<T>}
 */
export function element(id, type) {
  const found = document.getElementById(id);
  if (found instanceof (type ?? HTMLElement)) return /** @type {InstanceType<T>} */ (found);
  throw new Error(`the page has no ${id} of that kind`);
}

/**
 * @param {string} id
 * @param {string} text
 */
export function say(id, text) {
  element(id).textContent = text;
}

/**
 * @param {string} id
 * @param {boolean} shown
 */
export function show(id, shown) {
  element(id).hidden = !shown;
}

/**
 * An element with a text.
 *
 * @param {string} tag
 * @param {string} text
 * @param {string} [classes]
 */
export function make(tag, text, classes = '') {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = classes;
  return made;
}
