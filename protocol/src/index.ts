/** Signed formats, units, MQTT topics, payload schemas and the error catalogue. Pure: no I/O, no clock. */
export * from './base58.js';
export * from './errors.js';
export * from './exposition.js';
export * from './fields.js';
export * from './limits.js';
export * from './live.js';
export * from './messages.js';
export * from './notices.js';
export * from './payloads.js';
export * from './reading.js';
export * from './sessions.js';
export * from './signed.js';
export * from './timestamp.js';
export * from './topics.js';
export * from './units.js';
