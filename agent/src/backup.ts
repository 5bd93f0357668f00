/**
 * What a backup of a gateway holds: its configuration, the meters' keys, and each meter's books with the readings that the
 * collector has not decided upon. Taken from one state of the store while the gateway runs or not.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  decodeBase58,
  encodeBase58,
  GtxError,
  meterIdText,
  parseJsonWith,
  publicKeyText,
} from '@gridtokenx/protocol';
import { z } from 'zod';
import { parseAccount } from './account.js';
import { sealBackup, unsealBackup, writeBackupFile } from './backup-file.js';
import { folderOf, gatherFiles } from './backup-files.js';
import type { AgentConfig } from './config.js';
import { writeSecretFile } from './create-key.js';
import { readKeyFile } from './keyfile.js';
import type { WaitingReading } from './outbox.js';
import { Database } from './sqlite.js';

const bytesOf = (length: number) =>
  z.base64().refine((text) => Buffer.from(text, 'base64').length === length, `must be ${length} bytes`);
const count = z.int().min(0);

const BackupContent = z.strictObject({
  version: z.literal(1),
  created_ms: count,
  /** The configuration as it was written. */
  config: z.string(),
  /** Certificates, passwords and profiles that it names. Absent in backups of before. */
  files: z
    .array(
      z.strictObject({
        setting: z
          .string()
          .regex(
            /^(mqtt\.(ca|cert|key|password)_file|collector_ca_file|home_assistant\.(ca|password)_file|profile_dir\.\d+(\/[^/]+\.json)?)$/,
          ),
        content: z.base64(),
      }),
    )
    .default([]),
  keys: z.array(z.strictObject({ meter_id: meterIdText, public_key: publicKeyText, seed: bytesOf(32) })),
  meters: z.array(
    z.strictObject({
      meter_id: meterIdText,
      sequence: count,
      /** As `serialiseAccount` wrote it. */
      account: z.string(),
      waiting: z.array(
        z.strictObject({
          sequence: count.min(1),
          interval_end: count,
          bytes: bytesOf(48),
          signature: bytesOf(64),
          public_key: bytesOf(32),
          amount: z.string().regex(/^\d{1,20}$/),
          created_ms: count,
          sent_ms: count.nullable(),
        }),
      ),
    }),
  ),
});
export type BackupContent = z.infer<typeof BackupContent>;
/** A meter's part of a backup. */
export type BackupMeter = BackupContent['meters'][number];

/** Above any that is made: 30 days of a hundred meters' readings. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;

/**
 * Reads what a backup holds.
 * @param configText the configuration as it is written
 * @param configFile where that is: its relative paths start there
 * @throws GtxError KEY_FILE_INVALID, KEY_FILE_PERMISSIONS, CONFIG_INVALID for a file that cannot be read; FORBIDDEN when this
 *   user may not read the store
 */
export function gatherBackup(
  config: AgentConfig,
  configText: string,
  nowMs: number,
  configFile: string,
): BackupContent {
  return {
    version: 1,
    created_ms: nowMs,
    config: configText,
    files: gatherFiles(config, configText, folderOf(configFile)),
    keys: config.meters.map(({ id, key_file }) => {
      const { seed, publicKey } = readKeyFile(key_file);
      return {
        meter_id: id,
        public_key: encodeBase58(publicKey),
        seed: Buffer.from(seed).toString('base64'),
      };
    }),
    meters: readBooks(config),
  };
}

