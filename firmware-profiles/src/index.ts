/** Meter profiles as data: registers, scaling, identification and source, and how to decode them. */
export * from './check.js';
export * from './decode.js';
export * from './encode.js';
export * from './error.js';
export * from './fixture.js';
export * from './identify.js';
export * from './json-schema.js';
export * from './json-text.js';
export * from './load.js';
export * from './plan.js';
export * from './reference.js';
export * from './schema.js';
export * from './sunspec.js';
