/**
 * SQLite, as a native module that fits the Node that runs. better-sqlite3 13 is written against Node-API 10, which
 * Node 20 does not have (it crashes there); version 12 aborts from Node 24.19 on when a statement is collected
 * (nodejs/node#65446). So Node 20 gets version 12, every newer one 13. What we use of them is the same.
 */
import { createRequire } from 'node:module';
import type BetterSqlite3 from 'better-sqlite3';

const load = createRequire(import.meta.url);
const [major = 0] = process.versions.node.split('.').map(Number);

export const Database = load(major < 22 ? 'better-sqlite3-node20' : 'better-sqlite3') as typeof BetterSqlite3;