/** The books of the configuration's meters, all from one state of the store. Empty before the gateway's first run. */
function readBooks(config: AgentConfig): BackupMeter[] {
  const file = join(config.data_dir, 'agent.sqlite');
  if (!existsSync(file)) return [];
  let db: InstanceType<typeof Database> | undefined;
  try {
    db = new Database(file, { readonly: true, fileMustExist: true, timeout: 5_000 });
    const account = db.prepare<[string], { account: string; sequence: number }>(
      'SELECT account, sequence FROM meters WHERE meter_id = ?',
    );
    const waiting = db.prepare<
      [string],
      {
        sequence: number;
        interval_end: number;
        bytes: Buffer;
        signature: Buffer;
        public_key: Buffer;
        amount: string;
        created_ms: number;
        sent_ms: number;
      }
    >(
      `SELECT sequence, interval_end, bytes, signature, public_key, amount, created_ms, sent_ms FROM readings
       WHERE meter_id = ? AND state IN ('pending', 'sent') ORDER BY sequence`,
    );
    // One transaction sees one state, whatever the gateway writes meanwhile (SQLite, write-ahead log).
    return db.transaction(() =>
      config.meters.flatMap(({ id }): BackupMeter[] => {
        const books = account.get(id);
        if (books === undefined) return [];
        return [
          {
            meter_id: id,
            ...books,
            waiting: waiting.all(id).map((row) => ({
              ...row,
              bytes: row.bytes.toString('base64'),
              signature: row.signature.toString('base64'),
              public_key: row.public_key.toString('base64'),
              // Not sent yet: kept as the negative time of creation.
              sent_ms: row.sent_ms > 0 ? row.sent_ms : null,
            })),
          },
        ];
      }),
    )();
  } catch (error) {
    if (!/^SQLITE_(CANTOPEN|PERM|READONLY|AUTH)/.test(String((error as { code?: unknown }).code)))
      throw error;
    throw new GtxError('FORBIDDEN', `${file} cannot be read by this user: try it with sudo`);
  } finally {
    db?.close();
  }
}

/**
 * Encrypts a backup and writes it, see `writeBackupFile`.
 * @param cost log2 of scrypt's N, for tests
 */
export async function saveBackup(
  path: string,
  content: BackupContent,
  passphrase: string,
  force = false,
  cost?: number,
): Promise<void> {
  writeBackupFile(path, await sealBackup(Buffer.from(JSON.stringify(content)), passphrase, cost), force);
}

/** Reads a backup. @throws GtxError BACKUP_INVALID; NOT_FOUND when there is no such file */
export async function loadBackup(path: string, passphrase: string): Promise<BackupContent> {
  let file: Buffer;
  try {
    const { size } = statSync(path);
    if (size > MAX_FILE_BYTES) throw new GtxError('BACKUP_INVALID', `${path} is no backup: ${size} bytes`);
    file = readFileSync(path);
  } catch (error) {
    if (error instanceof GtxError) throw error;
    throw new GtxError('NOT_FOUND', `${path} cannot be read: ${(error as Error).message}`);
  }
  const content = parseJsonWith(BackupContent, await unsealBackup(file, passphrase), 'BACKUP_INVALID');
  for (const { meter_id, account } of content.meters) {
    try {
      parseAccount(account, 0);
    } catch {
      throw new GtxError('BACKUP_INVALID', `the books of ${meter_id} in the backup cannot be read`);
    }
  }
  return content;
}

/** A backup's readings as the store takes them. */
export function waitingReadings(meter: BackupMeter): WaitingReading[] {
  return meter.waiting.map((one) => ({
    sequence: one.sequence,
    intervalEnd: one.interval_end,
    bytes: Buffer.from(one.bytes, 'base64'),
    signature: Buffer.from(one.signature, 'base64'),
    publicKey: Buffer.from(one.public_key, 'base64'),
    amount: BigInt(one.amount),
    createdMs: one.created_ms,
    sentMs: one.sent_ms ?? undefined,
  }));
}

/**
 * Puts the backup's keys where the configuration wants them, mode 0600. All are looked at before the first is written.
 * @returns files that are new
 * @throws GtxError KEY_FILE_EXISTS when another key is in one of the places; nothing is written then
 */
export function placeKeys(config: AgentConfig, backup: BackupContent): string[] {
  const missing: { path: string; seed: Buffer; publicKey: Uint8Array }[] = [];
  for (const { id, key_file: path } of config.meters) {
    const key = backup.keys.find(({ meter_id }) => meter_id === id);
    // A meter that came later: its key must be there.
    if (key === undefined || existsSync(path)) {
      const found = encodeBase58(readKeyFile(path).publicKey);
      if (key !== undefined && found !== key.public_key) {
        throw new GtxError(
          'KEY_FILE_EXISTS',
          `${path} holds another key (${found}) than the backup (${key.public_key}) has for ${id}; it is never replaced`,
        );
      }
      continue;
    }
    missing.push({
      path,
      seed: Buffer.from(key.seed, 'base64'),
      publicKey: decodeBase58(key.public_key, 32),
    });
  }
  for (const { path, seed, publicKey } of missing) {
    writeSecretFile(path, `${JSON.stringify([...seed, ...publicKey])}\n`);
    // Also checks that the halves belong together.
    readKeyFile(path);
  }
  return missing.map(({ path }) => path);
}
