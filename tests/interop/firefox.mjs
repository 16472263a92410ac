/**
 * Firefox, driven over WebDriver BiDi by puppeteer-core.
 *
 * `node firefox.mjs JOB.json` reads calls as lines of JSON, and answers each with a line;
 * it writes what goes wrong on the pages as well. It ends Firefox when its input ends.
 */

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/**
 * @typedef {object} Job
 * @property {string} library Where puppeteer-core is.
 * @property {string} program Firefox.
 * @property {string} folder An empty one, for its profile.
 * @property {number} timeout Of each call, in milliseconds.
 * @property {Record<string, boolean>} preferences Further ones.
 */

/**
 * A call of a method of a page (https://pptr.dev/api/puppeteer.page).
 *
 * @typedef {object} Call
 * @property {number} id
 * @property {number} page Its number; of a new one, if there is none yet.
 * @property {string} method
 * @property {unknown[]} args
 */

const PREFERENCES = {
    // A camera and a microphone that are there on every machine, without being asked.
    'media.navigator.streams.fake': true,
    'media.navigator.permission.disabled': true,
    'media.autoplay.default': 0,
    // Addresses as they are: no machine of a test needs a resolver for mDNS.
    'media.peerconnection.ice.obfuscate_host_addresses': false,
    // Tests have a server on the loopback address only.
    'media.peerconnection.ice.loopback': true,
};

/** @type {Job} */
const job = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { default: puppeteer } = createRequire(`${job.library}/`)('puppeteer-core');

/** @param {object} line */
function tell(line) {
    process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** @type {Map<number, import('puppeteer-core').Page>} */
const pages = new Map();

/** @param {number} number */
async function pageOf(number) {
    if (!pages.has(number)) {
        // Each is in front in a window of its own: hidden pages have slow timers.
        const page = await browser.newPage({ type: 'window' });
        page.setDefaultTimeout(job.timeout);
        page.on('console', (message) => {
            if (message.type() === 'error') tell({ page: number, problem: message.text() });
        });
        page.on('pageerror', ({ message }) => tell({ page: number, problem: message }));
        pages.set(number, page);
    }
    return pages.get(number);
}

/** @param {Call} call */
async function answer({ id, page, method, args }) {
    try {
        const value = await (await pageOf(page))[method](...args);
        // Handles and responses are no JSON, and neither is `undefined`.
        tell({ id, value: method === 'evaluate' ? (value ?? null) : null });
    } catch (error) {
        tell({ id, error: error.message });
    }
}

const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: job.program,
    headless: true,
    args: ['--profile', job.folder],
    env: { ...process.env, HOME: job.folder },
    extraPrefsFirefox: { ...PREFERENCES, ...job.preferences },
    timeout: job.timeout,
    protocolTimeout: job.timeout,
});
tell({ id: 0, value: { pid: browser.process().pid, version: await browser.version() } });
for await (const line of createInterface({ input: process.stdin })) answer(JSON.parse(line));
await browser.close();
