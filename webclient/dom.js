/**
 * The document: elements by their id, and texts in them.
 *
 * @module
 */

/** @param {string} id @returns {any} */
export const $ = (id) => document.getElementById(id);

/**
 * Writes a text, unless it stands there: live regions would tell it again, and who
 * has selected a part of it would lose the selection.
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
 * Writes texts into the body of a table, whose rows begin with a header. What stands
 * there is left alone, so who has selected a part of it does not lose the selection.
 *
 * @param {HTMLTableSectionElement} body
 * @param {string[][]} rows
 */
export function writeRows(body, rows) {
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((texts, index) => {
    const row = body.rows[index] ?? body.insertRow();
    texts.forEach((text, column) => {
      const cell =
        row.cells[column] ??
        row.appendChild(column ? make('td') : make('th', { scope: 'row' }));
      if (cell.textContent !== text) cell.textContent = text;
    });
  });
}

/** @param {string} message For screen readers. */
export function announce(message) {
  $('announcer').textContent = message;
}
