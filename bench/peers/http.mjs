/**
 * The HTTP of the servers beside: WHIP and WHEP as far as a bench needs them.
 *
 * @module
 */

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

/**
 * A session.
 *
 * @typedef {object} Session
 * @property {string} answer
 * @property {() => unknown} close
 */

/**
 * Answers offers until the process is ended. `--port` and `--library` are its options.
 *
 * @param {Record<string, (stream: string, offer: string) => Promise<Session | null>>} open
 *     By the first segment of the path, `whip` or `whep`. Null when there is no stream.
 */
export function serve(open) {
    /** @type {Map<string, Session>} */
    const sessions = new Map();
    const server = createServer(async (request, response) => {
        const [, kind, stream, id] = request.url.split('/');
        if (request.method === 'DELETE' && sessions.has(id)) {
            sessions.get(id).close();
            sessions.delete(id);
            response.writeHead(200).end();
        } else if (request.method === 'POST' && open[kind]) {
            let offer = '';
            for await (const part of request) offer += part;
            const session = await open[kind](stream, offer);
            if (session === null) {
                response.writeHead(404).end('nobody publishes this');
                return;
            }
            const name = randomUUID();
            sessions.set(name, session);
            response.writeHead(201, {
                'Content-Type': 'application/sdp',
                Location: `${request.url}/${name}`,
            });
            response.end(session.answer);
        } else {
            response.writeHead(404).end('there is nothing here');
        }
    });
    server.listen(Number(options().port), '127.0.0.1');
}

/** What the command line says. */
export function options() {
    return parseArgs({
        options: {
            port: { type: 'string', default: '8081' },
            // The folder whose node_modules has the library.
            library: { type: 'string', default: '.' },
        },
    }).values;
}
