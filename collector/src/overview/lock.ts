/** Of several collectors one adds up at a time: the key of their lock in the database. */
export const ROLLUP_LOCK = 'gtx_rollup';
