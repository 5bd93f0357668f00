/** From the flags of `gtx broker rules` to what the collector's package writes. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type BrokerRulesOptions, parseListen } from '@gridtokenx/collector';
import { GtxError } from '@gridtokenx/protocol';
import { lookUpUser } from './agent-tools/identity.js';

export interface RulesFlags {
  readonly words: readonly string[];
  readonly out: string;
  readonly gateways?: string | undefined;
  readonly auth: 'password' | 'certificate';
  readonly listen: string;
  readonly tlsDir?: string | undefined;
  readonly names?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly as?: string | undefined;
  readonly owner?: string | undefined;
}

/** @throws GtxError CONFIG_INVALID */
export function prepareRules(flags: RulesFlags): BrokerRulesOptions {
  const { certFile, keyFile } = flags;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new GtxError('CONFIG_INVALID', '--cert-file and --key-file go together');
  }
  return {
    gateways: gatewaysOf(flags),
    folder: flags.out,
    auth: flags.auth,
    listen: inWords('--listen', () => parseListen(flags.listen)),
    tlsDir: flags.tlsDir,
    names: flags.names?.split(',').map((name) => name.trim()),
    certificate:
      certFile === undefined || keyFile === undefined
        ? undefined
        : { certFile: resolve(certFile), keyFile: resolve(keyFile) },
    brokerFolder: flags.as,
    owner: flags.owner === undefined ? undefined : ownerOf(flags.owner),
    now: Date.now,
  };
}

function gatewaysOf({ words, gateways }: RulesFlags): string[][] {
  if ((gateways === undefined) === (words.length === 0)) {
    throw new GtxError('CONFIG_INVALID', 'name the gateways, or a file with them (--gateways)');
  }
  return gateways === undefined ? words.map(metersOf) : linesOf(gateways).map(metersOf);
}

/** Lines that are neither empty nor a comment. */
function linesOf(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new GtxError('CONFIG_INVALID', `cannot read ${path}: ${(error as Error).message}`);
  }
  return text
    .split(/\r?\n/)
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
}

const metersOf = (text: string): string[] => text.split(/[,\s]+/).filter((meter) => meter !== '');

function ownerOf(text: string): { uid: number; gid: number } {
  const [, uid, gid] = /^(\d+):(\d+)$/.exec(text) ?? [];
  const found = uid === undefined ? lookUpUser(text) : { uid: Number(uid), gid: Number(gid) };
  if (found === undefined) throw new GtxError('CONFIG_INVALID', `--owner ${text}: there is no such user`);
  return found;
}

function inWords<T>(flag: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new GtxError('CONFIG_INVALID', `${flag} ${(error as Error).message}`);
  }
}
