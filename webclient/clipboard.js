/**
 * Copy buttons.
 *
 * @module
 */

/**
 * Copies text, also where there is no clipboard API: a page that is not served over
 * HTTPS or from localhost has none.
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
 * Makes a button copy a text and say that it did.
 *
 * @param {HTMLButtonElement} button
 * @param {() => string} read Gives the text.
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
