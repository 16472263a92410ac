/**
 * Copy buttons.
 *
 * @module
 */

/**
 * Copies text, even without the clipboard API, which exists only in pages served over
 * HTTPS or from localhost.
 *
 * @param {string} text
 * @returns {Promise<boolean>} Whether it worked.
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    area.className = 'visually-hidden';
    document.body.append(area);
    area.select();
    const copied = document.execCommand('copy');
    area.remove();
    return copied;
  }
}

/**
 * Makes a button copy a text and confirm it.
 *
 * @param {HTMLButtonElement} button
 * @param {() => string} read Returns the text.
 * @param {(message: string) => void} announce For screen readers.
 */
export function wireCopyButton(button, read, announce) {
  const label = button.textContent;
  let timer;
  button.addEventListener('click', async () => {
    const copied = await copyText(read());
    button.textContent = copied ? 'Copied ✓' : 'Select and copy by hand';
    announce(copied ? `${button.dataset.what} copied.` : 'Copying is not allowed here.');
    button.focus();
    clearTimeout(timer);
    timer = setTimeout(() => (button.textContent = label), 2000);
  });
}
