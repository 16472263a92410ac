/**
 * Copy buttons.
 *
 * @module
 */

/**
 * Copies text, even without the clipboard API, which exists only in pages served over
 * HTTPS or from localhost.
 *
 * @param {string|Promise<string>} text What is awaited may take a few seconds.
 * @returns {Promise<boolean>} Whether it worked.
 * @throws The reason, if there is no text.
 */
export async function copyText(text) {
  try {
    if (typeof text === 'string') await navigator.clipboard.writeText(text);
    // Safari lets a page write at a click only, not when the text is there.
    else await navigator.clipboard.write([new ClipboardItem({ 'text/plain': text })]);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = await text;
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
