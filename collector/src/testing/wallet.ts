import { encodeBase58, LoginTokens, networkId } from '@gridtokenx/protocol';
import type pg from 'pg';
import sodium from 'sodium-native';

/** A person's wallet, for tests: signs what it is shown. */
export class TestWallet {
  readonly publicKeyBytes = new Uint8Array(32);
  readonly address: string;
  private readonly secretKey = new Uint8Array(64);

  constructor() {
    sodium.crypto_sign_keypair(this.publicKeyBytes, this.secretKey);
    this.address = encodeBase58(this.publicKeyBytes);
  }

  /** The 64 bytes of the signature over a text. */
  signBytes(text: string): Uint8Array {
    const signature = new Uint8Array(64);
    sodium.crypto_sign_detached(signature, new TextEncoder().encode(text), this.secretKey);
    return signature;
  }

  sign(text: string): string {
    return encodeBase58(this.signBytes(text));
  }

  /** Logs in over HTTP. */
  async login(httpUrl: string): Promise<LoginTokens> {
    const challenge = await postJson(`${httpUrl}/api/auth/challenge`, { wallet: this.address });
    const { message, nonce } = challenge.body as { message: string; nonce: string };
    const signature = this.sign(message);
    const answer = await postJson(`${httpUrl}/api/auth/login`, { wallet: this.address, nonce, signature });
    return LoginTokens.parse(answer.body);
  }
}

export async function postJson(url: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as unknown };
}

/** Says which chain a database without one belongs to. Returns its network id. */
export async function bindTestNetwork(pool: pg.Pool): Promise<Uint8Array> {
  const genesis = encodeBase58(new Uint8Array(32).fill(7));
  const program = encodeBase58(new Uint8Array(32).fill(9));
  await pool.query(
    `INSERT INTO chain_network (genesis_hash, registry_program, energy_token_program) VALUES ($1, $2, $2)
     ON CONFLICT DO NOTHING`,
    [genesis, program],
  );
  return networkId(genesis, program);
}
