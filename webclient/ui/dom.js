/**
 * Helpers for the document: elements by id, and their texts.
 *
 * @module
 */

/** @param {string} id @returns {any} */
export const $ = (id) => document.getElementById(id);

/**
 * Sets the text of an element, if it differs: otherwise live regions would announce it
 * again, and a selection in it would be lost.
 *
 * @param {string} id
 * @param {string} text
 */
export function write(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

/**
 * Makes an element.
 *
 * @param {string} tag
 * @param {Record<string, unknown>} [properties]
 * @param {...(Node|string)} children
 * @returns {any}
 */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/**
 * Sets the texts of a table body, whose rows begin with a header cell. Unchanged cells
 * are not touched, so that a selection in them is kept.
 *
 * @param {HTMLTableSectionElement} body
 * @param {string[][]} rows
 * @param {string[]} [labels] What stands before the texts where the heads have no room.
 */
export function writeRows(body, rows, labels = []) {
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((texts, index) => {
    const row = body.rows[index] ?? body.insertRow();
    texts.forEach((text, column) => {
      const cell =
        row.cells[column] ??
        row.appendChild(column ? make('td') : make('th', { scope: 'row' }));
      if (labels[column]) cell.dataset.label = labels[column];
      if (cell.textContent !== text) cell.textContent = text;
    });
  });
}

/**
 * Groups the digits of a whole number, as 12,345. The first use of what browsers have for
 * it takes several milliseconds, in which the page does nothing else.
 *
 * @param {number} number
 * @returns {string}
 */
export const grouped = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ',');

/** @param {string} message For screen readers. */
export function announce(message) {
  $('announcer').textContent = message;
}
