/**
 * One HTTP request over a connection of its own. Of a connection that is kept a server may have had enough just when
 * the request is sent, which then fails: a test that stood still for some seconds notices too late that it was closed.
 */
export function ask(url: string | URL, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set('connection', 'close');
  return fetch(url, { ...init, headers });
}
