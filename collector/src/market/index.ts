/** The market's pure core: book, plan of trades, price guide. No clock, no chain, no database. */
export * from './book.js';
export * from './events.js';
export * from './fill.js';
export * from './order.js';
export * from './plan.js';
export * from './price-guide.js';
