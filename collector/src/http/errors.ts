import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { errorBody, GtxError } from '@gridtokenx/protocol';
import type { FastifyReply } from 'fastify';

/** Answers with an error of the catalogue. */
export function sendError(reply: FastifyReply, error: GtxError): FastifyReply {
  if (error.code === 'RATE_LIMITED' && reply.getHeader('retry-after') === undefined) {
    reply.header('retry-after', String(error.details?.retry_after_seconds ?? 1));
  }
  if (error.status === 503) reply.header('retry-after', '5');
  return reply.code(error.status).type('application/json; charset=utf-8').send(errorBody(error));
}

/**
 * Answers what never became a request: bytes that are not HTTP, headers without end, and whoever takes too long.
 * There is no reply object yet, so this writes the answer itself.
 */
export function refuseUnreadable(error: Error, socket: Socket): void {
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket.bytesRead === 0) {
    // A browser opens connections before it needs them. An answer here would be taken for that of its next question.
    socket.destroy();
    return;
  }
  const known =
    code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? new GtxError('TIMEOUT', 'the request took too long to arrive')
      : code === 'HPE_HEADER_OVERFLOW'
        ? new GtxError('PAYLOAD_TOO_LARGE', 'the headers or the address are too long')
        : new GtxError('INVALID_BODY', 'this is not HTTP', { issues: [] });
  const body = JSON.stringify(errorBody(known));
  const head = [
    `HTTP/1.1 ${known.status} ${STATUS_CODES[known.status] ?? 'Error'}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** Errors of fastify and of the database as errors of the catalogue. */
export function knownError(error: unknown): GtxError {
  if (error instanceof GtxError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const statusCode = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : undefined;
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new GtxError('PAYLOAD_TOO_LARGE');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new GtxError('UNSUPPORTED_MEDIA_TYPE');
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new GtxError('INVALID_BODY', 'the body is empty or its length is wrong', { issues: [] });
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new GtxError('INVALID_BODY', 'the request cannot be understood', { issues: [] });
  }
  // Errors of the database driver: a SQLSTATE, a socket error, or a pool that gave up waiting.
  // 55P03: somebody holds a lock for too long.
  if (/^(08|53|57|55P03|ECONN|ETIMEDOUT|EPIPE)/.test(code) || isPoolTimeout(error)) {
    return new GtxError('STORAGE_UNAVAILABLE');
  }
  return new GtxError('INTERNAL');
}

function isPoolTimeout(error: unknown): boolean {
  return (
    error instanceof Error &&
    /timeout exceeded when trying to connect|Connection terminated/.test(error.message)
  );
}
