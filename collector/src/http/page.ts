import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { PAGE_POLICY } from './headers.js';

/** Where the build puts the page; from `src` and from `dist` alike. */
const BUILT = fileURLToPath(new URL('../../../dashboard/dist/page', import.meta.url));

/** Files under it have names that change with what is in them. */
const HASHED = '/assets/';

export interface PageDeps {
  logger: Logger;
  /** Folder of the built page. */
  pageFolder?: string | undefined;
}

/**
 * Serves the page for people at `/`, with everything it needs. Without a build there is none, and the log says so: the
 * interfaces for machines do not depend on it.
 */
export async function servePage(
  app: FastifyInstance,
  { logger, pageFolder = BUILT }: PageDeps,
): Promise<void> {
  if (!existsSync(join(pageFolder, 'index.html'))) {
    logger.warn({ folder: pageFolder }, 'the page is not built: / has nothing to show');
    return;
  }
  await app.register(fastifyStatic, {
    root: pageFolder,
    decorateReply: false,
    cacheControl: false,
    setHeaders: (reply, path) => {
      reply.header('content-security-policy', PAGE_POLICY);
      const forever = path.replaceAll('\\', '/').includes(HASHED);
      // The page itself is asked for again each time: a new one names new files.
      reply.header('cache-control', forever ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
}
