/** The oracle's publisher: a service of its own, with a key of its own. */
export * from './config.js';
export { Publisher, type PublisherOptions, startPublisher } from './publisher.js';
export type { PriceSource } from './sources.js';
