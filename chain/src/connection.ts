import { Connection } from '@solana/web3.js';

/**
 * Opens a connection to a Solana node that never waits for an answer without end: web3.js has no timeout of
 * its own, and a node that takes a request and stays silent would hold up its caller for ever.
 *
 * It reads at `confirmed`, does not print or retry on HTTP 429 (that is an outage like others, for the caller
 * to handle) and opens no WebSocket until somebody subscribes.
 *
 * @param rpcUrl http(s) URL of the JSON-RPC endpoint.
 */
export function openConnection(
  rpcUrl: string,
  { wsUrl, timeoutMs = 15_000 }: { wsUrl?: string; timeoutMs?: number } = {},
): Connection {
  return new Connection(rpcUrl, {
    commitment: 'confirmed',
    disableRetryOnRateLimit: true,
    ...(wsUrl === undefined ? {} : { wsEndpoint: wsUrl }),
    fetch: (input, init) => {
      // web3.js passes a node-fetch agent along, which the built-in fetch ignores: it pools by itself.
      const { method, body, headers } = init ?? {};
      return fetch(input as string, {
        ...(method === undefined ? {} : { method }),
        ...(body === undefined ? {} : { body: body as string }),
        ...(headers === undefined ? {} : { headers: headers as Record<string, string> }),
        signal: AbortSignal.timeout(timeoutMs),
      });
    },
  });
}
