export { type AuditDeps, type AuditFigures, type AuditReport, runAudit } from './audit.js';
export { DIFFERENCES, type Difference, type DifferenceKind } from './differences.js';
export type { EnergyFigures } from './energy.js';
