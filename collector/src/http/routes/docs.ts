import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { PAGE_POLICY } from '../headers.js';
import { type HttpContext, serve } from '../route.js';
import { getDocs } from '../schemas.js';

/** Of the many files of swagger-ui-dist, the two that the page needs. */
const FILES = ['swagger-ui.css', 'swagger-ui-bundle.js'];

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>gridtokenx: HTTP interface</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css">
    <link rel="icon" href="data:,">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <noscript>This page needs JavaScript. The same is in <a href="/openapi.json">/openapi.json</a>.</noscript>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/page.js"></script>
  </body>
</html>
`;

/** A file of its own, since the page may run no inline script. No validator of somebody else's is asked. */
const SCRIPT = `'use strict';
SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  validatorUrl: null,
  persistAuthorization: false,
  docExpansion: 'list',
  presets: [SwaggerUIBundle.presets.apis],
});
`;

/** The interactive page: everything comes from this server, and nothing is asked of another. */
export async function docsRoutes(app: FastifyInstance, context: HttpContext): Promise<void> {
  const root = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  // In a scope of its own, so that reply.sendFile is this folder's.
  await app.register(async (scope) => {
    await scope.register(fastifyStatic, { root, serve: false, cacheControl: false });
    for (const file of FILES) {
      scope.get(`/docs/${file}`, (_request, reply) =>
        reply.header('cache-control', 'public, no-cache').sendFile(file),
      );
    }
  });
  app.get('/docs/page.js', (_request, reply) =>
    reply.type('text/javascript; charset=utf-8').header('cache-control', 'public, no-cache').send(SCRIPT),
  );
  app.get('/docs/', (_request, reply) => reply.redirect('/docs', 308));
  serve(app, context, getDocs, ({ reply }) =>
    reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', PAGE_POLICY)
      .header('cache-control', 'no-cache')
      .send(PAGE),
  );
}
