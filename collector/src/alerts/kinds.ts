/**
 * Every kind of alert, with what it says. A new kind begins here: docs/runbook.md has an entry for each, and a test
 * compares the two.
 */
export const ALERT_KINDS = {
  // What meters send.
  sequence_conflict: 'A meter signed two different readings with one sequence.',
  reading_not_storable: 'The database refuses a valid reading.',
  reading_held: 'A reading is above the limit and waits for review.',
  implausible_production: 'A meter says that it produced what is not likely.',
  sites_file_invalid: 'The file that says where meters are cannot be used.',
  // Gateways.
  gateway_silent: 'A gateway was not heard for long.',
  gateway_bus: 'A gateway reports that a measuring device does not answer.',
  gateway_clock: 'A gateway reports that its clock is not synchronised.',
  // Settlement and certificates.
  settlement_failed: 'The chain refused a reading or a mint ten times.',
  settlement_dropped: 'A fork took a confirmed settlement back.',
  energy_held: 'The chain holds back energy above what the rated power allows.',
  fee_payer: 'The fee payer cannot pay.',
  certificate_refused: 'The chain refuses a certificate again and again.',
  // The market.
  match_failed: 'The chain refused a match of two orders ten times.',
  market_halted: 'Orders cross in a market and cannot trade.',
  // The chain and what is known of it.
  chain_unavailable: 'The chain does not answer, or refuses what it is asked.',
  other_chain: 'The node belongs to another chain than the database.',
  mirror_failed: 'A transaction of the chain cannot be applied to the database.',
  chain_reading_conflict: 'The chain accepted other bytes under a sequence than are stored.',
  chain_logs_truncated: 'A transaction logged so much that its events are cut off.',
  paused: 'The registry is paused.',
  audit_difference: 'Chain, database and wallets disagree.',
  // The alerts themselves.
  alert_channel_failed: 'Alerts do not get through on a channel.',
} as const;

export type AlertKind = keyof typeof ALERT_KINDS;
